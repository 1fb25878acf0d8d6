"""How much a row of a table counts: as if it were there so many times, to all that is learnt."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import TypeAdapter, ValidationError

from octet.signature import Column
from stages.dataset import dump_dataset
from stages.params.data import Data
from tests.stages.load.own import csv_text, read, refusal, table

CSV: dict[str, Any] = {"kind": "csv", "path": "t.csv", "target": "price"}
WEIGHTED = {**CSV, "weights": "w"}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def write(path: str = "t.csv", **columns: Any) -> None:
    Path(path).write_text(csv_text(table(**columns)))


def test_weights_are_no_feature_and_stand_beside_the_training_rows() -> None:
    weights = [f"{i + 1}" for i in range(40)]
    write()
    plain = read(**CSV)
    assert b"weights" not in dump_dataset(plain)
    write(w=weights)
    data = read(**WEIGHTED)
    of_price = dict(zip(map(float, table()["price"]), map(float, weights), strict=True))
    assert data.weights_train is not None
    assert data.weights_train.tolist() == [of_price[y] for y in data.y_train.tolist()]
    assert dump_dataset(replace(data, weights_train=None)) == dump_dataset(plain)


def test_a_row_is_there_as_often_as_its_weight_says() -> None:
    """Rows of weight 0 are not, whatever they miss; what fills gaps is of the others."""
    rows = table(part=["train"] * 30 + ["test"] * 10)
    rows["age"] = ["", "NA", *rows["age"][2:]]
    rows["city"] = ["?", *["Bern"] * 12, *["Basel"] * 16, "Oslo", *["Basel"] * 10]
    rows["floor"] = [*map(str, range(29)), "", *map(str, range(10))]
    rows["kitchen"] = [*["yes", "no"] * 14, "yes", "", *["no"] * 10]
    rows["price"] = [*rows["price"][:29], "", *rows["price"][30:]]
    counts = [2, *[3] * 12, *[1] * 16, 0, *[0, 7] * 5]
    write(**rows, w=[*map(str, counts)])
    weighted = read(**WEIGHTED, missing="impute", split={"column": "part"})
    times = [*counts[:30], *[1] * 10]
    lines = csv_text(rows).splitlines()
    repeated = [line for line, count in zip(lines[1:], times, strict=True) for _ in range(count)]
    Path("t.csv").write_text("\n".join([lines[0], *repeated]))
    again = read(**CSV, missing="impute", split={"column": "part"})
    assert weighted.weights_train is not None
    assert weighted.weights_train.tolist() == counts[:29]
    assert weighted.signature == again.signature
    _, city, *without_gaps = weighted.signature.inputs.columns
    assert city == Column("city", ("Basel", "Bern"), "Bern")
    assert without_gaps == [Column("floor"), Column("kitchen", ("no", "yes"))]
    often = weighted.weights_train.astype(int)
    np.testing.assert_array_equal(np.repeat(weighted.x_train, often, axis=0), again.x_train)
    np.testing.assert_array_equal(weighted.x_test, again.x_test)
    np.testing.assert_array_equal(weighted.y_test, again.y_test)


def test_a_row_of_weight_0_is_refused_for_what_it_may_be_and_not_for_what_it_misses() -> None:
    """All rows say what a column is; and each may be held out, if a share of them is."""
    by_part, weights = {"split": {"column": "part"}}, ["0", *["1"] * 39]
    rows = table(part=["train"] * 30 + ["test"] * 10, w=weights)
    write(**{**rows, "age": ["", *rows["age"][1:]]})
    assert len(read(**WEIGHTED, **by_part).y_train) == 29
    write(**{**rows, "age": ["old", *rows["age"][1:]]})
    assert "column age: got 'old' among numbers" in refusal(**WEIGHTED, **by_part)
    write(**{**rows, "price": ["", *rows["price"][1:]]})
    assert "price: got 1 missing values of 40" in refusal(**WEIGHTED, drop=["part"])


FORTY = ["1"] * 40
REFUSED: dict[str, tuple[list[str], dict[str, Any], str]] = {
    "another column": (FORTY, {"weights": "v"}, "no column v; got age, city, price, w"),
    "a feature": (FORTY, {"columns": ["age", "w"]}, "w is the target, has the weights or says"),
    "dropped": (FORTY, {"drop": ["w"]}, "it cannot be among `columns` or `drop`"),
    "text": (["1", "much"] * 20, {}, "w: got 'much'; allowed as weights are numbers from 0"),
    "infinite": (["inf", *FORTY[1:]], {}, "w: got 'inf'; allowed as weights are numbers from 0"),
    "gaps": (["", "NA", *FORTY[2:]], {}, "w: got 2 missing values of 40; allowed are none in"),
    "gaps of a table with none": (
        ["", *FORTY[1:]],
        {"missing": "impute"},
        "w: got 1 missing values of 40; allowed are none in weights: write 0",
    ),
    "negative": (["-0.5", *FORTY[1:]], {}, "w: got -0.5; allowed as weights are numbers from 0"),
    "nothing": (["0"] * 40, {}, "w: got 0 in all training rows; nothing to learn from"),
    "next to nothing": (["1e-16", *FORTY[1:]], {}, "got 1e-16 to 1; allowed are 1e-15 to 1e+15"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_weights_are_refused(case: str) -> None:
    weights, keys, expected = REFUSED[case]
    write(w=weights)
    message = refusal(**{**WEIGHTED, **keys})
    assert message.startswith("t.csv: ")
    assert expected in message


@pytest.mark.parametrize("keys", [{"weights": "price"}, {"weights": "p", "split": {"column": "p"}}])
def test_weights_are_a_column_of_their_own(keys: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=f"weights: got {keys['weights']}, which is the targ"):
        TypeAdapter[Any](Data).validate_python({**CSV, "sha256": "0" * 64, **keys})
