"""The train stage: a float network and its plots for each kind of system, or one line."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from octet.errors import OctetError
from octet.layers import Conv2d
from octet.modelfile import storage
from octet.runtime import floating
from stages import paths
from stages.dataset import Dataset, dump_dataset
from stages.load import readers
from stages.params.file import Params
from stages.params.systems import System
from stages.train.__main__ import train
from tests.stages.train.small import COMMITTED, digits, pictures


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the data of the stages lies."""
    monkeypatch.chdir(tmp_path)
    paths.data_path("any").parent.mkdir()


def table() -> Dataset:
    return readers.read("diabetes", COMMITTED.split)


def with_data(system: str, dataset: Dataset) -> None:
    paths.data_path(system).write_bytes(dump_dataset(dataset))


def params(**train_keys: object) -> Params:
    """params.yaml, with the digits trained for one epoch and otherwise as said."""
    return changed(train={"epochs": 1, **train_keys})


def changed(**changes: object) -> Params:
    system = COMMITTED.systems["digits"].model_dump() | changes
    systems = COMMITTED.systems | {"digits": System.model_validate(system)}
    return COMMITTED.model_copy(update={"systems": systems})


def refusal(system: str, checked: Params) -> str:
    with pytest.raises(OctetError) as caught:
        train(system, checked)
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def test_a_table_makes_a_network_its_loss_and_a_sheet_of_rows() -> None:
    with_data("diabetes", table())
    made = train("diabetes", COMMITTED)
    loss, sheet = (paths.plot_path("diabetes", name) for name in ("training.csv", "views.png"))
    assert set(made) == {paths.float_path("diabetes"), loss, sheet}
    Path("float").write_bytes(made[paths.float_path("diabetes")])
    network, data = storage.load_network(Path("float")), table()
    errors = floating.run(network, data.x_train)[:, 0] - data.y_train
    header, row = made[loss].decode().splitlines()
    assert header == "step,loss"
    assert float(row.removeprefix("1,")) == pytest.approx(np.mean(errors**2), rel=1e-8)
    with Image.open(io.BytesIO(made[sheet])) as opened:
        assert opened.size == (10 * 8 * 3, 12 * 8 * 3)


def test_images_make_a_network_its_history_and_a_sheet_of_views() -> None:
    with_data("digits", digits())
    made = train("digits", params())
    history, sheet = (paths.plot_path("digits", name) for name in ("training.csv", "views.png"))
    assert set(made) == {paths.float_path("digits"), history, sheet}
    Path("float").write_bytes(made[paths.float_path("digits")])
    network = storage.load_network(Path("float"))
    assert network.signature == digits().signature
    assert [type(layer) for layer in network.layers].count(Conv2d) == 3
    header, *rows = made[history].decode().splitlines()
    assert header == "step,loss,accuracy"
    assert [row.partition(",")[0] for row in rows] == ["22"]
    with Image.open(io.BytesIO(made[sheet])) as opened:
        assert opened.size == (12 * 8 * 3, 2 * 8 * 3)


@pytest.mark.parametrize("system", ["wine", "wine-mlp"])
def test_a_table_of_classes_makes_a_network_its_loss_and_accuracy_and_a_sheet_of_rows(
    system: str,
) -> None:
    data = readers.read("wine", COMMITTED.split)
    with_data(system, data)
    made = train(system, COMMITTED)
    history, sheet = (paths.plot_path(system, name) for name in ("training.csv", "views.png"))
    assert set(made) == {paths.float_path(system), history, sheet}
    Path("float").write_bytes(made[paths.float_path(system)])
    network = storage.load_network(Path("float"))
    assert network.signature == data.signature
    hits = floating.run(network, data.x_test).argmax(axis=1) == data.y_test
    assert np.mean(hits) > 0.9
    header, *rows = made[history].decode().splitlines()
    assert header == "step,loss,accuracy"
    assert float(rows[-1].split(",")[2]) > 0.95
    with Image.open(io.BytesIO(made[sheet])) as opened:
        assert opened.size == (13 * 8 * 3, 12 * 8 * 3)


def test_the_stage_makes_the_same_bytes_every_time() -> None:
    with_data("digits", digits())
    assert train("digits", params()) == train("digits", params())


def test_a_systems_own_keys_are_those_of_its_training() -> None:
    with_data("digits", digits())
    float_path = paths.float_path("digits")
    first = train("digits", params())[float_path]
    assert train("digits", params(seed=1))[float_path] != first
    common = COMMITTED.train.model_copy(update={"seed": 1, "epochs": 7})
    other = params(seed=0).model_copy(update={"train": common})
    assert train("digits", other)[float_path] == first


def test_the_sheet_shows_the_views_of_the_recipe() -> None:
    with_data("digits", digits())
    sheet = paths.plot_path("digits", "views.png")
    still = dict.fromkeys(("rotation", "translation", "scale", "perspective", "crop"), 0)
    recipes = params(), params(augment=still), params(seed=1)
    assert len({train("digits", each)[sheet] for each in recipes}) == 3


def test_data_that_the_model_does_not_take_is_refused() -> None:
    with_data("diabetes", pictures())
    assert refusal("diabetes", COMMITTED) == (
        "params.yaml: systems.diabetes.model.kind: got linear for data of images and classes; "
        "allowed are linear (columns to numbers), logistic (columns to classes), ridge (columns to "
        "numbers), network (columns or images to anything), onnx (anything to anything), given "
        "(anything to anything)"
    )


def test_an_architecture_that_does_not_fit_the_data_is_named_by_its_key() -> None:
    with_data("digits", pictures(shape=(1, 5, 5)))
    start = "params.yaml: systems.digits.model.layers[3] (conv): got shape (8, 2, 2); "
    assert refusal("digits", COMMITTED).startswith(start)


def test_a_budget_that_is_too_small_is_named_by_its_key() -> None:
    with_data("digits", digits())
    model = COMMITTED.systems["digits"].model.model_dump() | {"budget": 100}
    message = refusal("digits", changed(model=model))
    assert message.startswith("params.yaml: systems.digits.model.layers: got 1,698 parameters; ")
    assert "systems.digits.model.budget = 100" in message


def test_missing_data_are_answered_with_what_makes_them() -> None:
    message = refusal("digits", COMMITTED)
    missing = "no such file; if it is one of the pipeline's, `dvc repro` makes it"
    assert message == f"{paths.data_path('digits')}: {missing}"
