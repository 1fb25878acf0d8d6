"""dvc.lock: what each stage wrote, and the digest of it."""

from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from octet.errors import OctetError
from stages.params.file import load_params

PATH = Path("dvc.lock")
FOLDER = ".dir"

PIPELINE = Path("dvc.yaml")


@dataclass(frozen=True)
class Output:
    """A file or folder that a stage wrote.

    Attributes:
        stage: what DVC calls the stage, ``train@diabetes``.
        path: where it is.
        md5: of a file's bytes; of a folder, that of its listing, with `FOLDER` behind it.
    """

    stage: str
    path: Path
    md5: str


def load() -> tuple[Output, ...]:
    """The outputs of every stage that has run, in the order of the file.

    DVC never removes a stage from its lock: those that are not in dvc.yaml or of no system in
    params.yaml are left out.

    Raises:
        OctetError: a file is missing, or not one of DVC's.
    """
    systems = load_params().systems
    pipeline = parse(read(PIPELINE), PIPELINE)
    locked = parse(read(PATH), PATH)
    try:
        outputs = tuple(
            output
            for stage, entry in locked.items()
            if _is_of(stage, pipeline, systems)
            for output in _outputs(stage, entry)
        )
    except (KeyError, TypeError, AttributeError):
        raise not_dvcs(PATH) from None
    if not outputs:
        raise OctetError(f"{PATH}: no stage of dvc.yaml has run; `git checkout HEAD -- {PATH}`")
    return outputs


def digest_of(path: Path) -> str:
    """The digest of one output.

    Raises:
        OctetError: as `load`, or no stage wrote it.
    """
    for output in load():
        if output.path == path:
            return output.md5
    raise OctetError(f"{PATH}: no stage has written {path}; `dvc repro` does")


def _is_of(stage: str, pipeline: Container[str], systems: Container[str]) -> bool:
    name, of_system, system = stage.partition("@")
    return name in pipeline and (not of_system or system in systems)


def _outputs(stage: str, entry: dict[str, Any]) -> Iterator[Output]:
    for out in entry.get("outs", []):
        yield Output(stage, Path(out["path"]), str(out["md5"]))


def parse(content: bytes, path: Path) -> dict[str, Any]:
    """The stages in the content of dvc.lock or dvc.yaml, by name.

    Raises:
        OctetError: it is not of DVC.
    """
    try:
        return dict(YAML(typ="safe", pure=True).load(content.decode())["stages"])
    except (YAMLError, LookupError, TypeError, ValueError, RecursionError):
        raise not_dvcs(path) from None


def not_dvcs(path: Path) -> OctetError:
    """What to raise about a file that is not as DVC writes it."""
    return OctetError(f"{path}: not a file of DVC; `git checkout HEAD -- {path}`")


def read(path: Path) -> bytes:
    """The content of a file of DVC's.

    Raises:
        OctetError: there is none.
    """
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise OctetError(f"{path}: no such file; `git checkout HEAD -- {path}`") from None
