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
    DOCUMENT,
    IMAGES,
    LAYERS,
    TABLE,
    assert_one_line,
    changed,
    keys,
    load,
    parts,
    place,
    refusal,
    value_at,
)

OWN, TRAIN, QUANT = f"systems.{TABLE}.quant", f"systems.{IMAGES}.train", f"systems.{IMAGES}.quant"
MODEL, CONV, POOL = f"systems.{IMAGES}.model", place("conv"), place("max_pool")
DENSE = place("linear")

WIDTH = "an integer from 2 to 16"
SPAN = "[lo, hi] with lo < hi and 0 between them"
SEED = "an integer from 0 to 2^32 - 1"
SHARE = "a fraction of each batch, from 0 to 1"
SIZE = "an integer from 1 to 4096"
SIDES = "an integer from 1 to 99, or [height, width] of such"
BORDERS = "an integer from 0 to 99, or [top, left, bottom, right] of such"
NO_NUMBER = ["0.1", True, None, math.nan]
NO_WHOLE = [1.5, "3", True, None]

# For each key values that are refused, each shown as it is, and the beginning of what is allowed.
BAD: dict[str, tuple[list[object], str]] = {
    "split": ([[0.2, 42]], "a mapping with test_size and random_state"),
    "split.test_size": ([0, 1, *NO_NUMBER], "a fraction between 0 and 1"),
    "split.random_state": ([-1, 2**32, *NO_WHOLE], SEED),
    "train": ([5, None, []], "a mapping"),
    "train.device": (["gpu", None], "auto, cpu or cuda"),
    "train.seed": ([-1, 2**32, 1.5], SEED),
    "train.epochs": ([0, *NO_WHOLE], "an integer from 1"),
    "train.batch": ([1, 2.5], "an integer from 2"),
    "train.learning_rate": ([0, 1e39, *NO_NUMBER], "a positive number"),
    "train.warm_up": ([0, 1, "0.1"], "a fraction of all steps, between 0 and 1"),
    "train.label_smoothing": ([1, -0.1], "a number from 0 to below 1"),
    "train.noise": ([0.3, None], "a mapping with share and std"),
    "train.noise.share": ([-0.1, 1.1, *NO_NUMBER], SHARE),
    "train.noise.std": ([-0.1, 10.1], "a number from 0 to 10"),
    "train.augment": ([0.3], "a mapping"),
    "train.augment.share": ([1.1], SHARE),
    "train.augment.rotation": ([-1, 181], "degrees either way, from 0 to 180"),
    "train.augment.translation": ([-0.1, 1], "a fraction of the side, from 0 to below 1"),
    "train.augment.scale": ([-0.1, 1], "a fraction either way, from 0 to below 1"),
    "train.augment.perspective": ([-0.1, 1], "a distortion from 0 to below 1"),
    "train.augment.crop": ([-0.1, 1], "a fraction of the side, from 0 to below 1"),
    "quant": (["uint8"], "a mapping"),
    "quant.bits": (
        [0, 1, 17, 31, 33, 10**30, 8.5, [8], True, "8", None],
        f"{WIDTH}, or 32 to leave the network float",
    ),
    "quant.bias": ([8, None], "a mapping with bits and range"),
    "quant.bias.bits": ([1, 17, 32, True], WIDTH),
    "quant.range": (
        [[1, 1], [0.5, 1], [-math.inf, 1], [math.nan, 1], [-1, 0, 1], [-1, "a"], "max", None],
        f"minmax, mse, or {SPAN}",
    ),
    "quant.bias.range": (["mse", [1, -1]], f"minmax, or {SPAN}"),
    "quant.scheme": (["affine", None], "asymmetric or symmetric"),
    "quant.granularity": (["per_row"], "per_tensor, per_channel (with scheme: symmetric)"),
    "quant.rounding": (["stochastic", 1], "nearest, gptq or exact"),
    "quant.margin": ([0, [], [0.1], [0, 0, 0]], "[below, above], fractions of the range from 0"),
    "quant.activations": (["int8", True], "none (weights only) or uint8"),
    "quant.calibration": ([1000, None], "a mapping with rows, seed and range"),
    "quant.calibration.rows": ([0, 1.5], "an integer from 1 to the number of training rows"),
    "quant.calibration.seed": ([-1, 2**32], SEED),
    "quant.calibration.range": (["max", [0, 1]], "minmax, percentile or mse"),
    "gates": ([None], "a mapping; see params.yaml"),
    "gates.mse_increase": (
        [0, math.inf, *(each for each in NO_NUMBER if each is not None)],
        "a positive fraction of the float model's MSE, or null to judge rows alone",
    ),
    "gates.worse_by": (
        [0, math.inf, *NO_NUMBER],
        "a positive fraction of the float model's median",
    ),
    "gates.worse_share": ([0, 1], "a fraction of the test rows, between 0 and 1"),
    "gates.accuracy_decrease": ([0, 1], "a fraction of the test rows, between 0 and 1"),
    "gates.accuracy": ([-0.1, 1.1], "the least accuracy, from 0 to 1"),
    "sweep.bits": ([[], 8, None], "a list of integers from 2 to 8"),
    "sweep.roundings": ([[], "exact"], "a list of nearest, gptq and exact"),
    "systems": ([None, {}, ["diabetes"]], "a mapping from a system's name to data, model, train"),
    f"systems.{TABLE}": ([None], "a mapping of data, model, train, quant"),
    f"systems.{TABLE}.data": (["nosuch", None, ["digits"]], "diabetes or california_housing or "),
    f"systems.{TABLE}.quant": ([None, 8], "a mapping of any keys of quant, or {}"),
    f"systems.{TABLE}.train": ([None, []], "a mapping of any keys of train, or {}"),
    f"systems.{TABLE}.model": (["linear"], "a mapping with kind: linear, logistic, ridge, network"),
    f"systems.{TABLE}.model.standardize": (["yes", 2], "true or false"),
    f"{OWN}.bits": ([17], f"{WIDTH}, or 32"),
    f"{OWN}.bias.bits": ([1], WIDTH),
    f"{OWN}.range": ([[1, 1]], "minmax, mse, or"),
    f"{OWN}.bias": ([None], "a mapping with bits and range"),
    f"{TRAIN}.epochs": ([0], "an integer from 1"),
    f"{TRAIN}.noise": ([0.3], "a mapping with share and std"),
    f"{TRAIN}.augment.crop": ([2], "a fraction of the side"),
    f"{MODEL}.budget": ([0, 1.5], "an integer"),
    LAYERS: ([5, "conv", {}, []], "a list of 1 to 400 layers"),
    f"{CONV}.channels": ([0, 4097, *NO_WHOLE], SIZE),
    f"{CONV}.kernel": ([0, 100, 1.5, [3], [3, 3, 3], "3"], SIDES),
    f"{CONV}.stride": ([0, [1, 1, 1]], SIDES),
    f"{CONV}.padding": ([-1, [1, 1]], BORDERS),
    f"{CONV}.groups": ([0, 1.5], SIZE),
    f"{CONV}.relu": ([2, "yes"], "true or false"),
    f"{CONV}.name": ([5, "a b"], "letters, digits, - and _, as text"),
    f"{CONV}.inputs": (["a", ["a", "b"]], "a list of one name, of a layer before this one"),
    f"{POOL}.side": ([0, 1.5], SIDES),
    f"{DENSE}.outputs": ([0, 4097], SIZE),
    f"{LAYERS}[3].channels": ([-8], SIZE),
}


