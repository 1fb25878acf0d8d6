"""params.yaml: what image systems are, how they are trained, and what of it is refused."""

import math
from pathlib import Path

import pytest

from octet.errors import OctetError
from tests.stages.documents import (
    ABSENT,
    IMAGES,
    LAYERS,
    TABLE,
    assert_one_line,
    changed,
    load,
    place,
    refusal,
)

MODEL = f"systems.{IMAGES}.model"
QUANT = f"systems.{IMAGES}.quant"
TRAIN = f"systems.{IMAGES}.train"
CONV, POOL, DENSE = place("conv"), place("max_pool"), place("linear")

SEED = "an integer from 0 to 2^32 - 1"
SHARE = "a fraction of each batch, from 0 to 1"
SIZE = "an integer from 1 to 4096"
MODEL_KINDS = "linear, logistic, network"
LAYER_KINDS = "conv, max_pool, global_average_pool, flatten, linear"

NOT_WHOLE = [1.5, "3", True, None, [3]]
NO_NUMBER = ["0.1", True, None, [0.1], math.nan, math.inf]

BAD = {
    "train": ([5, None, [], "fast"], "a mapping"),
    "train.device": (["gpu", "CPU", None, 0, True, []], "auto, cpu or cuda"),
    "train.seed": ([-1, 2**32, *NOT_WHOLE], SEED),
    "train.epochs": ([0, -1, *NOT_WHOLE], "an integer from 1"),
    "train.batch": ([1, 0, -64, *NOT_WHOLE], "an integer from 2"),
    "train.learning_rate": ([0, -0.1, 1e39, *NO_NUMBER], "a positive number"),
    "train.warm_up": ([0, 1, -0.1, *NO_NUMBER], "a fraction of all steps, between 0 and 1"),
    "train.label_smoothing": ([1, -0.1, *NO_NUMBER], "a number from 0"),
    "train.noise": ([0.3, None, []], "a mapping with share and std"),
    "train.noise.share": ([-0.1, 1.1, *NO_NUMBER], SHARE),
    "train.noise.std": ([-0.1, 10.1, *NO_NUMBER], "a number from 0 to 10"),
    "train.augment": ([0.3, None, []], "a mapping"),
    "train.augment.share": ([-0.1, 1.1, *NO_NUMBER], SHARE),
    "train.augment.rotation": ([-1, 181, *NO_NUMBER], "degrees either way, from 0 to 180"),
    "train.augment.translation": ([-0.1, 1, *NO_NUMBER], "a fraction of the side"),
    "train.augment.scale": ([-0.1, 1, *NO_NUMBER], "a fraction either way"),
    "train.augment.perspective": ([-0.1, 1, *NO_NUMBER], "a distortion"),
    "train.augment.crop": ([-0.1, 1, *NO_NUMBER], "a fraction of the side"),
    "quant.activations": (["int8", "UINT8", True, None, 8], "none (weights only) or uint8"),
    "quant.calibration": ([1000, None, []], "a mapping with images, seed and range"),
    "quant.calibration.images": ([0, -1, *NOT_WHOLE], "an integer from 1 to the number of train"),
    "quant.calibration.seed": ([-1, 2**32, *NOT_WHOLE], SEED),
    "quant.calibration.range": (["max", None, [0, 1]], "minmax, percentile or mse"),
    "gates.accuracy_decrease": (
        [0, 1, -0.1, *NO_NUMBER],
        "a fraction of the test rows, between 0 and 1",
    ),
    f"systems.{IMAGES}.data": (["minst", None, 5, ["digits"]], "diabetes or california_housing"),
    f"systems.{IMAGES}.train": ([None, 5, [], "slow"], "a mapping of any keys of train, or {}"),
    f"{TRAIN}.epochs": ([0, "20"], "an integer from 1"),
    f"{TRAIN}.noise": ([0.3, None], "a mapping with share and std"),
    f"{TRAIN}.augment.crop": ([2], "a fraction of the side"),
    f"{QUANT}.activations": (["int8"], "none (weights only) or uint8"),
    f"{QUANT}.calibration.images": ([0], "an integer from 1 to the number of training rows"),
    MODEL: ([5, None, "cnn", [1]], "a mapping with kind"),
    f"{MODEL}.budget": ([0, -1, *NOT_WHOLE], "an integer"),
    LAYERS: ([5, None, "conv", {}, []], "a list of layers"),
    f"{CONV}.channels": ([0, 4097, *NOT_WHOLE], SIZE),
    f"{CONV}.kernel": ([0, 100, *NOT_WHOLE], "an integer from 1 to 99"),
    f"{CONV}.padding": ([-1, *NOT_WHOLE], "an integer from 0 to kernel - 1"),
    f"{POOL}.window": ([1, 0, -2, *NOT_WHOLE], "an integer from 2"),
    f"{DENSE}.outputs": ([0, 4097, *NOT_WHOLE], SIZE),
    f"{LAYERS}[3].channels": ([-8], SIZE),
}


