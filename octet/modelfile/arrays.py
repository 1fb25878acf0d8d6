"""Named arrays and a header as a .safetensors file, in and out."""

import contextlib
import json
import mmap
import stat
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open

from octet.blocks import blocks
from octet.errors import OctetError

AnyArray = npt.NDArray[Any]

# safetensors writes its metadata in the order of a randomly seeded hash map, so two keys would
# make two files of the same content differ. One key has one order; its value is sorted JSON.
_HEADER = "octet"
# Bytes. Ours are of some kilobytes; parsing takes a multiple of it in memory.
_LONGEST_HEADER = 1 << 20
# By the names that safetensors has for them, in its order: the widest come last, and go first.
_DTYPES = {
    "BOOL": np.dtype(np.bool_),
    "U8": np.dtype(np.uint8),
    "I8": np.dtype(np.int8),
    "I16": np.dtype(np.int16),
    "U16": np.dtype(np.uint16),
    "F16": np.dtype(np.float16),
    "I32": np.dtype(np.int32),
    "U32": np.dtype(np.uint32),
    "F32": np.dtype(np.float32),
    "F64": np.dtype(np.float64),
    "I64": np.dtype(np.int64),
    "U64": np.dtype(np.uint64),
}


def dump_arrays(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> bytes:
    """The bytes of a .safetensors file: the same content always gives the same bytes.

    Raises:
        OctetError: the header is longer than any that is read back.
    """
    return b"".join(stream_arrays(header, arrays))


def stream_arrays(header: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> Iterator[bytes]:
    """The bytes of `dump_arrays`, block by block: what the safetensors library would write.

    Raises:
        OctetError: the header is longer than any that is read back.
    """
    kinds = {dtype: name for name, dtype in _DTYPES.items()}
    order = [*_DTYPES.values()]
    names = sorted(arrays, key=lambda name: (-order.index(arrays[name].dtype), name))
    tensors, end = dict[str, Any](), 0
    for name in names:
        array = arrays[name]
        start, end = end, end + array.nbytes
        tensors[name] = {
            "dtype": kinds[array.dtype],
            "shape": list(array.shape),
            "data_offsets": [start, end],
        }
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    content = json.dumps(
        {"__metadata__": {_HEADER: text}, **tensors}, ensure_ascii=False, separators=(",", ":")
    ).encode()
    content += b" " * (-len(content) % 8)
    if len(content) > _LONGEST_HEADER:
        raise OctetError(
            f"got names and shapes of {len(content)} bytes; allowed are {_LONGEST_HEADER}: have "
            "fewer or shorter names of columns, or rows without any, as arrays of two axes a row"
        )
    yield len(content).to_bytes(8, "little") + content
    for name in names:
        for (block,) in blocks(np.atleast_1d(arrays[name])):
            yield block.tobytes()


def load_arrays(path: Path) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """Header and arrays of a file that `dump_arrays` made.

    Raises:
        OctetError: the file is missing, truncated, not safetensors, or not from this project.
    """
    with _opened(path) as (header, file):
        return header, {name: file.get_tensor(name) for name in sorted(file.keys())}


def map_arrays(path: Path) -> tuple[dict[str, Any], dict[str, AnyArray]]:
    """As `load_arrays`, but arrays stay in the file, from which they are read when they are used.

    They cannot be written to. What replaces the file by another of its name does not change them.

    Raises:
        OctetError: as `load_arrays`.
    """
    # What the library checks as it opens the file: that arrays fill it, each as its shape says.
    with _opened(path) as (header, _), path.open("rb") as stream:
        content = mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        start = 8 + int.from_bytes(content[:8], "little")
        tensors = json.loads(content[8:start])
        del tensors["__metadata__"]
        return header, {
            name: np.ndarray(
                tensor["shape"],
                _DTYPES[tensor["dtype"]],
                content,
                start + tensor["data_offsets"][0],
            )
            for name, tensor in sorted(tensors.items())
        }


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[dict[str, Any], Any]]:
    """The header of a file, and the library's view of it."""
    try:
        refuse_header(path)
        with safe_open(path, framework="numpy") as file:
            if (header := parse_header(file.metadata() or {})) is None:
                raise OctetError(f"{path}: a .safetensors file, but without this project's header")
            yield header, file
    except FileNotFoundError:
        raise OctetError(
            f"{path}: no such file; if it is one of the pipeline's, `dvc repro` makes it"
        ) from None
    except (SafetensorError, TypeError, ValueError, KeyError, AttributeError) as error:
        reason = " ".join(str(error).split())
        raise OctetError(
            f"{path}: not a whole .safetensors file ({reason}); if it is one of the pipeline's, "
            "delete it and run `dvc repro`"
        ) from None


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
