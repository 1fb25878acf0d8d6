"""python -m stages.add NAME --data FILE: a new system; without --data, its pins renewed."""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from octet import files
from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import dvc, git
from stages.add import described, documents, pins, sources
from stages.add.defaults import defaults
from stages.dataset import Dataset
from stages.load import readers
from stages.params.data import Data
from stages.params.file import Params, bad_name, check_params, load_params, parse
from stages.params.section import PATH
from stages.train.kinds import kind_for
from stages.train.kinds.kind import Job

_PIPELINE = Path("dvc.yaml")


def main() -> None:
    """Exit 0 with the system written; 1, with one line and nothing written, if that cannot be."""
    with one_line():
        arguments = _parser().parse_args()
        params = load_params()
        known = params.systems.get(arguments.name)
        if known is None:
            contents = _new(arguments, params)
        elif _asked(arguments):
            raise OctetError(
                f"{PATH}: systems.{arguments.name} is there; take another name, change it by "
                f"hand, or renew its pins by `python -m stages.add {arguments.name}`"
            )
        else:
            contents = _renewed(arguments.name, params)
        if arguments.dry:
            sys.stdout.write("not written: --dry\n")
            return
        system = check_params(parse(contents[PATH])).system(arguments.name)
        _track(pins.paths_of(system))
        # A link stays one: what it leads to is what a person keeps.
        files.write_all(
            {p.resolve() if p.is_symlink() else p: content for p, content in contents.items()}
        )
        sys.stdout.write(
            f"written: {', '.join(map(str, contents))}\nnext: dvc repro evaluate@{arguments.name}\n"
        )


def _parser() -> argparse.ArgumentParser:
    parser = Parser(description="Add a system to params.yaml, or renew the pins of one.")
    parser.add_argument("name", help="of the system: letters, digits, - and _")
    parser.add_argument(
        "--data",
        nargs="+",
        metavar="FILE",
        help="a table (.csv, .csv.gz, .tsv, .parquet), arrays (.npz, .safetensors, or .npy of x "
        "and of y), a folder of images with a folder for each class, four files as MNIST's (train "
        "images and labels, test images and labels), or the name of a bundled data set",
    )
    parser.add_argument("--target", help="of a table: the column that is to be predicted")
    parser.add_argument(
        "--weights",
        metavar="COLUMN",
        help="of a table: the column of how much each training row counts in the fit",
    )
    parser.add_argument("--task", help="classification, where numbers stand for classes")
    parser.add_argument(
        "--drop", nargs="+", metavar="COLUMN", help="of a table: columns to leave out"
    )
    parser.add_argument("--missing", help="impute, to fill the gaps of a table")
    parser.add_argument("--test", metavar="FILE", help="another table or folder, to test on")
    parser.add_argument("--size", nargs=2, type=int, metavar=("HEIGHT", "WIDTH"), help="of images")
    parser.add_argument("--model", metavar="FILE", help="an ONNX file, or a model file of Octet's")
    parser.add_argument("--dry", action="store_true", help="say what would be written, and do not")
    return parser


def _asked(arguments: argparse.Namespace) -> bool:
    """Whether more is said than a name."""
    return any(value for key, value in vars(arguments).items() if key not in ("name", "dry"))


def _new(arguments: argparse.Namespace, params: Params) -> dict[Path, bytes]:
    """Both documents with a new system, of which everything is shown."""
    name = arguments.name
    if wrong := bad_name(name):
        raise OctetError(f"{PATH}: systems: {wrong}")
    if not arguments.data:
        raise OctetError(
            f"{PATH}: no system {name}; --data FILE adds it, `python -m stages.add --help` says how"
        )
    data = sources.data(arguments)
    parsed, where = sources.parsed(data), f"systems.{name}.data"
    dataset = readers.read(parsed, params.split, where)
    sys.stdout.writelines(f"{line}\n" for line in described.dataset(parsed, dataset, params.split))
    entry = {"data": data, **defaults(dataset, sources.model(arguments.model))}
    text, added = documents.with_system(documents.read(PATH), name, entry)
    checked = check_params(parse(text.encode()))
    if arguments.model:
        _refuse_strange_model(name, checked, dataset)
    sys.stdout.write(f"\n{added}\n")
    models = documents.with_models(_PIPELINE, name, described.subject(data), dataset)
    return {PATH: text.encode(), _PIPELINE: models.encode()}


def _refuse_strange_model(name: str, params: Params, dataset: Dataset) -> None:
    """Bring the model in as the train stage will: what that refuses must not be added."""
    model, where = params.system(name).model, f"systems.{name}.model"
    kind = kind_for(model, dataset.signature, where)
    kind.train(Job(dataset, model, params.train_of(name), where))


def _renewed(name: str, params: Params) -> dict[Path, bytes]:
    """params.yaml with the digests of the files that are there."""
    system, text = params.system(name), documents.read(PATH)
    for key, part in (("data", system.data), ("model", system.model)):
        if (pair := pins.renewed(part, f"systems.{name}.{key}")) is not None:
            old, new = pair
            sys.stdout.write(f"{key}: {'as pinned' if old == new else f'{old} → {new}'}\n")
            text = text.replace(old, new)
    checked = check_params(parse(text.encode()))
    data: Data = checked.system(name).data
    dataset = readers.read(data, checked.split, f"systems.{name}.data")
    sys.stdout.writelines(f"{line}\n" for line in described.dataset(data, dataset, checked.split))
    return {PATH: text.encode()}


def _track(paths: Sequence[str]) -> None:
    """`dvc add` what lies in the repository and git does not track.

    Raises:
        OctetError: DVC would not.
    """
    for path in paths:
        if not Path(path).exists() or git.tracks(Path(path)):
            continue
        done = dvc.captured("add", path)  # with --quiet it would not say why it fails
        if done.returncode:
            said = " ".join(done.stderr.decode(errors="replace").split())
            raise OctetError(
                f"{path}: `dvc add` failed: {said} {PATH} is as it was; data may lie in any folder "
                "that git does not ignore, or below $OCTET_DATA"
            )
        sys.stdout.write(f"dvc add {path}: commit {path}.dvc\n")


if __name__ == "__main__":
    main()
