"""params.yaml: a good file says what it says, a system's own keys over the common ones."""

import copy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from stages.params.layers import Conv, Linear
from stages.params.models import LinearModel, NetworkModel
from stages.params.quant import Quant
from stages.params.train import Train
from tests.conftest import ROOT
from tests.stages.documents import (
    DOCUMENT,
    IMAGES,
    LAYERS,
    TABLE,
    TEXT,
    assert_one_line,
    changed,
    keys,
    load,
    place,
    refusal,
)

OWN = f"systems.{TABLE}.quant"
OWN_TRAIN = f"systems.{IMAGES}.train"


def as_lists(value: object) -> object:
    """A dump of pydantic's as YAML has it."""
    if isinstance(value, dict):
        return {key: as_lists(inner) for key, inner in value.items()}
    return [as_lists(inner) for inner in value] if isinstance(value, tuple) else value


def test_the_file_of_the_repository_is_taken(tmp_path: Path) -> None:
    assert load(tmp_path, (ROOT / "params.yaml").read_text(encoding="utf-8")).systems


def test_a_whole_file_says_what_it_says(tmp_path: Path) -> None:
    loaded = load(tmp_path, TEXT)
    for section in ("split", "train", "quant", "gates"):
        assert as_lists(getattr(loaded, section).model_dump()) == DOCUMENT[section]
    assert list(loaded.systems) == list(DOCUMENT["systems"])
    for name, system in DOCUMENT["systems"].items():
        dumped = loaded.system(name).model_dump(exclude_unset=True)
        assert as_lists(dumped) == system


def test_a_model_is_what_its_kind_says(tmp_path: Path) -> None:
    loaded = load(tmp_path, TEXT)
    assert isinstance(loaded.system(TABLE).model, LinearModel)
    model = loaded.system(IMAGES).model
    assert isinstance(model, NetworkModel)
    assert isinstance(model.layers[0], Conv)
    assert isinstance(model.layers[-1], Linear)


# Values that are allowed: the ends of what is.
ALLOWED: dict[str, list[object]] = {
    "train.seed": [0, 2**32 - 1],
    "train.epochs": [1, 1000],
    "train.batch": [2, 100_000],
    "train.learning_rate": [1e-300, 1, 1e30],
    "train.warm_up": [1e-9, 0.999],
    "train.label_smoothing": [0, 0.999],
    "train.noise.share": [0, 1],
    "train.noise.std": [0, 10],
    "train.augment.share": [0, 1],
    "train.augment.rotation": [0, 180],
    "train.augment.translation": [0, 0.999],
    "train.augment.crop": [0, 0.999],
    "train.device": ["auto", "cpu", "cuda"],
    "quant.bits": [2, 16, 32],
    "quant.range": [[-1, 1], [0, 1], [-1, 0], [-1, 1e38]],
    "quant.bias.range": [[-0.5, 2.5]],
    "quant.calibration.rows": [1, 10**9],
    "quant.calibration.seed": [0, 2**32 - 1],
    "quant.calibration.range": ["minmax", "percentile", "mse"],
    "gates.mse_increase": [1e-9, 1e9, None],
    "gates.worse_by": [1e-9, 1e9],
    "gates.worse_share": [1e-9, 0.999],
    "gates.accuracy_decrease": [1e-9, 0.999],
    f"systems.{IMAGES}.model.budget": [1, 10**12],
    f"{place('conv')}.channels": [1, 4096],
    f"{place('conv')}.kernel": [2, 99, [2, 3]],
    f"{place('conv')}.padding": [0, 2, [0, 1, 2, 0]],
    f"{place('conv')}.stride": [1, [2, 1]],
    f"{place('conv')}.groups": [1, 8],
    f"{place('max_pool')}.side": [1, 28, [3, 2]],
    f"{place('linear')}.outputs": [1, 4096],
}


@pytest.mark.parametrize("key", ALLOWED)
def test_the_ends_of_what_is_allowed_are_allowed(tmp_path: Path, key: str) -> None:
    for value in ALLOWED[key]:
        load(tmp_path, changed({key: value}))


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("quant.bits", 8.0, 8),
        ("quant.bias.bits", 4.0, 4),
        ("quant.margin", [0.0, 0.0], [0, 0]),
        ("sweep.bits", [2.0, 8.0], [2, 8]),
        ("train.epochs", 1.0, 1),
        ("split.random_state", 42.0, 42),
        ("gates.r2", 0, 0.0),
        (f"{OWN}.bits", 4.0, 4),
        (f"systems.{TABLE}.model.standardize", 1, True),
        (f"systems.{TABLE}.model.standardize", 0.0, False),
        (f"{place('conv')}.channels", 8.0, 8),
        (f"{place('conv')}.kernel", [3.0, 3], [3, 3]),
        (f"{place('conv')}.padding", 1.0, 1),
    ],
)
def test_what_is_the_same_to_dvc_is_the_same_here(
    tmp_path: Path, key: str, value: object, same: object
) -> None:
    assert value == same
    loaded, expected = (load(tmp_path, changed({key: each})) for each in (value, same))
    for name in (TABLE, IMAGES):
        assert repr(loaded.system(name).model) == repr(expected.system(name).model)
    for name in ("split", "train", "gates", "sweep"):
        assert repr(getattr(loaded, name)) == repr(getattr(expected, name))
    assert repr(loaded.quant_of(TABLE)) == repr(expected.quant_of(TABLE))