@pytest.mark.parametrize("key", BAD)
def test_a_bad_value_is_named_shown_and_answered(tmp_path: Path, key: str) -> None:
    values, allowed = BAD[key]
    for value in values:
        message = refusal(tmp_path, changed({key: value}))
        assert message.startswith(f"params.yaml: {key}: got {value!r}; allowed is {allowed}")


def layer(**fields: object) -> dict[str, object]:
    """A change of the fourth layer, a convolution."""
    return {f"{LAYERS}[3]": fields}


MODEL_KINDS = "linear, logistic, ridge, network, onnx, given"
LAYER_KINDS = (
    "conv, max_pool, average_pool, global_average_pool, add, relu, leaky_relu, clip, sigmoid, "
    "tanh, softmax, pad, flatten, reshape, linear"
)
ADD = {"kind": "add", "inputs": ["a", "b"]}
# Changes that break a rule of several keys, and the beginning of what is said.
BROKEN: list[tuple[dict[str, object], str]] = [
    (
        {"quant.range": "mse", "quant.margin": [0.1, 0]},
        "quant.margin: got [0.1, 0.0] with range 'mse'; a margin widens the range of the weights: "
        "set range: minmax",
    ),
    (
        {"quant.range": [-1.0, 1.0], f"{OWN}.margin": [0, 1]},
        f"{OWN}.margin: got [0.0, 1.0] with range [-1.0, 1.0]; ",
    ),
    (
        {"quant.scheme": "asymmetric", "quant.granularity": "per_channel"},
        "quant.granularity: got per_channel with scheme asymmetric; a scale per channel needs one "
        "zero point for all: set scheme: symmetric",
    ),
    ({f"{OWN}.range": [-1e-45, 0.0]}, f"{OWN}.range: got [-1e-45, 0.0], too narrow for a float32"),
    ({f"{OWN}.granularity": "per_channel"}, f"{OWN}.granularity: got per_channel with scheme "),
    ({f"{MODEL}.kind": "cnn"}, f"{MODEL}.kind: got 'cnn'; allowed are {MODEL_KINDS}"),
    ({f"{MODEL}.kind": None}, f"{MODEL}.kind: got None; allowed are {MODEL_KINDS}"),
    ({f"{MODEL}.kind": ABSENT}, f"{MODEL}.kind: missing; allowed are {MODEL_KINDS}"),
    ({MODEL: {}}, f"{MODEL}.kind: missing; allowed are {MODEL_KINDS}"),
    (layer(kind="dense"), f"{LAYERS}[3].kind: got 'dense'; allowed are {LAYER_KINDS}"),
    (layer(kind={}), f"{LAYERS}[3].kind: got {{}}; allowed are {LAYER_KINDS}"),
    (layer(channels=3), f"{LAYERS}[3].kind: missing; allowed are {LAYER_KINDS}"),
    ({f"{LAYERS}[3]": "flatten"}, f"{LAYERS}[3]: got 'flatten'; allowed is a mapping with kind: "),
    ({f"{LAYERS}[3]": [{}]}, f"{LAYERS}[3]: got [{{}}]; allowed is a mapping with kind: "),
    (layer(kind="conv"), f"{LAYERS}[3].channels: missing; allowed is {SIZE} (and 1 more)"),
    (layer(kind="max_pool"), f"{LAYERS}[3].side: missing; allowed is {SIDES}"),
    (layer(kind="add"), f"{LAYERS}[3].inputs: missing; allowed is a list of two names, of layers"),
    (layer(kind="relu", side=2), f"{LAYERS}[3].side: no such key; allowed are kind, name, inputs"),
    (
        layer(kind="conv", channels=1, kernel=3, padding=3),
        f"{LAYERS}[3]: got a window of 3 by 3 with stride (1, 1) and padding (3, 3, 3, 3); ",
    ),
    (
        layer(kind="max_pool", side=[2, 3], padding=[0, 3, 0, 0]),
        f"{LAYERS}[3]: got a window of 2 by 3 with stride (2, 3) and padding (0, 3, 0, 0); ",
    ),
    (
        layer(kind="conv", channels=6, kernel=3, groups=4),
        f"{LAYERS}[3].groups: got 4; allowed is what divides channels, 6",
    ),
    (
        layer(kind="clip", low=-1e300),
        f"{LAYERS}[3].low: got -1e+300; allowed is a number from -3e3",
    ),
    (layer(kind="clip", low=6), f"{LAYERS}[3]: got 6 to 6; the first end must be below"),
    (
        layer(**ADD),
        f"{LAYERS}[3].inputs: got 'a'; allowed are the names of what is before it: none has one",
    ),
    (
        {f"{CONV}.name": "a", **layer(**ADD)},
        f"{LAYERS}[3].inputs: got 'b'; allowed are the names of what is before it: a",
    ),
    # Unscaled it is, by its name, and what was trained has the scaler in front.
    (
        layer(kind="relu", inputs=["input"]),
        f"{LAYERS}[3].inputs: got 'input'; allowed are the names of what is before it: none has",
    ),
    (
        {f"{CONV}.name": "a", **layer(kind="relu", name="a")},
        f"{LAYERS}[3].name: got 'a', which is taken; choose another",
    ),
    ({f"{CONV}.name": "input"}, f"{LAYERS}[0].name: got 'input', which is taken; choose another"),
    (layer(kind="softmax"), f"{LAYERS}[3].kind: got softmax; only the last layer can be one"),
    (
        {f"{CONV}.name": "a", **layer(kind="relu", inputs=["a"])},
        f"{LAYERS}[2]: nothing takes what it gives: name it among the inputs of a later layer",
    ),
    ({f"{MODEL}.standardize": True}, f"{MODEL}.standardize: no such key; allowed are kind, bud"),
    (
        {f"systems.{TABLE}.model.budget": 9},
        f"systems.{TABLE}.model.budget: no such key; allowed are kind, standardize",
    ),
    ({"quant.bias.xyzzy": 1}, "quant.bias.xyzzy: no such key; allowed are bits, range"),
    ({"quant.a\nb": 1}, "quant.a"),
    ({f"{OWN}.a\u2028b": 1}, f"{OWN}.a"),
    ({f"systems.{TABLE}.quant": {3: 4}}, f"systems.{TABLE}.quant"),
    (
        {
            LAYERS: [
                {"kind": "conv", "channels": 0, "kernel": 0, "padding": -1},
                {"kind": "conv"},
                {"kind": "flatten"},
            ]
        },
        f"{LAYERS}[0].channels: got 0; allowed is {SIZE} (and 4 more)",
    ),
    (
        {LAYERS: [{"kind": "flatten"}] * 40 + [{"kind": "linear", "outputs": 0}]},
        f"{LAYERS}[40].outputs: got 0; allowed is {SIZE}",
    ),
]


