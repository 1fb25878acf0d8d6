"""Rows as they come from text: each is predicted, or is named and left out."""

import codecs
import gzip
import io
import itertools
from pathlib import Path

import numpy as np
import pytest

from octet.errors import OctetError
from octet.network import Network
from octet.rows.csv import CSV, Dialect
from octet.rows.text import blocks
from octet.runtime.predict import opened, predict
from octet.signature import Classes, Columns, Signature
from tests.octet.networks import in_array, of_text
from tests.octet.rowfiles import FLOWERS, TABLE, X, expected, predicted

NO_HEADER = Dialect(header=False)


def from_csv(
    folder: Path, text: str | bytes, network: Network = TABLE, dialect: Dialect = CSV
) -> tuple[list[list[float]], str]:
    file = folder / "rows.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    return predicted(file, network, dialect=dialect)


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize(
    ("head", "line"),
    [
        ("", "{a},{b},{c}"),
        ("a,b,c", "{a},{b},{c}"),
        ("name,c,price,a, b", "x,{c},0,{a}, {b}"),
        ('\ufeff"a","b","c"', '{a},"{b}",{c}'),
    ],
)
def test_columns_are_found_by_name_in_any_order_or_by_place(
    tmp_path: Path, head: str, line: str, ending: str
) -> None:
    lines = [line.format(a=a, b=b, c=c) for a, b, c in X.tolist()]
    for end in ([], [""], ["", "", ""]):
        text = ending.join([*filter(None, [head]), *lines, *end])
        dialect = CSV if head else NO_HEADER
        assert from_csv(tmp_path, text, dialect=dialect) == (expected(X), "")


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ("a,b", "no column c; got a, b; allowed are, in any order, a, b, c"),
        ("a,b,C", "no column c;"),
        ("a,a,b,c", "more than one column a"),
    ],
)
def test_columns_that_are_not_the_models_are_named(
    tmp_path: Path, names: str, message: str
) -> None:
    _, said = from_csv(tmp_path, f"{names}\n1,2,3,4\n")
    assert said.startswith(f"line 1: {message}")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("1,2", "got 2 columns; allowed are 3"),
        ("1,2,3,4", "got 4 columns; allowed are 3"),
        ("1,x,3", "b: got 'x'; allowed is a finite number"),
        ("1,,3", "b: got ''"),
        ("nan,2,3", "a: got 'nan'"),
        ("1,2,-inf", "c: got '-inf'"),
        ("1,2,1e999", "c: got '1e999'"),
        ("1,2,0x10", "c: got '0x10'"),
        ("1_0,2,3", "a: got '1_0'"),
        ("# no,comment,here", "a: got '# no'"),
        ('1,2,"3', "not a line of CSV: got a quote without its other end, or with text beside it"),
        ('4"\r,2,3', "got 1 columns; allowed are 3"),
        ("1,2," + "9" * 200_000, "not a line of CSV: got a field of more than 131072 characters"),
        ("1,2,\x00", "c: got '"),
        ("1,2,\ud800".encode("utf-8", "surrogatepass"), "c: got '"),
        ("", "got an empty line; allowed are 3 columns"),
        ("1,2," + "9" * 400, "c: got '9999999999999999999999999999999999999999…'"),
        ("9" * 2**21, "longer than 1048576 characters; is this CSV?"),
        ("1e308,-1e308,1e308", "its numbers are too large or too small for this model"),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_a_bad_row_is_named_after_all_before_it_were_predicted(
    tmp_path: Path, row: str | bytes, message: str
) -> None:
    bad = row if isinstance(row, bytes) else row.encode()
    for place, head in ((2, b""), (3, b"a,b,c\n")):
        text = head + b"1,2,3\n" + bad + b"\n4,5,6\n"
        outputs, said = from_csv(tmp_path, text, dialect=CSV if head else NO_HEADER)
        assert said.startswith(f"line {place}: {message}")
        assert outputs == expected(X[:1])