@pytest.mark.parametrize("bits", [2, 8, 32])
def test_integers_take_widths_from_2_to_8_and_32(tmp_path: Path, bits: int) -> None:
    document = changed({f"systems.{IMAGES}.quant": {"activations": "uint8", "bits": bits}})
    assert load(tmp_path, document).quant_of(IMAGES).bits == bits


def test_a_margin_goes_with_minmax_and_per_channel_with_symmetric(tmp_path: Path) -> None:
    values = {"quant.range": "minmax", "quant.margin": [0.1, 10]}
    assert load(tmp_path, changed(values)).quant.margin == (0.1, 10)
    values = {"quant.scheme": "symmetric", "quant.granularity": "per_channel"}
    assert load(tmp_path, changed(values)).quant.granularity == "per_channel"


def test_layers_are_a_chain_unless_they_name_what_they_take(tmp_path: Path) -> None:
    layers = [
        {"kind": "conv", "channels": 4, "kernel": 3, "padding": 1, "name": "a"},
        {"kind": "conv", "channels": 4, "kernel": 3, "padding": 1, "relu": False, "name": "b"},
        {"kind": "add", "inputs": ["a", "b"]},
        {"kind": "global_average_pool"},
        {"kind": "linear", "outputs": 10},
        {"kind": "softmax"},
    ]
    model = load(tmp_path, changed({LAYERS: layers})).system(IMAGES).model
    assert isinstance(model, NetworkModel)
    assert [layer.inputs for layer in model.layers] == [(), (), ("a", "b"), (), (), ()]


def test_a_system_that_is_not_there_is_answered_with_the_nearest_and_all(tmp_path: Path) -> None:
    loaded = load(tmp_path, TEXT)
    with pytest.raises(OctetError) as caught:
        loaded.system(f"{TABLE}s")
    every = ", ".join(sorted(DOCUMENT["systems"]))
    assert str(caught.value) == (
        f"params.yaml: systems: got '{TABLE}s' (did you mean {TABLE}?); allowed are {every}"
    )


def test_a_system_like_no_other_is_answered_with_all(tmp_path: Path) -> None:
    with pytest.raises(OctetError) as caught:
        load(tmp_path, TEXT).system("xyzzy\n")
    every = ", ".join(sorted(DOCUMENT["systems"]))
    assert str(caught.value) == f"params.yaml: systems: got 'xyzzy\\n'; allowed are {every}"


def test_a_system_has_its_own_keys_over_the_common_ones(tmp_path: Path) -> None:
    document = changed({OWN: {"bits": 4, "bias": {"bits": 6}}, "quant.bits": 8})
    loaded = load(tmp_path, document)
    own, common = loaded.quant_of(TABLE), loaded.quant
    assert (own.bits, own.bias.bits) == (4, 6)
    assert own.bias.range == common.bias.range
    assert own.model_copy(update={"bits": 8, "bias": common.bias}) == common
    other = next(name for name in loaded.systems if name != TABLE)
    assert loaded.quant_of(other) == common


def test_a_system_is_trained_by_its_own_keys_over_the_common_ones(tmp_path: Path) -> None:
    own = {"epochs": 7, "noise": {"std": 0.5}, "augment": {"crop": 0.25, "share": 1}}
    loaded = load(tmp_path, changed({OWN_TRAIN: own, "train.epochs": 3}))
    found, common = loaded.train_of(IMAGES), loaded.train
    assert (found.epochs, common.epochs) == (7, 3)
    assert (found.noise.share, found.noise.std) == (common.noise.share, 0.5)
    expected = common.augment.model_copy(update={"crop": 0.25, "share": 1})
    assert found.augment == expected
    assert found.model_copy(
        update={"epochs": 3, "noise": common.noise, "augment": common.augment}
    ) == (common)
    others = [name for name in loaded.systems if not DOCUMENT["systems"][name]["train"]]
    assert others
    assert all(loaded.train_of(name) == common for name in others)


