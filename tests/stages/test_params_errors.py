"""params.yaml: everything that is not allowed is one line that says what to mend."""

import contextlib
import copy
import math
from pathlib import Path

import pytest
import yaml

from octet.errors import OctetError
from stages.params.file import load_params
from tests.stages.documents import (
    ABSENT,
    IMAGES,
    LAYERS,
    REAL,
    TABLE,
    assert_one_line,
    changed,
    keys,
    parts,
    place,
    refusal,
    value_at,
)

OWN = f"systems.{TABLE}.quant"
OWN_TRAIN = f"systems.{IMAGES}.train"

WIDTH = "an integer from 2 to 16"
SPAN = "[lo, hi] with lo < hi and 0 between them"


BAD_BITS = [0, 1, 17, 31, 33, -8, 10**30, 8.5, math.nan, [8], [2, 4, 8], True, "8", None, {}]


@pytest.mark.parametrize("bits", BAD_BITS, ids=repr)
@pytest.mark.parametrize(
    ("key", "allowed"),
    [
        ("quant.bits", f"{WIDTH}, or 32 to leave the network float"),
        ("quant.bias.bits", WIDTH),
        (f"{OWN}.bits", f"{WIDTH}, or 32 to leave the network float"),
        (f"{OWN}.bias.bits", WIDTH),
    ],
)
def test_any_other_width_is_refused(tmp_path: Path, key: str, allowed: str, bits: object) -> None:
    message = refusal(tmp_path, changed({key: bits}))
    assert message == f"params.yaml: {key}: got {bits!r}; allowed is {allowed}"


def test_a_bias_is_never_left_float_by_itself(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed({"quant.bias.bits": 32}))
    assert message == f"params.yaml: quant.bias.bits: got 32; allowed is {WIDTH}"


BAD_SPANS = [
    *([1, 1], [1, -1], [0, 0], [0.5, 1], [-2, -1]),
    *([-math.inf, 1], [-1, math.inf], [math.nan, 1], [-1, math.nan]),
    *([], [1], [-1, 0, 1], [-1, "a"], [-1, None], [-1, True], [[-1], [1]]),
    *("max", "MINMAX", 5, None, True, {"hi": 1, "lo": -1}),
]


@pytest.mark.parametrize("span", BAD_SPANS, ids=repr)
@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("quant.range", "minmax, mse, or"),
        ("quant.bias.range", "minmax, or"),
        (f"{OWN}.range", "minmax, mse, or"),
    ],
)
def test_any_other_range_is_refused(tmp_path: Path, key: str, words: str, span: object) -> None:
    message = refusal(tmp_path, changed({key: span}))
    assert message.startswith(f"params.yaml: {key}: got {span!r}; allowed is {words} {SPAN}")


def test_the_range_of_a_bias_is_not_searched_for(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed({"quant.bias.range": "mse"}))
    assert message.startswith("params.yaml: quant.bias.range: got 'mse'; allowed is minmax, or")


@pytest.mark.parametrize("margin", [[0.1, 0], [0, 0.1]], ids=repr)
@pytest.mark.parametrize("span", ["mse", [-1.0, 1.0]], ids=repr)
def test_a_margin_is_refused_where_no_range_is_measured(
    tmp_path: Path, margin: list[float], span: object
) -> None:
    message = refusal(tmp_path, changed({"quant.range": span, "quant.margin": margin}))
    shown = [float(part) for part in margin]
    assert message.startswith(f"params.yaml: quant.margin: got {shown} with range {span!r}; ")
    assert "set range: minmax" in message


@pytest.mark.parametrize(
    "margin",
    [[-0.1, 0], [0, 10.1], [0, math.nan], [math.inf, 0], [0, "1"], [0, True], 0, "0", None],
    ids=repr,
)
def test_any_other_margin_is_refused(tmp_path: Path, margin: object) -> None:
    message = refusal(tmp_path, changed({"quant.range": "minmax", "quant.margin": margin}))
    assert message.startswith("params.yaml: quant.margin: got ")
    assert "allowed is [below, above], fractions of the range from 0 to 10" in message


@pytest.mark.parametrize("margin", [[], [0.1], [0, 0, 0]], ids=repr)
def test_a_margin_of_another_length_is_shown_as_it_is(tmp_path: Path, margin: list[float]) -> None:
    message = refusal(tmp_path, changed({"quant.range": "minmax", "quant.margin": margin}))
    assert message.startswith(f"params.yaml: quant.margin: got {margin!r}; allowed is [below, abov")


@pytest.mark.parametrize("own", [False, True])
def test_per_channel_is_refused_without_symmetric(tmp_path: Path, own: bool) -> None:
    where = OWN if own else "quant"
    document = changed({"quant.scheme": "asymmetric", f"{where}.granularity": "per_channel"})
    message = refusal(tmp_path, document)
    assert message.startswith(
        f"params.yaml: {where}.granularity: got per_channel with scheme asymmetric; "
    )
    assert "set scheme: symmetric" in message