TEXT = of_text()
RAW = "city,age,note\nRome,20,x\n,NA,\nParis,?,\n"
PRICES = [11.0, 116.0, 216.0]


@pytest.mark.parametrize(
    ("content", "dialect"),
    [
        (RAW.encode(), CSV),
        (gzip.compress(RAW.encode()), CSV),
        (gzip.compress(RAW[:20].encode()) + gzip.compress(RAW[20:].encode()), CSV),
        (RAW.encode("utf-16"), CSV),
        (codecs.BOM_UTF16_BE + RAW.encode("utf-16-be"), CSV),
        (RAW.encode("utf-8-sig"), CSV),
        (RAW.replace(",x", ",Größe").encode("latin1"), CSV),  # of a column that nobody reads
        (RAW.replace("\n", "\r").encode(), CSV),
        (RAW.replace(",x", ',"a\r\nb\n\n"').encode(), CSV),
        (RAW.replace("Rome,20", '"Rome","20"').encode(), CSV),
        (RAW.replace(",", ";").replace("20", "20,0").encode(), Dialect(";", ",")),
        (RAW.replace(",", "\t").encode(), Dialect("\t")),
        (b"20,Rome\n,\n?,Paris", NO_HEADER),
    ],
    ids=itertools.count(),
)
def test_text_and_gaps_are_read_however_they_are_written(
    tmp_path: Path, content: bytes, dialect: Dialect
) -> None:
    assert from_csv(tmp_path, content, TEXT, dialect) == ([[each] for each in PRICES], "")


NO_UTF8 = "; not UTF-8? `iconv -f LATIN1 -t UTF-8` makes it that"


@pytest.mark.parametrize(
    ("text", "message", "way_out"),
    [
        ("", "it is empty; line 1 has the names of the columns", ""),
        ("city;age\n", "line 1: got one column; separated by ';'", "? use --separator ';'"),
        ("city\tage\n", "line 1: got one column; separated by tab", "? use --separator tab"),
        (
            "0,1\n20,Rome\n",
            "line 1: no column age, city; got 0, 1; allowed are, in any order, age, city",
            "; if it is a row, and the columns are in this order, say --no-header",
        ),
        ("city,age\nRome;2\n", "line 2: got one column; separated by ';'", "? use --separator ';'"),
        ('city,age\nRome,"2,5"\n', "line 2: age: got '2,5'", "; decimal commas? use --decimal ','"),
        (
            "city,age\nrome,2\n",
            "line 2: city: got 'rome'",
            "allowed is Rome, Oslo, Paris or nothing",
        ),
        (b"city,age\nM\xfcnchen,2\n", "line 2: city: got 'M\ufffdnchen'", NO_UTF8),
        (b"city,\xc4ge\n", "line 1: no column age; got city, \ufffdge", NO_UTF8),
        ('city,age,x\nRome,2,"a\nRome,3,4\n', "line 2: not a line of CSV: got a quote without", ""),
        (gzip.compress(b"city,age\n")[:-9], "a damaged gzip file (", "; fetch or pack it"),
        (gzip.compress(b"city,age\n")[:-2] + b"xx", "a damaged gzip file (", "; fetch or"),
    ],
    ids=itertools.count(),
)
def test_what_people_have_is_told_what_to_do(
    tmp_path: Path, text: str | bytes, message: str, way_out: str
) -> None:
    outputs, said = from_csv(tmp_path, text, TEXT)
    assert not outputs
    assert said.startswith(message)
    assert way_out in said


def test_a_point_between_thousands_is_no_decimal_comma(tmp_path: Path) -> None:
    thousands = from_csv(tmp_path, "city;age\nRome;1.234\n", TEXT, Dialect(";", ","))
    assert thousands == ([], "line 2: age: got '1.234'; allowed is a finite number or nothing")


