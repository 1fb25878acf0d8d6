"""python sample.py DATA FOLDER: test rows for an image to predict, out of a data file."""

import csv
import io
import sys
from pathlib import Path

import numpy as np

from octet import files, storage
from octet.arrays import dump_arrays, load_arrays
from octet.errors import OctetError
from octet.network import Columns

# All of each table that there is, and a fraction of a second of MNIST.
ROWS = 5000


def main() -> None:
    """Write the sample as `octet predict` reads it; exit with 1 if the data file is no good."""
    data, folder = map(Path, sys.argv[1:])
    try:
        name, content = sample(data)
        files.write(folder / name, content)
    except (OctetError, OSError) as error:
        sys.exit(f"error: {error}")


def sample(data: Path) -> tuple[str, bytes]:
    """Name and bytes of a file with the first test rows.

    Of a table it is CSV, with the target as its last column and every digit of float64; of images
    it is .safetensors, with x ``(rows, channels, height, width)`` in uint8 and y, their classes.

    Raises:
        OctetError: the file is missing, damaged or foreign.
    """
    header, arrays = load_arrays(data)
    try:
        signature = storage.load_signature(header)
        x, y = arrays["x_test"][:ROWS], arrays["y_test"][:ROWS]
    except (KeyError, TypeError, ValueError) as error:
        raise OctetError(f"{data}: not a data file of this project ({error!r})") from None
    if isinstance(signature, Columns):
        text = io.StringIO(newline="")
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow([*signature.features, signature.target])
        writer.writerows(np.column_stack([x, y]).tolist())
        return "sample.csv", text.getvalue().encode()
    return "sample.safetensors", dump_arrays({}, {"x": x, "y": y})


if __name__ == "__main__":
    main()
