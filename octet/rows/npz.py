"""Rows from an .npz archive. Nothing is ever unpickled."""

import zipfile
from pathlib import Path
from typing import IO

import numpy as np

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
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
    if shape[1:] != signature.shape or len(shape) != 1 + len(signature.shape):
        expected = ", ".join(map(str, signature.shape))
        raise OctetError(f"{name}: got shape {shape}; allowed is (rows, {expected})")
    if dtype.kind not in "fiu" or dtype.itemsize > 8:
        raise OctetError(f"{name}: got {dtype}; allowed are integers and floats of 64 bits")
    content = file.read()
    array: AnyArray = np.frombuffer(content, dtype)
    rows = array.reshape(shape, order="F" if in_fortran_order else "C")
    return rows if rows.dtype == np.uint8 else rows.astype(np.float64)