def test_a_quote_that_never_ends_costs_one_line_in_whatever_part_it_stands(tmp_path: Path) -> None:
    lines = ["20,Rome,x"] * 60_000
    for place in (10, 29_990, 59_999):
        lines[place] = '20,Rome,"x'
    file = tmp_path / "rows.csv"
    file.write_text("\n".join(["age,city,note", *lines]))
    with opened(file, TEXT.signature, with_truth=False) as rows:
        parts = [*predict(TEXT, rows, skip=True)]
    skipped = [each.removeprefix(f"{file}: line ") for part in parts for each in part.skipped]
    assert [int(each.split(":")[0]) for each in skipped] == [12, 29_992, 60_001]
    assert sum(len(part.outputs) for part in parts) == 60_000 - 3


def test_a_quote_that_never_ends_costs_one_line_wherever_parts_of_long_lines_end(
    tmp_path: Path,
) -> None:
    row = ",".join(["1.25"] * 2400)
    for before in (0, 1500, 12_000):
        file = tmp_path / "rows.csv"
        file.write_text("x" * before + f'\n"{row}\n' + f"{row}\n" * 150)
        with file.open("rb") as stream:
            records = [len(block.records) for block in blocks(stream, "rows", ",")]
        assert sum(records) == 152


@pytest.mark.parametrize(("name", "separator"), [("tab", "\t"), ("space", " "), ("comma", ",")])
@pytest.mark.parametrize("last", ["Rome{}1\n", "rome{}1\n", ""])
def test_a_row_of_nothing_but_gaps_is_one_whatever_comes_with_it(
    tmp_path: Path, name: str, separator: str, last: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text(f"city{separator}age\n{separator}\n{last.format(separator)}\n\n")
    with opened(file, TEXT.signature, with_truth=False, dialect=Dialect(separator)) as rows:
        (part,) = predict(TEXT, rows, skip=True)
    assert part.places.tolist() == ([2, 3] if last.startswith("R") else [2]), name
    assert len(part.skipped) == last.startswith("r")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (RAW.encode("utf-16"), RAW.splitlines()),
        (gzip.compress(RAW.encode(), mtime=0), RAW.splitlines()),
        (b"7", ["7"]),
    ],
    ids=["utf-16", "gzip", "one byte"],
)
def test_a_pipe_is_known_by_its_start_though_that_comes_byte_by_byte(
    content: bytes, expected: list[str]
) -> None:
    class Slow(io.RawIOBase):
        rest = content

        def readable(self) -> bool:
            return True

        def readinto(self, buffer: bytearray) -> int:
            first, self.rest = self.rest[:1], self.rest[1:]
            buffer[: len(first)] = first
            return len(first)

    parts = [*blocks(io.BufferedReader(Slow()), "pipe", ",")]
    assert [record for part in parts for record in part.records] == expected