@pytest.mark.parametrize(("values", "start"), BROKEN, ids=[start for _, start in BROKEN])
def test_a_broken_rule_is_named_and_answered(
    tmp_path: Path, values: dict[str, object], start: str
) -> None:
    assert refusal(tmp_path, changed(values)).startswith(f"params.yaml: {start}")


# With uint8 activations; said when the system is quantized, for other systems may take it.
NO_INTEGERS: list[tuple[dict[str, object], str]] = [
    ({"bits": 9}, "bits: got 9 with activations uint8; integer inference takes weights of 2 to 8"),
    ({"bits": 16}, "bits: got 16 with activations uint8; "),
    ({"granularity": "unified"}, "granularity: got unified with activations uint8; integer infer"),
    ({"granularity": "per_parameter"}, "granularity: got per_parameter with activations uint8; "),
]


@pytest.mark.parametrize(("own", "start"), NO_INTEGERS)
def test_what_integers_do_not_take_is_refused_for_the_system_that_has_them(
    tmp_path: Path, own: dict[str, object], start: str
) -> None:
    common = {f"quant.{key}": value for key, value in own.items()}
    for values in (
        {QUANT: {"activations": "uint8", **own}},
        {QUANT: {"activations": "uint8"}} | common,
    ):
        loaded = load(tmp_path, changed(values))
        with pytest.raises(OctetError) as caught:
            loaded.quant_of(IMAGES)
        assert_one_line(str(caught.value))
        assert str(caught.value).startswith(f"params.yaml: {QUANT}.{start}")
        loaded.quant_of(TABLE)


