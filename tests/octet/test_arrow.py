"""Rows of CSV by pyarrow and without it: the same numbers, and the same lines refused alike."""

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from octet.rows import arrow, csv
from octet.rows.csv import Dialect
from octet.signature import Columns, Numbers, Signature

SIGNATURE = Signature(Columns(("a", "b")), Numbers("y", ""))
FIELDS = [
    *("1", "-1", "+1", "1.", ".5", "-.5", "007", "1e5", "1E-5", "1e+05", "5e-324", "1e-400", "-0"),
    *("2.2250738585072011e-308", "0.1000000000000000055511151231257827", "9" * 400, "1e308"),
    *("1e309", "-1e999", "", " ", " 1", "1 ", ".", "-", "+", "e", "e5", "1e", "1e+", "--1", "+-1"),
    *("1-2", "1.2.3", "1e5e5", "1e5.5", "nan", "NaN", "inf", "-Infinity", "1_000", "0x10", "0x1p3"),
    *("١٢", "½", "1,5", '"1"', '"1', "1\t", "\xa01", "1d5", "1f", "True", "\0", "1;2", "−1"),
]


def read(text: str, dialect: Dialect, path: Path) -> list[tuple[list[int], bytes, dict[int, str]]]:
    path.write_text(text, encoding="utf-8")
    with path.open("rb") as stream:
        batches = csv.read(stream, "rows", SIGNATURE, False, dialect).batches
        return [(b.places.tolist(), b.x.tobytes(), dict(b.bad)) for b in batches]


@pytest.mark.parametrize("separator", [",", ";", "\t", " "])
@pytest.mark.parametrize("place", [0, 1, 2])
def test_pyarrow_changes_no_number_and_no_refusal(
    separator: str, place: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("pyarrow")
    used = []
    monkeypatch.setattr(
        arrow, "numbers", lambda *a, own=arrow.numbers: used.append(own(*a)) or used[-1]
    )
    for decimal in ".,":
        dialect = Dialect(separator, decimal)
        for field in FIELDS:
            rows = [["1", "2", "3"], ["4", "5", "6"], ["7", "8", "9"]]
            rows[1][place] = field
            lines = [separator.join(row) for row in [["b", "c", "a"], *rows]]
            text = "\n".join([*lines[:3], "", *lines[2:]] if field == "" else lines) + "\n"
            answers = []
            for few in (0, 10**9):
                monkeypatch.setattr(csv, "_FEW_BLOCKS", few)
                answers.append(read(text, dialect, tmp_path / "rows.csv"))
            assert answers[0] == answers[1], (field, decimal)
    assert any(values is not None for values in used)
    assert any(values is None for values in used)


def test_every_float_is_read_as_it_was_written() -> None:
    pytest.importorskip("pyarrow")
    bits = np.random.default_rng(0).integers(0, 2**64, 20_000, dtype=np.uint64)
    x = bits.view(np.float64)
    x = x[np.isfinite(x)]
    for form in (repr, "{:.25e}".format, "{:.9g}".format):
        fields = [form(value) for value in x.tolist()]
        values = arrow.numbers([f"0,{field}" for field in fields], 2, (1,), ",")
        assert values is not None
        assert values.tobytes() == np.array([float(field) for field in fields]).tobytes()


def test_pyarrow_writes_numbers_as_python_does() -> None:
    pytest.importorskip("pyarrow")
    assert arrow.numbers(["1"], 1, (0,), ",") is not None
    rng = np.random.default_rng(0)
    decimals = 10.0 ** rng.uniform(-6, 18, 20_000) * rng.choice([-1, 1], 20_000)
    bits = rng.integers(0, 2**63, 20_000).view(np.float64)
    ends = np.array([arrow._SMALLEST, arrow._LARGEST, 0.0, -0.0, 1.0, 5e-324, np.inf, np.nan])
    ends = np.concatenate([ends, np.nextafter(ends, 0), np.nextafter(ends, np.inf)])
    rounded, single = np.round(decimals, 3), decimals.astype(np.float32).astype(np.float64)
    for values in (ends, decimals, rounded, single, bits[np.isfinite(bits)], ends[:0]):
        assert arrow.texts(values) == [*map(repr, values.tolist())]


@pytest.mark.parametrize("module", [None, ModuleType("pyarrow")])
def test_without_pyarrow_or_with_half_of_it_numbers_are_python_s(
    module: ModuleType | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", module)
    monkeypatch.delitem(sys.modules, "pyarrow.csv", raising=False)
    monkeypatch.setattr(arrow, "_imported", {})
    assert arrow.numbers(["1,2"], 2, (0, 1), ",") is None
    assert arrow.texts(np.array([0.1, 2.0])) == ["0.1", "2.0"]