@pytest.mark.parametrize(
    ("key", "value", "allowed"),
    [(key, value, allowed) for key, (values, allowed) in BAD.items() for value in values],
    ids=repr,
)
def test_a_bad_value_is_named_shown_and_answered(
    tmp_path: Path, key: str, value: object, allowed: str
) -> None:
    message = refusal(tmp_path, changed({key: value}))
    assert message.startswith(f"params.yaml: {key}: got {value!r}; allowed is {allowed}")


@pytest.mark.parametrize(
    "key",
    [
        "train.label_smoothing",
        *(f"train.augment.{name}" for name in ("translation", "scale", "perspective", "crop")),
    ],
)
def test_what_is_said_to_be_allowed_does_not_take_in_the_1_that_was_refused(
    tmp_path: Path, key: str
) -> None:
    allowed = refusal(tmp_path, changed({key: 1})).partition("allowed is ")[2]
    assert not allowed.endswith("from 0 to 1")


@pytest.mark.parametrize("kind", ["cn", "conv", "Linear", None, 5, True, ["cnn"], {}], ids=repr)
def test_an_unknown_kind_of_model_is_answered_with_all(tmp_path: Path, kind: object) -> None:
    message = refusal(tmp_path, changed({f"{MODEL}.kind": kind}))
    assert message == f"params.yaml: {MODEL}.kind: got {kind!r}; allowed are {MODEL_KINDS}"


@pytest.mark.parametrize("kind", ["cnv", "cnn", "dense", None, 5, True, ["conv"], {}], ids=repr)
def test_an_unknown_kind_of_layer_is_answered_with_all(tmp_path: Path, kind: object) -> None:
    message = refusal(tmp_path, changed({f"{LAYERS}[3].kind": kind}))
    assert message == f"params.yaml: {LAYERS}[3].kind: got {kind!r}; allowed are {LAYER_KINDS}"


@pytest.mark.parametrize(
    ("key", "kinds"), [(MODEL, MODEL_KINDS), (f"{LAYERS}[3]", LAYER_KINDS)], ids=repr
)
def test_a_missing_kind_is_answered_with_all(tmp_path: Path, key: str, kinds: str) -> None:
    line = f"params.yaml: {key}.kind: missing; allowed are {kinds}"
    assert refusal(tmp_path, changed({f"{key}.kind": ABSENT})) == line
    assert refusal(tmp_path, changed({key: {}})) == line


@pytest.mark.parametrize("entry", [5, None, "flatten", True, [], [{"kind": "flatten"}]], ids=repr)
def test_an_entry_that_is_no_mapping_is_answered_with_what_an_entry_is(
    tmp_path: Path, entry: object
) -> None:
    message = refusal(tmp_path, changed({f"{LAYERS}[3]": entry}))
    assert message.startswith(f"params.yaml: {LAYERS}[3]: got {entry!r}; allowed is a mapping ")
    assert "kind" in message.partition("allowed is ")[2]


@pytest.mark.parametrize(
    ("key", "value", "start"),
    [
        (f"{LAYERS}[0]", {"kind": "conv"}, f"{LAYERS}[0].channels: missing; allowed is {SIZE}"),
        (f"{LAYERS}[2]", {"kind": "max_pool"}, f"{LAYERS}[2].window: missing; allowed is "),
        (f"{LAYERS}[5]", {"kind": "linear"}, f"{LAYERS}[5].outputs: missing; allowed is {SIZE}"),
        (f"{LAYERS}[4].outputs", 2, f"{LAYERS}[4].outputs: no such key; allowed are kind"),
        (f"{CONV}.stride", 2, f"{CONV}.stride: no such key; allowed are kind, channels, kernel, "),
        (f"{MODEL}.standardize", True, f"{MODEL}.standardize: no such key; allowed are kind, bud"),
        (
            f"systems.{TABLE}.model.budget",
            9,
            f"systems.{TABLE}.model.budget: no such key; allowed are kind, standardize",
        ),
    ],
    ids=repr,
)
def test_each_kind_has_its_own_keys(tmp_path: Path, key: str, value: object, start: str) -> None:
    assert refusal(tmp_path, changed({key: value})).startswith(f"params.yaml: {start}")


