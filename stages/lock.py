"""dvc.lock: what each stage wrote, and the digest of it."""

from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from octet.errors import OctetError

PATH = Path("dvc.lock")
FOLDER = ".dir"


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
    """Every output of every stage that has run, in the order of the file.

    Raises:
        OctetError: the file is missing, or not one that DVC wrote.
    """
    try:
        stages = YAML(typ="safe").load(PATH.read_text())["stages"]
        return tuple(
            Output(stage, Path(out["path"]), str(out["md5"]))
            for stage, entry in stages.items()
            for out in entry.get("outs", [])
        )
    except FileNotFoundError:
        raise OctetError(f"{PATH}: no such file; `git checkout HEAD -- {PATH}`") from None
    except (YAMLError, KeyError, TypeError, AttributeError, UnicodeDecodeError):
        raise OctetError(f"{PATH}: not a lock of DVC; `git checkout HEAD -- {PATH}`") from None


def digest_of(path: Path) -> str:
    """The digest of one output.

    Raises:
        OctetError: as `load`, or no stage wrote it.
    """
    for output in load():
        if output.path == path:
            return output.md5
    raise OctetError(f"{PATH}: no stage has written {path}; `dvc repro` does")
