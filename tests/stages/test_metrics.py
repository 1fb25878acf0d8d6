"""Files of metrics: the same bytes everywhere, and one reader that names whatever is wrong."""

import json
import math
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from stages.metrics import Metrics, dump, parse, read
from stages.tasks import KINDS

PATH = Path("metrics/small.json")


def metrics(**groups: Any) -> Metrics:
    return parse(json.dumps(groups), "here")


def refusal(caught: pytest.ExceptionInfo[OctetError]) -> str:
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def test_a_dump_is_sorted_json_with_a_last_line_end() -> None:
    dumped = dump({"b": {"z": 1.5, "a": 2}, "a": {"x": 0.0}, "c": "word"}, PATH)
    assert dumped == (
        b'{\n  "a": {\n    "x": 0.0\n  },\n  "b": {\n    "a": 2,\n    "z": 1.5\n  },\n'
        b'  "c": "word"\n}\n'
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1 / 3, "0.333333333"),
        (-2 / 3, "-0.666666667"),
        (123456789.123, "123456789.0"),
        (0.1 + 0.2, "0.3"),
        (0.3 + 1e-12, "0.3"),
        (1e-20 / 3, "3.33333333e-21"),
        (np.float64(1) / 3, "0.333333333"),
        (9, "9"),
        (1234567891234, "1234567891234"),
    ],
    ids=repr,
)
def test_nine_digits_of_a_fraction_are_written_and_all_of_a_count(
    value: float, written: str
) -> None:
    assert dump({"group": {"key": value}}, PATH) == (
        f'{{\n  "group": {{\n    "key": {written}\n  }}\n}}\n'.encode()
    )


@settings(deadline=None, derandomize=True)
@given(
    st.dictionaries(
        st.text(max_size=5),
        st.dictionaries(
            st.text(max_size=5), st.integers() | st.floats(allow_nan=False, allow_infinity=False)
        ),
    )
)
def test_a_dump_reads_back_within_nine_digits_and_dumps_the_same(
    groups: dict[str, dict[str, float]],
) -> None:
    dumped = dump(groups, PATH)
    written = json.loads(dumped)
    assert {group: set(written[group]) for group in written} == {g: set(groups[g]) for g in groups}
    for group, inner in groups.items():
        for key, value in inner.items():
            assert type(written[group][key]) is type(value)
            assert written[group][key] == pytest.approx(value, rel=5e-9, abs=0)
    assert dump(written, PATH) == dumped


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, np.float64("nan")], ids=repr)
def test_a_number_that_is_not_finite_is_not_written_and_is_named(value: float) -> None:
    with pytest.raises(OctetError) as caught:
        dump({"float": {"mse": 1.0, "r2": value}}, PATH)
    assert refusal(caught).startswith(f"{PATH}: float.r2: got {value}; ")


def test_numbers_are_read_by_key() -> None:
    own = metrics(verdict={"low": -0.5, "high": 3}, size={"codes": 11}, kind="word")
    assert own.numbers("verdict.low", "size.codes") == [-0.5, 11]
    assert own.number("verdict.high") == 3
    assert own.word("kind") == "word"


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        ("{}", "missing"),
        ('{"verdict": {}}', "missing"),
        ('{"verdict": 3}', "missing"),
        ('{"verdict": null}', "missing"),
        ('{"verdict": {"low": null}}', "missing"),
        ('{"verdict": {"low": NaN}}', "got 'NaN'"),
        ('{"verdict": {"low": Infinity}}', "got 'Infinity'"),
        ('{"verdict": {"low": 1e400}}', "got 1e+400"),
        ('{"verdict": {"low": "0.5"}}', "got '0.5'"),
        ('{"verdict": {"low": true}}', "got True"),
        ('{"verdict": {"low": [1, 2]}}', "got ["),
        ('{"verdict": {"low": {"x": 1}}}', "got {"),
    ],
)
def test_what_is_no_number_is_named_with_what_to_do(content: str, shown: str) -> None:
    with pytest.raises(OctetError) as caught:
        parse(content, "here").numbers("verdict.low")
    message = refusal(caught)
    assert message.startswith(f"here: verdict.low: {shown}")
    assert message.endswith("; allowed is a finite number; run `dvc repro`")


def test_all_that_is_no_number_is_named_at_once() -> None:
    own = metrics(verdict={"low": 1, "high": "x"})
    with pytest.raises(OctetError, match=r"verdict\.high: got 'x', verdict\.margin: missing; "):
        own.numbers("verdict.low", "verdict.high", "verdict.margin")


@pytest.mark.parametrize("kind", [None, "regression", 3, ["regression of columns"]])
def test_what_a_system_is_must_be_said(kind: object) -> None:
    for name, known in KINDS.items():
        assert metrics(kind=name).kind() == known
    with pytest.raises(OctetError, match=r"here: kind: .*; allowed are regression of columns, "):
        metrics(kind=kind).kind()


@pytest.mark.parametrize(
    "content", ["", "{", "[1]", "3", "null", "[" * 100_000, '{"a": 1e9999999999999999999}', b"\xff"]
)
def test_what_is_no_object_is_one_line(content: str | bytes) -> None:
    with pytest.raises(OctetError) as caught:
        parse(content, "here")
    message = refusal(caught)
    assert message.startswith("here: ")
    assert message.endswith("run `dvc repro`")


def test_a_missing_file_is_answered_with_what_makes_it(tmp_path: Path) -> None:
    with pytest.raises(OctetError, match="no such file; `dvc repro` makes it"):
        read(tmp_path / "none.json")


def test_leaves_have_the_digits_of_the_file() -> None:
    text = '{"a": {"b": 0.10, "c": 12345678901234567890, "d": {"e": "x", "f": null}}, "g": NaN}'
    assert parse(text, "here").leaves() == {
        "a.b": Decimal("0.10"),
        "a.c": Decimal(12345678901234567890),
        "a.d.e": "x",
        "a.d.f": "null",
        "g": "NaN",
    }


@pytest.mark.parametrize("huge", ["1e999999999", "-1e999999999", "1e-999999999", "9" * 1_000_000])
def test_numbers_beyond_all_floats_are_leaves_of_text(huge: str) -> None:
    (leaf,) = parse(f'{{"a": {huge}}}', "here").leaves().values()
    assert isinstance(leaf, str)
    assert leaf.replace("+", "").startswith(huge[:5].upper())