def test_what_is_wrong_in_the_last_of_many_layers_is_found_by_its_number(tmp_path: Path) -> None:
    layers = [{"kind": "flatten"}] * 40 + [{"kind": "linear", "outputs": 0}]
    message = refusal(tmp_path, changed({LAYERS: layers}))
    assert message == f"params.yaml: {LAYERS}[40].outputs: got 0; allowed is {SIZE}"


def test_of_several_errors_one_is_shown_and_the_others_are_counted(tmp_path: Path) -> None:
    conv = {"kind": "conv", "channels": 0, "kernel": 0, "padding": 0}
    message = refusal(tmp_path, changed({LAYERS: [conv, {"kind": "conv"}, {"kind": "flatten"}]}))
    assert message.startswith(f"params.yaml: {LAYERS}[0].channels: got 0; allowed is ")
    assert message.endswith(" (and 4 more)")


@pytest.mark.parametrize(("kernel", "padding"), [(1, 1), (3, 3), (3, 99), (5, 5)])
def test_a_padding_that_is_not_below_the_kernel_is_refused(
    tmp_path: Path, kernel: int, padding: int
) -> None:
    document = changed({f"{CONV}.kernel": kernel, f"{CONV}.padding": padding})
    assert refusal(tmp_path, document) == (
        f"params.yaml: {CONV}.padding: got {padding} with kernel {kernel}; "
        f"allowed are 0 to {kernel - 1}"
    )


def refusal_of_its_integers(folder: Path, values: dict[str, object]) -> str:
    """The one line with which a system's quantization is refused, the file being good."""
    loaded = load(folder, changed(values))
    with pytest.raises(OctetError) as caught:
        loaded.quant_of(IMAGES)
    message = str(caught.value)
    assert_one_line(message)
    return message


@pytest.mark.parametrize("bits", range(9, 17))
def test_integers_of_more_than_8_bits_are_refused(tmp_path: Path, bits: int) -> None:
    values = {f"{QUANT}.activations": "uint8", f"{QUANT}.bits": bits}
    message = refusal_of_its_integers(tmp_path, values)
    assert message.startswith(f"params.yaml: {QUANT}.bits: got {bits} with activations uint8; ")
    assert "2 to 8 bits" in message


@pytest.mark.parametrize("granularity", ["unified", "per_parameter"])
def test_integers_with_a_scale_for_anything_but_tensor_or_channel_are_refused(
    tmp_path: Path, granularity: str
) -> None:
    own = {"activations": "uint8", "granularity": granularity}
    message = refusal_of_its_integers(tmp_path, {QUANT: own})
    start = f"params.yaml: {QUANT}.granularity: got {granularity} with activations uint8; "
    assert message.startswith(start)
    assert message.endswith("per_tensor or per_channel")


@pytest.mark.parametrize(("key", "value"), [("bits", 16), ("granularity", "unified")])
def test_what_integers_of_the_common_section_do_not_take_is_refused_for_each_system(
    tmp_path: Path, key: str, value: object
) -> None:
    values = {QUANT: {}, "quant.activations": "uint8", f"quant.{key}": value}
    message = refusal_of_its_integers(tmp_path, values)
    assert message.startswith(f"params.yaml: {QUANT}.{key}: got {value} with activations uint8; ")


def test_a_width_that_only_integers_do_not_take_is_there_for_the_tables(tmp_path: Path) -> None:
    loaded = load(tmp_path, changed({f"{QUANT}.activations": "uint8", "quant.bits": 16}))
    assert loaded.quant_of(TABLE).bits == 16
    with pytest.raises(OctetError, match=f"^params.yaml: {QUANT}.bits: got 16 with activations "):
        loaded.quant_of(IMAGES)


@pytest.mark.parametrize("section", ["train", "quant"])
def test_a_key_of_ones_own_that_is_no_text_is_refused_where_it_is(
    tmp_path: Path, section: str
) -> None:
    message = refusal(tmp_path, changed({f"systems.{TABLE}.{section}": {3: 4}}))
    assert message.startswith(f"params.yaml: systems.{TABLE}.{section}")
    assert "[key]" not in message
    assert "a mapping of data, model" not in message
