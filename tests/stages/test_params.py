"""params.yaml: what is allowed is taken, everything else is one line that says what to mend."""

import contextlib
import copy
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from stages import params
from stages.params import Params, Quant

TEXT = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")
REAL = yaml.safe_load(TEXT)
SYSTEM = next(iter(REAL["systems"]))
OWN = f"systems.{SYSTEM}.quant"
ABSENT = object()

WIDTH = "an integer from 2 to 16"
SPAN = "[lo, hi] with lo < hi and 0 between them"


def load(folder: Path, document: object) -> Params:
    """What a stage makes of this params.yaml; text is taken as it is."""
    text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
    (folder / "params.yaml").write_text(text, encoding="utf-8")
    with contextlib.chdir(folder):
        return params.load()


def refusal(folder: Path, document: object) -> str:
    with pytest.raises(OctetError) as caught:
        load(folder, document)
    message = str(caught.value)
    assert_one_line(message)
    return message


def assert_one_line(message: str) -> None:
    assert message.splitlines() == [message]
    assert message.startswith("params.yaml")


def changed(values: dict[str, object]) -> dict[str, Any]:
    """The real params.yaml with other values; ABSENT takes a key away."""
    document = copy.deepcopy(REAL)
    for key, value in values.items():
        *path, last = key.split(".")
        section = document
        for name in path:
            section = section.setdefault(name, {})
        if value is ABSENT:
            del section[last]
        else:
            section[last] = value
    return document


def keys(section: dict[str, Any], above: str = "") -> Iterator[str]:
    """Every key of a document with the path that leads to it."""
    for name, value in section.items():
        yield above + name
        if isinstance(value, dict):
            yield from keys(value, f"{above}{name}.")


REQUIRED = [key for key in keys(REAL) if key not in {f"systems.{name}" for name in REAL["systems"]}]


def test_the_real_file_says_what_it_says(tmp_path: Path) -> None:
    loaded = load(tmp_path, TEXT)
    assert loaded.split.test_size == REAL["split"]["test_size"]
    assert loaded.split.random_state == REAL["split"]["random_state"]
    assert loaded.gates.mse_increase == REAL["gates"]["mse_increase"]
    assert list(loaded.systems) == list(REAL["systems"])
    for name, system in REAL["systems"].items():
        assert loaded.system(name).data == system["data"]
        assert loaded.system(name).model.model_dump() == system["model"]


@pytest.mark.parametrize("bits", [*range(2, 17), 32])
def test_every_width_from_2_to_16_and_32_is_allowed(tmp_path: Path, bits: int) -> None:
    assert load(tmp_path, changed({"quant.bits": bits})).quant.bits == bits


BAD_BITS = [0, 1, 17, 31, 33, -8, 10**30, 8.5, 8.0, math.nan, [8], [2, 4, 8], True, "8", None, {}]


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


@pytest.mark.parametrize("span", [[-1, 1], [-0.5, 2.5], [0, 1], [-1, 0], [-1, 1e300]], ids=repr)
@pytest.mark.parametrize("key", ["quant.range", "quant.bias.range"])
def test_an_explicit_range_that_holds_zero_is_allowed(
    tmp_path: Path, key: str, span: list[float]
) -> None:
    quant = load(tmp_path, changed({"quant.margin": [0, 0], key: span})).quant
    assert (quant.range if key == "quant.range" else quant.bias.range) == tuple(span)


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


def test_a_margin_goes_with_minmax(tmp_path: Path) -> None:
    document = changed({"quant.range": "minmax", "quant.margin": [0.1, 10]})
    assert load(tmp_path, document).quant.margin == (0.1, 10)


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