@pytest.mark.parametrize(
    "gate", [math.nan, math.inf, 0, -0.01, "0.01", True, None, [0.01]], ids=repr
)
def test_a_gate_that_is_no_positive_number_is_refused(tmp_path: Path, gate: object) -> None:
    message = refusal(tmp_path, changed({"gates.mse_increase": gate}))
    assert message == (
        f"params.yaml: gates.mse_increase: got {gate!r}; "
        "allowed is a positive fraction of the float model's MSE"
    )


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [
        ("split.test_size", 0, "a fraction between 0 and 1"),
        ("split.test_size", 1, "a fraction between 0 and 1"),
        ("split.test_size", "0.2", "a fraction between 0 and 1"),
        ("split.test_size", math.nan, "a fraction between 0 and 1"),
        ("split.random_state", -1, "an integer from 0 to 2^32 - 1"),
        ("split.random_state", 2**32, "an integer from 0 to 2^32 - 1"),
        ("split.random_state", None, "an integer from 0 to 2^32 - 1"),
        ("quant.scheme", "affine", "asymmetric or symmetric"),
        ("quant.scheme", None, "asymmetric or symmetric"),
        ("quant.granularity", "per_row", "per_tensor, per_channel (with scheme: symmetric)"),
        ("quant.rounding", "stochastic", "nearest, gptq or exact"),
        ("quant.rounding", 1, "nearest, gptq or exact"),
        ("quant.bias", 8, "a mapping with bits and range"),
        ("quant.bias", None, "a mapping with bits and range"),
        ("quant", "uint8", "a mapping"),
        ("split", [0.2, 42], "a mapping with test_size and random_state"),
        ("gates", None, "a mapping; see params.yaml"),
        ("systems", None, "a mapping from a system's name to data, model, train, quant"),
        ("systems", {}, "a mapping from a system's name to data, model, train, quant"),
        ("systems", ["diabetes"], "a mapping from a system's name to data, model, train, quant"),
        (f"systems.{TABLE}", None, "a mapping of data, model, train, quant"),
        (f"systems.{TABLE}.data", "nosuch", "diabetes"),
        (f"systems.{TABLE}.data", None, "diabetes"),
        (f"systems.{TABLE}.model", "linear", "a mapping"),
        (f"systems.{TABLE}.model.standardize", "yes", "true or false"),
        (f"systems.{TABLE}.model.standardize", 2, "true or false"),
        (f"systems.{TABLE}.quant", None, "a mapping of any keys of quant, or {}"),
        (f"systems.{TABLE}.quant", 8, "a mapping of any keys of quant, or {}"),
        (f"{OWN}.scheme", "affine", "asymmetric or symmetric"),
        (f"{OWN}.bias", None, "a mapping with bits and range"),
    ],
    ids=repr,
)
def test_a_value_of_the_wrong_kind_is_named_shown_and_answered(
    tmp_path: Path, key: str, value: object, allowed: str
) -> None:
    message = refusal(tmp_path, changed({key: value}))
    assert message.startswith(f"params.yaml: {key}: got {value!r}; allowed is {allowed}")


@pytest.mark.parametrize("document", [None, 5, "text", [1, 2]], ids=repr)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, document: object) -> None:
    message = refusal(tmp_path, yaml.safe_dump(document))
    assert message.startswith(f"params.yaml: the file: got {document!r}; allowed is a mapping of ")


UNKNOWN = [
    ("quants", "quant"),
    ("trains", "train"),
    ("split.test_sise", "test_size"),
    ("train.epoch", "epochs"),
    ("train.noise.shares", "share"),
    ("train.augment.rotate", "rotation"),
    ("quant.bit", "bits"),
    ("quant.activation", "activations"),
    ("quant.bias.rang", "range"),
    ("quant.calibration.image", "images"),
    ("gates.mse_increas", "mse_increase"),
    ("gates.acuracy_decrease", "accuracy_decrease"),
    (f"systems.{TABLE}.dat", "data"),
    (f"systems.{TABLE}.trian", "train"),
    (f"systems.{TABLE}.model.standardise", "standardize"),
    (f"systems.{IMAGES}.model.layer", "layers"),
    (f"systems.{IMAGES}.model.bugdet", "budget"),
    (f"{place('conv')}.chanels", "channels"),
    (f"{LAYERS}[3].kernl", "kernel"),
    (f"{place('max_pool')}.windoow", "window"),
    (f"{place('linear')}.output", "outputs"),
]
UNKNOWN_OF_ITS_OWN = [
    (f"{OWN}.roundin", "rounding"),
    (f"{OWN}.bias.bitts", "bits"),
    (f"{OWN}.calibration.seeds", "seed"),
    (f"{OWN_TRAIN}.epoch", "epochs"),
    (f"{OWN_TRAIN}.noise.stdd", "std"),
    (f"{OWN_TRAIN}.augment.scael", "scale"),
]


