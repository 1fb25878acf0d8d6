"""Inputs that grow, in turn or while they are read: each of their rows counts once."""

import gzip
import io
import json
from pathlib import Path

import pytest

from octet.monitor.reading import Position, remembered
from octet.rows.text import blocks as text_blocks
from tests.octet.monitor.command import COUNT, Octet, lines_of, piped


def test_files_that_grow_in_turn_count_each_row_once(
    octet: Octet, folder: Path, tmp_path: Path
) -> None:
    head, *lines = lines_of(folder)
    how = ("model.safetensors", "--state", tmp_path / "state", "--json")
    a, b = tmp_path / "a.csv", tmp_path / "b.csv"
    passed = "passed over the rows that were counted before, up to line {}; {} are new\n"
    another = "b.csv: it begins as no input that was counted before; all 500 are new\n"
    for file, part, known, said in (
        (a, lines[:1000], 1000, ""),
        (b, lines[1000:1500], 1500, f"{tmp_path}/{another}"),
        (a, lines[:1001], 1501, passed.format(1001, 1)),
        (b, lines[1000:1600], 1601, passed.format(501, 100)),
        (a, lines[:1001], 1601, passed.format(1002, 0)),
    ):
        file.write_text("".join([head, *part]))
        out = octet(*how, file)
        assert (out.facts["rows"], out.err) == (known, said)
    grown = piped(folder, tmp_path / "state", "".join([head, *lines[:1201]]), "--resume")
    assert (json.loads(grown.stdout)["rows"], grown.stderr) == (1801, passed.format(1002, 200))
    refused = piped(folder, tmp_path / "state", "".join([head, *lines[7:]]), "--resume")
    assert refused.returncode == 1
    assert refused.stderr == (
        "error: standard input: --resume: it does not begin with rows that were counted before; "
        "without it, all are new\n"
    )


@pytest.mark.parametrize("left", ["", "0.1", "0.1,0.", "0.5,0.5,0.5,0.5,0.5,1", '0.5,"0.'])
def test_a_line_that_is_still_being_written_is_counted_when_it_is_whole(
    octet: Octet, folder: Path, tmp_path: Path, left: str
) -> None:
    lines = lines_of(folder)
    lines[2000] = "0.5,0.5,0.5,0.5,0.5,12\n" if '"' not in left else '0.5,"0.5",0.5,0.5,0.5,12\n'
    log, whole = tmp_path / "log.csv", tmp_path / "whole.csv"
    whole.write_text("".join(lines))
    expected = octet("model.safetensors", whole, "--state", tmp_path / "at once", "--json")
    how = ("model.safetensors", log, "--state", tmp_path / "state", "--json")
    log.write_text("".join([*lines[:2000], left]))
    for _ in range(2):
        said = octet(*how)
        assert said.facts["rows"] == 1999
        assert bool(left) == (
            f"{log}: line 2001 is not counted: it has no line end, or a quote that does not end, "
            "and may still be being written\n" in said.err
        )
    log.write_text("".join(lines))
    said = octet(*how)
    assert said.facts["rows"] == COUNT
    assert said.evidence() == expected.evidence()


def test_of_a_pipe_the_last_line_needs_no_end(folder: Path, tmp_path: Path) -> None:
    text = "".join(lines_of(folder)[:2001]).removesuffix("\n")
    said = piped(folder, tmp_path / "state", text)
    assert (json.loads(said.stdout)["rows"], said.stderr) == (2000, "")


@pytest.mark.parametrize("change", ["fewer", "a row", "a bad row"])
def test_a_log_that_begins_as_before_and_goes_on_otherwise_is_refused(
    octet: Octet, folder: Path, tmp_path: Path, change: str
) -> None:
    lines = lines_of(folder)[:2001]
    lines[700] = "?," + lines[700]
    log, state = tmp_path / "log.csv", tmp_path / "state"
    how = ("model.safetensors", log, "--state", state, "--json")
    log.write_text("".join(lines))
    assert octet(*how).facts["rows"] == 2000
    before = state.read_bytes()
    if change == "fewer":
        lines = lines[:1500]
    else:
        lines[600 if change == "a row" else 700] = lines[1]
    log.write_text("".join(lines))
    said = octet(*how)
    assert (said.status, state.read_bytes()) == (1, before)
    assert said.err == (
        f"error: {log}: its first row is one that was counted before, but up to line 2001 there "
        "are other rows now, or fewer; allowed is the same input, perhaps longer: take another "
        "--state, or count all of its rows anew with --reset REASON"
    )
    reset = octet(*how, "--reset", "it was written again")
    assert (reset.facts["rows"], len(reset.facts["resets"])) == (len(lines) - 1, 1)
    assert octet(*how).facts["rows"] == len(lines) - 1


def test_of_many_inputs_the_one_that_was_not_used_for_longest_is_forgotten() -> None:
    positions: tuple[Position, ...] = ()
    for i in [*range(16), 0, 16]:
        positions = remembered(positions, Position(i, f"first of {i}", ""))
    assert [one.place for one in positions] == [*range(2, 16), 0, 16]
    assert remembered(positions, Position()) == positions


ENDS = [
    (b"1,2\n3,4\n", [True, True]),
    (b"1,2\n3,4", [True, False]),
    (b"1,2\r3,4\r", [True, True]),
    (b"1,2\r\n3,4\r\n\r\n", [True, True]),
    (b"1,2\n3,4\n  ", [True, True]),
    (b"1,2\n\n\n3", [True, True, True, False]),
    (b'1,2\n3,"4\n', [True, False]),
    (b'1,2\n3,"4\n5', [True, False, False]),
    (b'1,2\n3,"4\n5"\n', [True, True]),
    (gzip.compress(b"1,2\n3,4", mtime=0), [True, False]),
    ("1,2\n3,4".encode("utf-16"), [True, False]),
]


@pytest.mark.parametrize(("content", "ended"), ENDS)
def test_which_records_have_an_end(content: bytes, ended: list[bool]) -> None:
    blocks = list(text_blocks(io.BufferedReader(io.BytesIO(content)), "log", ","))
    assert [block.ended for block in blocks for _ in block.records] == ended