def test_per_channel_goes_with_symmetric(tmp_path: Path) -> None:
    document = changed({"quant.scheme": "symmetric", "quant.granularity": "per_channel"})
    assert load(tmp_path, document).quant.granularity == "per_channel"


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
        ("split.random_state", 42.0, "an integer from 0 to 2^32 - 1"),
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
        ("gates", None, "a mapping with mse_increase"),
        ("systems", None, "a mapping from a system's name to data, model and quant"),
        ("systems", {}, "a mapping from a system's name to data, model and quant"),
        ("systems", ["diabetes"], "a mapping from a system's name to data, model and quant"),
        (f"systems.{SYSTEM}", None, "a mapping of data, model, quant"),
        (f"systems.{SYSTEM}.data", "nosuch", "diabetes"),
        (f"systems.{SYSTEM}.data", None, "diabetes"),
        (f"systems.{SYSTEM}.model", "linear", "a mapping"),
        (f"systems.{SYSTEM}.model.standardize", "yes", "true or false"),
        (f"systems.{SYSTEM}.model.standardize", 1, "true or false"),
        (f"systems.{SYSTEM}.quant", None, "a mapping of any keys of quant, or {}"),
        (f"systems.{SYSTEM}.quant", 8, "a mapping of any keys of quant, or {}"),
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
    ("split.test_sise", "test_size"),
    ("quant.bit", "bits"),
    ("quant.bias.rang", "range"),
    ("gates.mse_increas", "mse_increase"),
    (f"systems.{SYSTEM}.dat", "data"),
    (f"systems.{SYSTEM}.model.standardise", "standardize"),
    (f"{OWN}.roundin", "rounding"),
    (f"{OWN}.bias.bitts", "bits"),
]


@pytest.mark.parametrize(("key", "meant"), UNKNOWN)
def test_an_unknown_key_is_answered_with_the_nearest_right_one(
    tmp_path: Path, key: str, meant: str
) -> None:
    message = refusal(tmp_path, changed({key: 1}))
    start = f"params.yaml: {key}: no such key (did you mean {meant}?); allowed are "
    assert message.startswith(start)
    assert meant in message.removeprefix(start)


@pytest.mark.parametrize(("key", "meant"), [pair for pair in UNKNOWN if OWN not in pair[0]])
def test_a_misspelt_key_is_not_reported_as_a_missing_one(
    tmp_path: Path, key: str, meant: str
) -> None:
    right = ".".join([*key.split(".")[:-1], meant])
    value = yaml.safe_load(TEXT)
    for name in right.split("."):
        value = value[name]
    message = refusal(tmp_path, changed({right: ABSENT, key: value}))
    assert message.startswith(f"params.yaml: {key}: no such key (did you mean {meant}?); ")


def test_an_unknown_key_like_no_other_is_answered_with_all(tmp_path: Path) -> None:
    message = refusal(tmp_path, changed({"quant.bias.xyzzy": 1}))
    assert message == "params.yaml: quant.bias.xyzzy: no such key; allowed are bits, range"


@pytest.mark.parametrize("key", REQUIRED)
def test_a_missing_key_is_named(tmp_path: Path, key: str) -> None:
    message = refusal(tmp_path, changed({key: ABSENT}))
    assert message.startswith(f"params.yaml: {key}: missing; allowed is ")


@pytest.mark.parametrize("key", ["quant.a\nb", "gates.a\nb", f"{OWN}.a\u2028b"], ids=repr)
def test_a_key_with_a_line_break_does_not_break_the_line(tmp_path: Path, key: str) -> None:
    section = key.rpartition(".")[0]
    assert refusal(tmp_path, changed({key: 1})).startswith(f"params.yaml: {section}.")


@pytest.mark.parametrize("name", [1, True, None], ids=repr)
def test_a_systems_name_that_is_no_text_is_refused_as_a_name(tmp_path: Path, name: object) -> None:
    document = copy.deepcopy(REAL)
    document["systems"][name] = document["systems"][SYSTEM]
    message = refusal(tmp_path, document)
    assert message.startswith("params.yaml: systems")
    assert f"got {name!r}" in message
    assert "name" in message.partition("allowed")[2]


def test_a_system_that_is_not_there_is_answered_with_the_nearest_and_all(tmp_path: Path) -> None:
    loaded = load(tmp_path, TEXT)
    with pytest.raises(OctetError) as caught:
        loaded.system(f"{SYSTEM}s")
    every = ", ".join(sorted(REAL["systems"]))
    assert str(caught.value) == (
        f"params.yaml: systems: got '{SYSTEM}s' (did you mean {SYSTEM}?); allowed are {every}"
    )


def test_a_system_like_no_other_is_answered_with_all(tmp_path: Path) -> None:
    with pytest.raises(OctetError) as caught:
        load(tmp_path, TEXT).system("xyzzy\n")
    every = ", ".join(sorted(REAL["systems"]))
    assert str(caught.value) == f"params.yaml: systems: got 'xyzzy\\n'; allowed are {every}"