def test_places_are_those_of_lines_though_quotes_hold_more_of_them(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text('age,city,note\n1,Rome,"a\nb"\n\n2,Rome,c\n3,Rome,"\n\n"\n4,Oslo,d\n\n')
    with opened(file, TEXT.signature, with_truth=False) as rows:
        (part,) = predict(TEXT, rows, skip=True)
    assert part.places.tolist() == [2, 5, 6, 9]
    assert part.skipped == (f"{file}: line 4: got an empty line; allowed are 3 columns",)


def test_an_array_as_csv_is_its_numbers_and_a_line_that_may_number_them_is_asked_about(
    tmp_path: Path,
) -> None:
    network = in_array()
    x = np.arange(6.0) / 8
    text = ",".join(map(str, x)) + "\n"
    outputs = expected(x.reshape(1, 2, 3), network)
    assert from_csv(tmp_path, text, network) == (outputs, "")
    for header in ("0,1,2,3,4,5\n", "1,2,3,4,5,6\n"):
        _, said = from_csv(tmp_path, header + text, network)
        assert said.startswith("line 1: got ")
        assert said.endswith("; if they are a row, say --no-header")
        assert from_csv(tmp_path, header + text, network, NO_HEADER)[0][1:] == outputs
    _, said = from_csv(tmp_path, "a,b,c,d,e,f\n" + text, network)
    assert said.startswith(
        "line 1: got names, a, b, c, d, e, f; allowed are the 6 numbers of a row"
    )


NUMBERED = Network(FLOWERS.layers, Signature(FLOWERS.signature.inputs, Classes(("-2", "1"))))


def truths(folder: Path, text: str, network: Network) -> tuple[list[float] | None, str]:
    """The targets or labels in a file of CSV, and what is said of the first row that is bad."""
    file = folder / "rows.csv"
    file.write_text(text)
    found: list[float] | None = None
    try:
        with opened(file, network.signature, with_truth=True) as rows:
            for some in predict(network, rows, skip=False):
                if some.truth is not None:
                    found = [*(found or []), *some.truth.tolist()]
    except OctetError as error:
        return found, str(error).removeprefix(f"{file}: ")
    return found, ""


@pytest.mark.parametrize(
    ("network", "text", "expected"),
    [
        (TABLE, "a,b,c,price\n1,2,3,7.5\n4,5,6,-1\n", [7.5, -1]),
        (TABLE, "price,c,b,a\n7.5,3,2,1\n", [7.5]),
        (TABLE, "a,b,c\n1,2,3\n", None),
        (FLOWERS, "a,b,c,class\n1,2,3,rose\n4,5,6, rose\n", [1, 1]),
        (FLOWERS, 'class,a,b,c\n"iris, blue",1,2,3\nrose,4,5,6\n', [0, 1]),
        (FLOWERS, "a,b,c,label\n1,2,3,rose\n", None),
        (FLOWERS, "a,b,c\n1,2,3\n", None),
        (NUMBERED, "a,b,c,class\n1,2,3,1\n4,5,6,1.0\n7,8,9,-2.\n7,8,9,1e0\n", [1, 1, 0, 1]),
    ],
    ids=lambda value: value[:12] if isinstance(value, str) else "",
)
def test_the_truth_is_a_column_of_the_target_or_of_names_of_classes(
    tmp_path: Path, network: Network, text: str, expected: list[float] | None
) -> None:
    assert truths(tmp_path, text, network) == (expected, "")


@pytest.mark.parametrize(
    ("network", "line", "message"),
    [
        (TABLE, "1,2,3,dear", "price: got 'dear'; allowed is a finite number"),
        (FLOWERS, "1,2,3,tulip", "class: got 'tulip'; allowed is iris, blue, rose"),
        (FLOWERS, "1,2,3,", "class: got ''; allowed is iris, blue, rose"),
        (FLOWERS, "1,2,3,1", "class: got '1'; allowed is iris, blue, rose"),
        (NUMBERED, "1,2,3,1.5", "class: got '1.5'; allowed is -2, 1"),
        (NUMBERED, "1,2,3,one", "class: got 'one'; allowed is -2, 1"),
        (FLOWERS, "1,x,3,rose", "b: got 'x'; allowed is a finite number"),
    ],
)
def test_a_truth_that_is_none_is_named(
    tmp_path: Path, network: Network, line: str, message: str
) -> None:
    column = network.signature.outputs.column
    good = "rose" if network is FLOWERS else 1
    _, said = truths(tmp_path, f"a,b,c,{column}\n1,2,3,{good}\n{line}\n", network)
    assert said == f"line 3: {message}"


def test_a_feature_that_is_called_as_the_truth_is_a_feature(tmp_path: Path) -> None:
    signature = Signature(Columns(("a", "b", "class")), FLOWERS.signature.outputs)
    network = Network(FLOWERS.layers, signature)
    assert truths(tmp_path, "a,b,class\n1,2,3\n", network) == (None, "")
