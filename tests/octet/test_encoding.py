"""Rows of a table with text and gaps: the features that they become, and those that are none."""

import numpy as np
import pytest

from octet.errors import OctetError
from octet.rows.encoding import GAPS, encode
from octet.signature import Column, Columns

INPUTS = Columns.of(
    [
        Column("age", missing=30.5),
        Column("city", ("Rome", "Oslo", "NA"), "Oslo"),
        Column("rooms"),
        Column("kind", ("flat", "house")),
    ]
)


def test_the_features_of_text_are_its_categories_but_the_first() -> None:
    assert INPUTS.features == ("age", "city=Oslo", "city=NA", "rooms", "kind=house")
    assert Columns.of([Column("a"), Column("b")]) == Columns(("a", "b"))


@pytest.mark.parametrize("dtype", [np.str_, object, np.dtypes.StringDType()])
def test_numbers_text_and_gaps_become_features_whatever_their_type(dtype: object) -> None:
    raw = [
        np.array([20.0, np.nan, -1.0]),
        np.array(["Rome", " ", "NA"], dtype),
        np.array([2, 3, 4.5]),
        np.array(["house", "flat", "house"], dtype),
    ]
    expected = [[20, 0, 0, 2, 1], [30.5, 1, 0, 3, 0], [-1, 0, 1, 4.5, 1]]
    for age in (raw[0], np.array(["20", "?", "-1e0"], dtype)):
        x, bad = encode(INPUTS, [age, *raw[1:]])
        assert (x.dtype, x.tolist(), bad) == (np.float64, expected, {})


@pytest.mark.parametrize("gap", sorted(GAPS))
def test_every_gap_stands_for_what_is_missing(gap: str) -> None:
    x, bad = encode(Columns.of([Column("a", missing=7.0)]), [np.array([gap, "1"])])
    assert (x.tolist(), bad) == ([[7], [1]], {})


def test_rows_that_cannot_be_used_are_named_by_their_first_column_that_is_wrong() -> None:
    raw = [
        np.array(["1", "x", "2", "3"]),
        np.array(["Rome", "Paris", "rome", "Oslo"]),
        np.array([np.nan, 1, 1, np.inf]),
        np.array(["flat", "flat", "flat", ""]),
    ]
    _, bad = encode(INPUTS, raw)
    assert bad == {
        0: "rooms: got nan; allowed is a finite number",
        1: "age: got 'x'; allowed is a finite number or nothing",
        2: "city: got 'rome'; allowed is Rome, Oslo, NA or nothing",
        3: "rooms: got inf; allowed is a finite number",
    }


@pytest.mark.parametrize(
    "columns", [[Column("a"), Column("a")], [Column("a=y"), Column("a", ("x", "y"))]]
)
def test_names_that_do_not_differ_are_refused(columns: list[Column]) -> None:
    with pytest.raises(OctetError, match="more than once; names must differ"):
        Columns.of(columns)