@pytest.mark.parametrize("document", [None, 5, "text", [1, 2]], ids=repr)
def test_a_file_that_is_no_mapping_is_refused(tmp_path: Path, document: object) -> None:
    message = refusal(tmp_path, yaml.safe_dump(document))
    assert message.startswith(f"params.yaml: the file: got {document!r}; allowed is a mapping of ")


UNKNOWN = {
    "quants": "quant",
    "split.test_sise": "test_size",
    "train.noise.shares": "share",
    "quant.calibration.row": "rows",
    "gates.mse_increas": "mse_increase",
    f"systems.{TABLE}.dat": "data",
    f"{MODEL}.layer": "layers",
    f"{CONV}.chanels": "channels",
    f"{POOL}.sides": "side",
}
UNKNOWN_OF_ITS_OWN = {f"{OWN}.bias.bitts": "bits", f"{TRAIN}.augment.scael": "scale"}


@pytest.mark.parametrize(("key", "meant"), (UNKNOWN | UNKNOWN_OF_ITS_OWN).items())
def test_an_unknown_key_is_answered_with_the_nearest_right_one(
    tmp_path: Path, key: str, meant: str
) -> None:
    start = f"params.yaml: {key}: no such key (did you mean {meant}?); allowed are "
    assert refusal(tmp_path, changed({key: 1})).startswith(start)
    if key in UNKNOWN:  # nor is it reported as a missing one
        right = ".".join([*key.split(".")[:-1], meant])
        message = refusal(tmp_path, changed({right: ABSENT, key: value_at(right)}))
        assert message.startswith(start)


