"""What params.yaml says of files: found out from their names, of CSV from its first line too."""

import argparse
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, get_args

from pydantic import TypeAdapter, ValidationError

from octet.errors import OctetError
from stages.load.readers import csv
from stages.params.data import Bundled, Data
from stages.params.section import is_below_top
from stages.pinned import MIRROR_VARIABLE, digest_of, digest_of_all, find, visible

_TABLES = {".parquet": "parquet", ".pq": "parquet"}
_ARRAYS = (".npz", ".safetensors")
_IMAGES = (".png", ".jpg", ".jpeg")
_IDX = ("train_images", "train_labels", "test_images", "test_labels")
_OF_TABLES = ("target", "weights", "task", "drop", "missing", "test")
_KEYS = (*_OF_TABLES, "size")
# Those keys that a kind takes.
_TAKES = {
    "csv": _OF_TABLES,
    "parquet": _OF_TABLES,
    "arrays": ("task",),
    "idx": (),
    "images": ("size", "test"),
}


def data(arguments: argparse.Namespace) -> str | dict[str, Any]:
    """``data`` of a new system.

    Raises:
        OctetError: a file is nowhere, of no kind that is known, or of one that does not take what
            is said of it; or a target is not named.
    """
    asked = {key: value for key in _KEYS if (value := getattr(arguments, key))}
    if arguments.data[0] in get_args(Bundled) and len(arguments.data) == 1:
        _refuse_foreign(asked, (), arguments.data[0])
        return str(arguments.data[0])
    paths = [_relative(path) for path in arguments.data]
    files = [find(path, "--data") for path in paths]
    mapping = _mapping(paths, files)
    kind = mapping["kind"]
    _refuse_foreign(asked, _TAKES[kind], kind)
    if kind in ("csv", "parquet") and not arguments.target:
        raise OctetError(f"{paths[0]}: --target COLUMN: which column is to be predicted?")
    mapping |= {key: value for key, value in asked.items() if key != "test"}
    if arguments.test:
        mapping["split"] = {"test": _relative(arguments.test)}
    named = parsed({**mapping, "sha256": "0" * 64}).files
    mapping["sha256"] = digest_of_all({path: find(path, "--data") for path in named})
    return mapping


def _refuse_foreign(asked: Iterable[str], takes: Sequence[str], kind: str) -> None:
    for key in asked:
        if key not in takes:
            raise OctetError(f"--{key}: {kind} takes none")


def model(path: str | None) -> dict[str, Any] | None:
    """``model`` of a new system that brings one; None if it is to be trained.

    Raises:
        OctetError: it is nowhere, or of no kind that is known.
    """
    if path is None:
        return None
    kinds = {".onnx": "onnx", ".safetensors": "given"}
    relative = _relative(path)
    if (kind := kinds.get(Path(path).suffix)) is None:
        raise OctetError(f"{path}: --model: allowed are {' and '.join(kinds)} files")
    return {"kind": kind, "path": relative, "sha256": digest_of(find(relative, "--model"))}


def parsed(mapping: str | dict[str, Any]) -> Any:
    """What the stages make of it.

    Raises:
        OctetError: a value is not allowed.
    """
    try:
        return TypeAdapter[Any](Data).validate_python(mapping)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        key = ".".join(str(part) for part in first["loc"][1:])
        raise OctetError(f"--{key or 'data'}: got {first['input']!r}: {first['msg']}") from None


def _mapping(paths: Sequence[str], files: Sequence[Path]) -> dict[str, Any]:
    first, suffixes = paths[0], {Path(path).suffix for path in paths}
    if len(paths) == len(_IDX) and suffixes != {".npy"}:
        return {"kind": "idx", **dict(zip(_IDX, paths, strict=True))}
    if suffixes == {".npy"} and len(paths) in (2, 4):
        return {"kind": "arrays", **dict(zip(("x", "y", "x_test", "y_test"), paths, strict=False))}
    if len(paths) == 1:
        if files[0].is_dir():
            return {"kind": _kind_of_folder(files[0]), "path": first}
        if suffixes <= {*_ARRAYS}:
            return {"kind": "arrays", "path": first}
        if suffixes <= {*_TABLES}:
            return {"kind": "parquet", "path": first}
        if {".csv", ".tsv", ".txt"} & {*Path(first).suffixes}:
            separator = csv.separator_of(files[0])
            return {"kind": "csv", "path": first} | (
                {} if separator == "," else {"separator": separator}
            )
    raise OctetError(
        f"--data {' '.join(paths)}: of no known kind; `python -m stages.add --help` lists them"
    )


def _kind_of_folder(folder: Path) -> str:
    suffixes = {file.suffix.lower() for file in visible(folder)}
    if suffixes & {*_TABLES}:
        return "parquet"
    if suffixes & {*_IMAGES}:
        return "images"
    raise OctetError(
        f"--data {folder}: no file of a kind that is known in this folder; allowed are "
        f"{', '.join(_TABLES)}, or a folder for each class with {', '.join(_IMAGES)}"
    )


def _relative(path: str) -> str:
    """The path from the top of the repository, or from $OCTET_DATA."""
    if is_below_top(path):
        return Path(path).as_posix()
    for top in (Path.cwd(), Path(os.environ.get(MIRROR_VARIABLE) or ".").resolve()):
        if (absolute := Path(path).resolve()).is_relative_to(top):
            return absolute.relative_to(top).as_posix()
    raise OctetError(
        f"{path}: not below the top of the repository; copy it there, or set {MIRROR_VARIABLE} "
        "to a folder that has it"
    )
