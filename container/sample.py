"""python sample.py DATA FOLDER: test rows for an image to predict, out of a data file."""

import csv
import io
from pathlib import Path

from octet import files
from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from octet.modelfile import signatures
from octet.modelfile.arrays import dump_arrays, load_arrays
from octet.signature import Columns, Numbers

# All of each table that there is, and a fraction of a second of MNIST.
ROWS = 5000


def main() -> None:
    """Write the sample as `octet predict` reads it; exit with 1 if the data file is no good."""
    with one_line():
        parser = Parser(description="Take test rows out of a data file, for an image to predict.")
        parser.add_argument("data", type=Path, help="data/SYSTEM.safetensors")
        parser.add_argument("folder", type=Path, help="where to write them")
        arguments = parser.parse_args()
        name, content = sample(arguments.data)
        files.write(arguments.folder / name, content)


def sample(data: Path) -> tuple[str, bytes]:
    """Name and bytes of a file with the first test rows.

    Of a table of numbers it is CSV, with the target or the name of the class as its last column and
    every digit of float64. Of anything else it is .safetensors, with x ``(rows, …)`` as in the data
    file (of text the features) and y, the indices of their classes or their targets.

    Raises:
        OctetError: the file is missing, damaged or foreign.
    """
    header, arrays = load_arrays(data)
    try:
        signature = signatures.load_signature(header)
        x, y = arrays["x_test"][:ROWS], arrays["y_test"][:ROWS]
        if (x.shape[1:], y.shape) != (signature.shape, x.shape[:1]):
            raise ValueError(f"x_test of shape {x.shape}, y_test of {y.shape}")
        outputs = signature.outputs
        truth = y.tolist() if isinstance(outputs, Numbers) else [outputs.classes[i] for i in y]
    except (LookupError, TypeError, ValueError) as error:
        raise OctetError(f"{data}: not a data file of this project ({error!r})") from None
    if isinstance(signature.inputs, Columns) and not signature.inputs.table:
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*signature.inputs.features, outputs.column])
        writer.writerows([*row, true] for row, true in zip(x.tolist(), truth, strict=True))
        return "sample.csv", text.getvalue().encode()
    return "sample.safetensors", dump_arrays({}, {"x": x, "y": y})


if __name__ == "__main__":
    main()
