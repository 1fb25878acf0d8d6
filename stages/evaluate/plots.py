"""What evaluate has to draw: what both networks gave for each test row."""

import io
from pathlib import Path

import numpy as np

from octet.affine import Array
from octet.modelfile.arrays import dump_arrays
from octet.signature import Numbers
from stages.dataset import Dataset
from stages.paths import plot_path

_DIGITS = 9


def files(name: str, data: Dataset, outputs: tuple[Array, Array]) -> dict[Path, bytes]:
    """The outputs as they are, and as a CSV of actual, float and quantized for each test row.

    Args:
        name: the system's.
        data: its data; of a table the CSV has targets, of images the numbers of classes.
        outputs: of the float and of the quantized network, ``(rows, outputs)``.
    """
    table = isinstance(data.signature.outputs, Numbers)
    said = [y[:, 0] if table else np.argmax(y, axis=1) for y in outputs]
    form = f"%.{_DIGITS}g" if table else "%d"
    file = io.BytesIO()
    columns = np.column_stack([data.y_test, *said])
    np.savetxt(file, columns, form, ",", header="actual,float,quantized", comments="")
    arrays = {"float": outputs[0], "quantized": outputs[1]}
    return {
        plot_path(name, "outputs.safetensors"): dump_arrays({}, arrays),
        plot_path(name, "predictions.csv"): file.getvalue(),
    }
