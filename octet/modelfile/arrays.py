"""Named arrays and a header as a .safetensors file, in and out."""

import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from octet.errors import OctetError

AnyArray = npt.NDArray[Any]

# safetensors writes its metadata in the order of a randomly seeded hash map, so two keys would
# make two files of the same content differ. One key has one order; its value is sorted JSON.
_HEADER = "octet"
# Bytes. Ours are of some kilobytes; parsing takes a multiple of it in memory.
_LONGEST_HEADER = 1 << 20


def dump_arrays(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> bytes:
    """The bytes of a .safetensors file: the same content always gives the same bytes.

    Raises:
        OctetError: the header is longer than any that is read back.
    """
    in_c_order = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    content = save(in_c_order, {_HEADER: text})
    length = int.from_bytes(content[:8], "little")
    if length > _LONGEST_HEADER:
        raise OctetError(
            f"got names and shapes of {length} bytes; allowed are {_LONGEST_HEADER}: have "
            "fewer or shorter names of columns, or rows without any, as arrays of two axes a row"
        )
    return content


def load_arrays(path: Path) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Header and arrays of a file that `dump_arrays` made.

    Raises:
        OctetError: the file is missing, truncated, not safetensors, or not from this project.
    """
    try:
        refuse_header(path)
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            arrays = {name: file.get_tensor(name) for name in sorted(file.keys())}
    except FileNotFoundError:
        raise OctetError(
            f"{path}: no such file; if it is one of the pipeline's, `dvc repro` makes it"
        ) from None
    except (SafetensorError, TypeError, ValueError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise OctetError(
            f"{path}: not a whole .safetensors file ({reason}); if it is one of the pipeline's, "
            "delete it and run `dvc repro`"
        ) from None
    if (header := parse_header(metadata)) is None:
        raise OctetError(f"{path}: a .safetensors file, but without this project's header")
    return header, arrays


def parse_header(metadata: Mapping[str, str]) -> dict[str, Any] | None:
    """The header that is in the metadata of a .safetensors file, if it is one of this project."""
    try:
        header = json.loads(metadata[_HEADER])
    except (KeyError, ValueError, RecursionError):
        return None
    return header if isinstance(header, dict) else None


def refuse_header(path: Path) -> None:
    """Refuse what no file of this project is before a header of any length is read.

    The safetensors library checks all else: that the header is within the file and is JSON, and
    that its arrays fill the rest of it without gap or overlap, each as long as its shape says.

    Raises:
        FileNotFoundError: there is no file.
        ValueError: it is a folder or device, or its header is longer than any of this project.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise ValueError("it is no file")
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
    if length > _LONGEST_HEADER:
        raise ValueError(f"a header of {length} bytes; allowed are {_LONGEST_HEADER}")
