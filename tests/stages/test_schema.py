"""params.schema.json: current, and of one mind with what the stages take."""

import json
from typing import Any

import jsonschema
import pytest
from ruamel.yaml import YAML

from stages.commands import schema
from tests.conftest import ROOT
from tests.stages.documents import ABSENT, DOCUMENT, IMAGES, TABLE, changed

VALIDATOR = jsonschema.Draft202012Validator(json.loads(schema.text()))


def test_the_schema_is_current_and_params_yaml_names_it() -> None:
    assert (ROOT / schema.PATH).read_text() == schema.text()  # else `make schema`
    first = (ROOT / "params.yaml").read_text().splitlines()[0]
    assert first == f"# yaml-language-server: $schema={schema.PATH}"


@pytest.mark.parametrize("document", [DOCUMENT, YAML(typ="safe").load(ROOT / "params.yaml")])
def test_what_is_right_is_taken(document: Any) -> None:
    VALIDATOR.validate(document)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("quant.bits", "8"),
        ("quant.bitts", 8),
        ("quant.rounding", "up"),
        ("quant", ABSENT),
        ("train.seed", -1),
        (f"systems.{TABLE}.model.kind", "forest"),
        (f"systems.{TABLE}.data", "iris"),
        (f"systems.{TABLE}.quant.bitts", 8),
        (f"systems.{TABLE}.gates.r2", "high"),
        (f"systems.{IMAGES}.train.noise.shares", 0.1),
        (f"systems.{IMAGES}.model.layers[0].kind", "lstm"),
    ],
)
def test_what_is_wrong_is_marked(key: str, value: object) -> None:
    assert list(VALIDATOR.iter_errors(changed({key: value})))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        (f"systems.{TABLE}.quant.bias", {"bits": 4}),
        (f"systems.{IMAGES}.train.noise", {"share": 0.1}),
        (f"systems.{TABLE}.model", {"kind": "ridge", "alpha": 1, "standardize": True}),
        (f"systems.{TABLE}.model", {"kind": "onnx", "path": "a.onnx", "sha256": "0" * 64}),
    ],
)
def test_a_system_may_have_some_keys_of_a_section_alone(key: str, value: object) -> None:
    VALIDATOR.validate(changed({key: value}))
