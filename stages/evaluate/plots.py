"""What evaluate has to draw: what both networks gave for each test row."""

import io
from pathlib import Path

import numpy as np

from octet.affine import Array
from octet.modelfile.arrays import dump_arrays
from stages.dataset import Dataset
from stages.paths import plot_path
from stages.tasks import task_of


def files(name: str, data: Dataset, outputs: tuple[Array, Array]) -> dict[Path, bytes]:
    """The outputs as they are, and as a CSV of actual, float and quantized for each test row.

    Args:
        name: the system's.
        data: its data; in the CSV, classes are numbers.
        outputs: of the float and of the quantized network, ``(rows, outputs)``.
    """
    task = task_of(data.signature)
    columns = np.column_stack([data.y_test, *map(task.answers, outputs)])
    file = io.BytesIO()
    header = "actual,float,quantized"
    np.savetxt(file, columns, task.answer_form, ",", header=header, comments="")
    arrays = {"float": outputs[0], "quantized": outputs[1]}
    return {
        plot_path(name, "outputs.safetensors"): dump_arrays({}, arrays),
        plot_path(name, "predictions.csv"): file.getvalue(),
    }
