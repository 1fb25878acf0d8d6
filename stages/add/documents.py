"""params.yaml and dvc.yaml with a system more, comments and layout kept."""

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import YAMLError
from ruamel.yaml.representer import RoundTripRepresenter

from octet.errors import OctetError
from octet.signature import Classes
from stages import paths
from stages.dataset import Dataset
from stages.tasks import kind_of

_WIDE = 4096  # no line is broken that was not


def read(path: Path) -> str:
    """A document as it is, with the line ends that it has."""
    return path.read_bytes().decode()


def with_system(text: str, name: str, entry: Mapping[str, Any]) -> tuple[str, str]:
    """params.yaml with an entry at the end of its systems; and the entry by itself."""
    yaml = _yaml(sequence=2, offset=0)
    document = yaml.load(text)
    document["systems"][name] = _laid_out(entry)
    added = _dumped(yaml, CommentedMap({name: _laid_out(entry)}))
    return _with_line_ends_of(text, _dumped(yaml, document)), added


def with_models(path: Path, name: str, about: str, dataset: Dataset) -> str:
    """dvc.yaml with the models of a system by name.

    Raises:
        OctetError: it is no mapping in YAML.
    """
    yaml = _yaml(sequence=4, offset=2)
    document, text = _mapping(yaml, path)
    artifacts = document.get("artifacts", {})
    label = str(kind_of(dataset.signature)).replace(" ", "-")
    for model, file in (("float", paths.float_path), ("quantized", paths.quantized_path)):
        artifacts[f"{name}-{model}"] = CommentedMap(
            path=str(file(name)),
            type="model",
            desc=f"{_outputs(dataset)} from {about}; {model}.",
            labels=_flow(CommentedSeq([label, model])),
        )
    return _with_line_ends_of(text, _dumped(yaml, document))


def _with_line_ends_of(before: str, after: str) -> str:
    """The text with the line ends of another: an editor of Windows may have written that."""
    return after.replace("\n", "\r\n") if "\r\n" in before else after


def _mapping(yaml: YAML, path: Path) -> tuple[Any, str]:
    """What is in a document; and its text."""
    try:
        text = read(path)
        document = yaml.load(text)
    except (YAMLError, ValueError) as error:
        said = " ".join(str(error).split())
        raise OctetError(f"{path}: not YAML: {said}; mend it, or `git restore {path}`") from None
    if not isinstance(document, CommentedMap):
        raise OctetError(f"{path}: allowed is a mapping with stages; `git restore {path}`")
    return document, text


def _outputs(dataset: Dataset) -> str:
    outputs = dataset.signature.outputs
    return outputs.column if isinstance(outputs, Classes) else outputs.target


def _laid_out(entry: Mapping[str, Any]) -> CommentedMap:
    """A line for each key; for each of a network, whose layers take the most room."""
    laid_out = CommentedMap()
    for key, value in entry.items():
        long = key == "model" and value["kind"] == "network"
        if long:
            laid_out[key] = CommentedMap({name: _flowing(part) for name, part in value.items()})
        else:
            laid_out[key] = _flowing(value)
    return laid_out


def _flowing(value: Any) -> Any:
    if isinstance(value, dict):
        return _flow(CommentedMap({key: _flowing(part) for key, part in value.items()}))
    if isinstance(value, list | tuple):
        return _flow(CommentedSeq([_flowing(part) for part in value]))
    return value


def _flow(value: Any) -> Any:
    value.fa.set_flow_style()
    return value


class _Representer(RoundTripRepresenter):
    """Of null as it is mostly written; ruamel leaves it out."""


_Representer.add_representer(
    type(None), lambda self, _: self.represent_scalar("tag:yaml.org,2002:null", "null")
)


def _yaml(sequence: int, offset: int) -> YAML:
    yaml = YAML()
    yaml.Representer = _Representer
    yaml.width = _WIDE
    yaml.preserve_quotes = True
    yaml.indent(mapping=2, sequence=sequence, offset=offset)
    return yaml


def _dumped(yaml: YAML, document: Any) -> str:
    stream = io.StringIO()
    yaml.dump(document, stream)
    return stream.getvalue()