def test_a_system_has_its_own_keys_over_the_common_ones(tmp_path: Path) -> None:
    document = changed({OWN: {"bits": 4, "bias": {"bits": 6}}, "quant.bits": 8})
    loaded = load(tmp_path, document)
    own, common = loaded.quant_of(SYSTEM), loaded.quant
    assert (own.bits, own.bias.bits) == (4, 6)
    assert own.bias.range == common.bias.range
    assert own.model_copy(update={"bits": 8, "bias": common.bias}) == common
    other = next(name for name in loaded.systems if name != SYSTEM)
    assert loaded.quant_of(other) == common


def test_a_system_without_keys_of_its_own_has_the_common_ones(tmp_path: Path) -> None:
    loaded = load(tmp_path, changed({OWN: {}}))
    assert loaded.quant_of(SYSTEM) == loaded.quant


def test_a_range_of_ones_own_replaces_the_common_one_whole(tmp_path: Path) -> None:
    document = changed({"quant.range": [-9, 9], "quant.margin": [0, 0], OWN: {"range": [-1, 2]}})
    loaded = load(tmp_path, document)
    assert loaded.quant.range == (-9, 9)
    assert loaded.quant_of(SYSTEM).range == (-1, 2)


def test_an_error_in_any_systems_own_keys_shows_at_once(tmp_path: Path) -> None:
    last = list(REAL["systems"])[-1]
    message = refusal(tmp_path, changed({f"systems.{last}.quant.bits": 17}))
    assert message.startswith(f"params.yaml: systems.{last}.quant.bits: got 17; allowed is ")


def test_a_rule_broken_only_together_with_the_common_keys_is_named(tmp_path: Path) -> None:
    document = changed({"quant.range": "mse", f"{OWN}.margin": [1, 1]})
    message = refusal(tmp_path, document)
    assert message.startswith(f"params.yaml: {OWN}.margin: got [1.0, 1.0] with range 'mse'; ")


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
        params.load()
    assert str(caught.value).startswith("params.yaml: not YAML: ")
    assert_one_line(str(caught.value))


def test_no_file_at_all_is_answered_with_where_to_go(tmp_path: Path) -> None:
    with contextlib.chdir(tmp_path), pytest.raises(OctetError) as caught:
        params.load()
    assert str(caught.value) == ("params.yaml: no such file; run from the top of the repository")


WORDS = [
    *("minmax", "mse", "asymmetric", "symmetric", "per_channel", "unified", "nearest", "exact"),
    *("linear", "diabetes", "california_housing", "bits", "range", "bias", "margin", "quant"),
]
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 33)
    | st.floats()
    | st.floats(-2, 2)
    | st.text(max_size=8)
    | st.sampled_from(WORDS)
)
NAMES = st.sampled_from(WORDS) | st.text(max_size=8) | st.text("ab.\n\r\x85\u2028", max_size=4)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.tuples(inner, inner).map(list)
        | st.dictionaries(NAMES, inner, max_size=3)
    ),
    max_leaves=6,
)
KEYS = st.sampled_from([*keys(REAL), *(f"{OWN}.{key}" for key in keys(REAL["quant"]))])


@settings(deadline=None, derandomize=True, max_examples=300)
@given(key=KEYS, value=VALUES)
def test_any_value_at_any_key_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    taken_or_refused(tmp_path_factory.getbasetemp(), changed({key: value}))


@settings(deadline=None, derandomize=True, max_examples=100)
@given(
    section=st.sampled_from([key for key in keys(REAL) if "." in key]),
    key=NAMES | st.integers() | st.booleans() | st.none(),
    value=VALUES,
)
def test_any_new_key_anywhere_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, section: str, key: object, value: object
) -> None:
    document = copy.deepcopy(REAL)
    inner = document
    for name in section.split(".")[:-1]:
        inner = inner[name]
    inner[key] = value
    taken_or_refused(tmp_path_factory.getbasetemp(), document)


def taken_or_refused(folder: Path, document: object) -> None:
    try:
        loaded = load(folder, document)
    except OctetError as error:
        assert_one_line(str(error))
    else:
        assert all(isinstance(loaded.quant_of(name), Quant) for name in loaded.systems)
