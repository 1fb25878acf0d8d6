"""Rows from an .npz archive. Nothing is ever unpickled."""

import math
import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.rows.arrays import numbers, refuse_shape
from octet.signature import Input, Signature

# The array that holds rows, if it is not the only one.
_NAMES = ("x", "x_train")
_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_npz(path: Path, signature: Signature) -> Input:
    """The array x or x_train of an archive, or its only one: bytes as they are, else in float64.

    Raises:
        OctetError: the file is damaged, has no such array, or has one of another shape.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = {name.removesuffix(".npy"): name for name in archive.namelist()}
            names = [name for name in _NAMES if name in members] or [*members]
            if not names or (len(names) > 1 and names[0] not in _NAMES):
                raise OctetError(
                    f"{path}: got arrays {', '.join(members) or 'none'}; one of the name x holds "
                    "the rows"
                )
            with archive.open(members[names[0]]) as file:
                return _rows(file, f"{path}: {names[0]}", signature)
    except (OctetError, OSError):
        raise
    except Exception as error:
        # An .npy header is evaluated as Python: there is no end to what that may raise.
        raise OctetError(f"{path}: not a whole .npz file ({error})") from None


def _rows(file: IO[bytes], name: str, signature: Signature) -> Input:
    shape, in_fortran_order, dtype = _READERS[np.lib.format.read_magic(file)](file)
    refuse_shape(name, shape, signature)
    if dtype.hasobject:
        raise OctetError(f"{name}: got {dtype}; allowed are integers and floats of 64 bits")
    size = math.prod(shape) * dtype.itemsize
    # No more than one byte too many: a small archive may unpack to any size.
    content = file.read(max(size, 0) + 1)
    if len(content) != size:
        more_or_less = "more" if len(content) > size else "less"
        raise OctetError(
            f"{name}: got {more_or_less} than the {size} bytes of its shape, {shape}; save it again"
        )
    array: AnyArray = np.frombuffer(content, dtype)
    rows = array.reshape(shape, order="F" if in_fortran_order else "C")
    return numbers(name, rows, 0, len(rows))