def test_the_calibration_of_ones_own_stands_over_the_common_one(tmp_path: Path) -> None:
    document = changed({f"{OWN}.calibration": {"range": "percentile"}, "quant.calibration.seed": 5})
    loaded = load(tmp_path, document)
    common = loaded.quant.calibration
    expected = common.model_copy(update={"range": "percentile"})
    assert loaded.quant_of(TABLE).calibration == expected
    assert expected.seed == 5


def test_a_system_without_keys_of_its_own_has_the_common_ones(tmp_path: Path) -> None:
    loaded = load(tmp_path, changed({OWN: {}, OWN_TRAIN: {}}))
    assert loaded.quant_of(TABLE) == loaded.quant
    assert loaded.train_of(IMAGES) == loaded.train


def test_a_range_of_ones_own_replaces_the_common_one_whole(tmp_path: Path) -> None:
    document = changed({"quant.range": [-9, 9], "quant.margin": [0, 0], OWN: {"range": [-1, 2]}})
    loaded = load(tmp_path, document)
    assert loaded.quant.range == (-9, 9)
    assert loaded.quant_of(TABLE).range == (-1, 2)


@pytest.mark.parametrize("number", [1, 0.5, 1e-05])
def test_a_number_is_read_as_dvc_reads_it(tmp_path: Path, number: float) -> None:
    shown = f"learning_rate: {DOCUMENT['train']['learning_rate']}\n"
    assert shown in TEXT
    loaded = load(tmp_path, TEXT.replace(shown, f"learning_rate: {number}\n", 1))
    assert loaded.train.learning_rate == number


def test_an_error_in_any_systems_own_keys_shows_at_once(tmp_path: Path) -> None:
    last = list(DOCUMENT["systems"])[-1]
    message = refusal(tmp_path, changed({f"systems.{last}.quant.bits": 17}))
    assert message.startswith(f"params.yaml: systems.{last}.quant.bits: got 17; allowed is ")
    message = refusal(tmp_path, changed({f"systems.{last}.train.epochs": 0}))
    assert message.startswith(f"params.yaml: systems.{last}.train.epochs: got 0; allowed is ")


def test_a_rule_broken_only_together_with_the_common_keys_is_named(tmp_path: Path) -> None:
    document = changed({"quant.range": "mse", f"{OWN}.margin": [1, 1]})
    message = refusal(tmp_path, document)
    assert message.startswith(f"params.yaml: {OWN}.margin: got [1.0, 1.0] with range 'mse'; ")


WORDS = [
    *("minmax", "mse", "asymmetric", "symmetric", "per_channel", "unified", "nearest", "exact"),
    *("linear", "diabetes", "california_housing", "bits", "range", "bias", "margin", "quant"),
    *("network", "conv", "max_pool", "flatten", "digits", "mnist", "kind", "layers", "channels"),
    *("train", "noise", "augment", "share", "calibration", "uint8", "none", "percentile", "cuda"),
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
KEYS = st.sampled_from(
    [
        *keys(DOCUMENT),
        *(f"{OWN}.{key}" for key in keys(DOCUMENT["quant"])),
        *(f"{OWN_TRAIN}.{key}" for key in keys(DOCUMENT["train"])),
    ]
)


@settings(deadline=None, derandomize=True, max_examples=250)
@given(key=KEYS, value=VALUES)
def test_any_value_at_any_key_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, key: str, value: object
) -> None:
    taken_or_refused(tmp_path_factory.getbasetemp(), changed({key: value}))


@settings(deadline=None, derandomize=True, max_examples=150)
@given(
    section=st.sampled_from([key for key in keys(DOCUMENT) if "." in key]),
    key=NAMES | st.integers() | st.booleans() | st.none(),
    value=VALUES,
)
def test_any_new_key_anywhere_is_taken_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, section: str, key: object, value: object
) -> None:
    document = copy.deepcopy(DOCUMENT)
    inner: dict[object, object] = document
    for part in section.split(".")[:-1]:
        name, _, index = part.removesuffix("]").partition("[")
        inner = inner[name][int(index)] if index else inner[name]
    inner[key] = value
    taken_or_refused(tmp_path_factory.getbasetemp(), document)


def taken_or_refused(folder: Path, document: object) -> None:
    try:
        loaded = load(folder, document)
    except OctetError as error:
        assert_one_line(str(error))
        return
    for name in loaded.systems:
        assert isinstance(loaded.train_of(name), Train)
        try:
            assert isinstance(loaded.quant_of(name), Quant)
        except OctetError as error:
            assert_one_line(str(error))
