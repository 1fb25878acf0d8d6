"""A whole params.yaml with other values in it, and what the stages make of that."""

import contextlib
import copy
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from octet.errors import OctetError
from stages.params.file import Params, load_params

TEXT = Path(__file__).with_name("params.yaml").read_text(encoding="utf-8")
DOCUMENT = yaml.safe_load(TEXT)
ABSENT = object()
TABLE, IMAGES = "diabetes", "digits"
LAYERS = f"systems.{IMAGES}.model.layers"


def place(kind: str) -> str:
    """The path of the first layer of this kind."""
    kinds = [layer["kind"] for layer in DOCUMENT["systems"][IMAGES]["model"]["layers"]]
    return f"{LAYERS}[{kinds.index(kind)}]"


def changed(values: Mapping[str, object]) -> dict[str, Any]:
    """The whole params.yaml with other values; ABSENT takes a key away."""
    document: dict[str, Any] = copy.deepcopy(DOCUMENT)
    for key, value in values.items():
        *path, last = parts(key)
        section: Any = document
        for part in path:
            section = section.setdefault(part, {}) if isinstance(part, str) else section[part]
        if value is ABSENT:
            del section[last]
        else:
            section[last] = value
    return document


def parts(key: str) -> list[str | int]:
    """``a.b[3].c`` in parts."""
    found = re.findall(r"\[(\d+)\]|([^.\[]+)", key)
    return [int(index) if index else name for index, name in found]


def value_at(key: str) -> Any:
    """What it has there."""
    value = DOCUMENT
    for part in parts(key):
        value = value[part]
    return value


def keys(section: Any, path: str = "") -> Iterator[str]:
    """Every key of a document, and every entry of its lists of mappings, by its path."""
    if isinstance(section, dict):
        inner = [(f"{path}.{name}".removeprefix("."), value) for name, value in section.items()]
    elif isinstance(section, list) and section and isinstance(section[0], dict):
        inner = [(f"{path}[{i}]", value) for i, value in enumerate(section)]
    else:
        return
    for key, value in inner:
        yield key
        yield from keys(value, key)


def load(folder: Path, document: object) -> Params:
    """What a stage makes of this params.yaml; text is taken as it is."""
    text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    with contextlib.chdir(folder):
        return load_params()


def refusal(folder: Path, document: object) -> str:
    """The one line with which it is refused."""
    with pytest.raises(OctetError) as caught:
        load(folder, document)
    message = str(caught.value)
    assert_one_line(message)
    return message


def assert_one_line(message: str) -> None:
    assert message.splitlines() == [message]
    assert message.startswith("params.yaml")