def is_required(key: str) -> bool:
    """Not an entry of a list or mapping that holds any number, nor what may be left out."""
    _, *below = parts(key)
    entry = key.startswith("systems.") and (len(below) == 1 or isinstance(below[-1], int))
    own = below[1:2] in (["train"], ["quant"], ["gates"]) and len(below) > 2
    return not entry and not own and below[-1:] != ["padding"]


def test_a_missing_key_is_named(tmp_path: Path) -> None:
    required = [key for key in keys(DOCUMENT) if is_required(key)]
    # One system of each kind is enough.
    kept = (f"systems.{TABLE}.", f"systems.{IMAGES}.")
    required = [key for key in required if not key.startswith("systems.") or key.startswith(kept)]
    assert {"train.noise.std", f"{CONV}.channels", f"{CONV}.kind", "systems"} <= set(required)
    for key in required:
        message = refusal(tmp_path, changed({key: ABSENT}))
        verb = "are" if parts(key)[-1] == "kind" else "is"
        assert message.startswith(f"params.yaml: {key}: missing; allowed {verb} ")


@pytest.mark.parametrize("name", [1, True, None, "a b", "../x"], ids=repr)
def test_a_systems_name_that_is_no_plain_text_is_refused_as_a_name(
    tmp_path: Path, name: object
) -> None:
    document = copy.deepcopy(DOCUMENT)
    document["systems"][name] = document["systems"][TABLE]
    message = refusal(tmp_path, document)
    assert message.startswith(
        f"params.yaml: systems: got {name!r}; allowed is a name of up to 64 letters"
    )


@pytest.mark.parametrize(
    "text",
    [
        *("quant: [8", "quant: {bits: 8", "\tquant: 8", "a: 1\n---\nb: 2\n", "a: *nowhere"),
        *("a: !!python/object/apply:os.mkdir [pwned]", "quant: \x00", "a: '\n\n\n"),
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
    assert str(caught.value) == "params.yaml: no such file; run from the top of the repository"