@pytest.mark.parametrize(("key", "meant"), UNKNOWN + UNKNOWN_OF_ITS_OWN)
def test_an_unknown_key_is_answered_with_the_nearest_right_one(
    tmp_path: Path, key: str, meant: str
) -> None:
    message = refusal(tmp_path, changed({key: 1}))
    start = f"params.yaml: {key}: no such key (did you mean {meant}?); allowed are "
    assert message.startswith(start)
    assert meant in message.removeprefix(start)


@pytest.mark.parametrize(("key", "meant"), UNKNOWN)
def test_a_misspelt_key_is_not_reported_as_a_missing_one(
    tmp_path: Path, key: str, meant: str
) -> None:
    right = ".".join([*key.split(".")[:-1], meant])
    message = refusal(tmp_path, changed({right: ABSENT, key: value_at(right)}))
    assert message.startswith(f"params.yaml: {key}: no such key (did you mean {meant}?); ")


def test_an_unknown_key_like_no_other_is_answered_with_all(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed({"quant.bias.xyzzy": 1}))
    assert message == "params.yaml: quant.bias.xyzzy: no such key; allowed are bits, range"


def is_required(key: str) -> bool:
    """Not an entry of a list or mapping that holds any number, nor a key of a system's own."""
    _, *below = parts(key)
    entry = key.startswith("systems.") and (len(below) == 1 or isinstance(below[-1], int))
    return not entry and not (below[1:2] in (["train"], ["quant"], ["gates"]) and len(below) > 2)


REQUIRED = [key for key in keys(REAL) if is_required(key)]


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    message = refusal(tmp_path, changed({key: ABSENT}))
    verb = "are" if parts(key)[-1] == "kind" else "is"
    assert message.startswith(f"params.yaml: {key}: missing; allowed {verb} ")


def test_what_must_be_there_is_most_of_the_file() -> None:
    expected = {"train.noise.std", "quant.calibration", "gates.accuracy_decrease", "systems"}
    expected |= {f"{place('conv')}.channels", f"{place('conv')}.kind", f"systems.{IMAGES}.train"}
    assert expected <= set(REQUIRED)


@pytest.mark.parametrize("key", ["quant.a\nb", "gates.a\nb", f"{OWN}.a\u2028b"], ids=repr)
def test_a_key_with_a_line_break_does_not_break_the_line(tmp_path: Path, key: str) -> None:
    section = key.rpartition(".")[0]
    assert refusal(tmp_path, changed({key: 1})).startswith(f"params.yaml: {section}.")


@pytest.mark.parametrize("name", [1, True, None], ids=repr)
def test_a_systems_name_that_is_no_text_is_refused_as_a_name(tmp_path: Path, name: object) -> None:
    document = copy.deepcopy(REAL)
    document["systems"][name] = document["systems"][TABLE]
    message = refusal(tmp_path, document)
    assert message.startswith("params.yaml: systems")
    assert f"got {name!r}" in message
    assert "name" in message.partition("allowed")[2]


@pytest.mark.parametrize(
    "text",
    [
        "quant: [8",
        "quant: {bits: 8",
        "\tquant: 8",
        "a: 1\n---\nb: 2\n",
        "a: *nowhere",
        "a: !!python/object/apply:os.mkdir [pwned]",
        "quant: \x00",
        "a: '\n\n\n",
    ],
    ids=repr,
)
def test_a_file_that_is_not_yaml_is_refused(tmp_path: Path, text: str) -> None:
    assert refusal(tmp_path, text).startswith("params.yaml: not YAML: ")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize(
    "text",
    ["a: 2001-13-45", "a: 0b_", f"a: {'9' * 5000}", f"quant: 0x{'f' * 5000}", "[" * 5000],
    ids=["no date", "no number", "long number", "long hexadecimal", "deep"],
)
def test_yaml_that_python_cannot_hold_is_refused(tmp_path: Path, text: str) -> None:
    refusal(tmp_path, text)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "params.yaml").write_bytes(b"\xff\xfe\x00quant")
    with contextlib.chdir(tmp_path), pytest.raises(OctetError) as caught:
        load_params()
    assert str(caught.value).startswith("params.yaml: not YAML: ")
    assert_one_line(str(caught.value))


def test_no_file_at_all_is_answered_with_where_to_go(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path), pytest.raises(OctetError) as caught:
        load_params()
    assert str(caught.value) == ("params.yaml: no such file; run from the top of the repository")
