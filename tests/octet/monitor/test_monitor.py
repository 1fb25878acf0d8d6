"""python -m octet monitor: real runs of the command, and what it must never do."""

import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octet.layers import Linear
from octet.modelfile.arrays import dump_arrays, load_arrays
from octet.modelfile.storage import dump_network
from octet.monitor import evidence
from octet.monitor.draws import uniform
from octet.monitor.reference import take_reference
from octet.network import Network
from octet.provenance import md5
from octet.signature import Columns, Numbers, Signature
from tests.conftest import ROOT
from tests.octet.monitor.command import COUNT, Octet, Said, piped
from tests.octet.networks import images, in_float, rows, table


def test_rows_as_before_raise_no_alarm_and_others_do_by_name(
    octet: Octet, folder: Path, tmp_path: Path
) -> None:
    how = (
        "model.safetensors",
        "--against",
        folder / "float.safetensors",
        "--share",
        "0.3",
    )
    calm = octet(*how, "rows.csv", "--state", tmp_path / "calm", "--json")
    assert calm.status == 0
    assert calm.facts["alarm"] is False
    assert calm.facts["rows"] == COUNT
    compared = {s["stream"]: s["rows"] for s in calm.facts["streams"]}
    assert compared.keys() == {"rows", "inputs", "clipping", "outputs", "disagreement", "errors"}
    assert 0.25 * COUNT < compared["disagreement"] < 0.35 * COUNT
    assert compared["errors"] == COUNT

    said = octet(*how, "moved.csv", "--state", tmp_path / "moved", "--json")
    assert said.status == 3
    verdicts = {(s["stream"], s["name"]): s for s in said.facts["streams"]}
    moved = verdicts["inputs", "<b>"]
    assert moved["verdict"] == "changed"
    assert 700 < moved["since"] < 1300
    assert moved["estimate"]["low"] > moved["estimate"]["reference"]
    assert all(verdicts["inputs", name]["verdict"] == "-" for name in "acde")

    text = octet(*how, "moved.csv", "--state", tmp_path / "moved").out
    assert text.startswith("ALARM: something has changed; 3,000 rows; evidence ")
    assert re.search(r"^inputs <b> +3,000 .* changed$", text, re.MULTILINE)


def test_however_rows_are_cut_and_whenever_it_was_killed_each_counts_once(
    octet: Octet, folder: Path, tmp_path: Path
) -> None:
    text = (folder / "moved.csv").read_text()
    head, *lines = text.splitlines(keepends=True)
    broken = [*lines[:700], "1,2,3\n", *lines[700:]]
    whole, state = tmp_path / "whole", tmp_path / "state"
    (tmp_path / "rows.csv").write_text("".join([head, *broken]))
    expected = octet("model.safetensors", tmp_path / "rows.csv", "--state", whole, "--json")
    assert expected.evidence()["rows unusable"][0] == COUNT + 1

    command = [sys.executable, "-m", "octet", "monitor", "model.safetensors", "--state", str(state)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, cwd=folder, env=environment, text=True
    ) as running:
        assert running.stdin
        running.stdin.write("".join([head, *broken[:999]]))
        running.stdin.flush()
        while not state.exists():
            time.sleep(0.02)
        refused = octet("model.safetensors", "rows.csv", "--state", state)
        assert (refused.status, "another monitor works on this state" in refused.err) == (1, True)
        running.kill()
    again = piped(folder, state, "".join([head, *broken]), "--resume")
    assert again.returncode == 3
    assert "passed over the rows that were counted before, up to line " in again.stderr
    assert Said(3, again.stdout, "").evidence() == expected.evidence()
    _, one = load_arrays(whole)
    _, other = load_arrays(state)
    assert one.keys() == other.keys()
    assert all(np.array_equal(one[name], other[name]) for name in one)


def test_rows_that_cannot_be_used_are_evidence_too(
    octet: Octet, folder: Path, tmp_path: Path
) -> None:
    lines = (folder / "rows.csv").read_text().splitlines(keepends=True)
    for i in range(2000, 3000, 20):
        lines[i] = "?" + lines[i]
    (tmp_path / "rows.csv").write_text("".join(lines))
    said = octet("model.safetensors", tmp_path / "rows.csv", "--state", tmp_path / "s", "--json")
    assert said.status == 3
    assert [s["name"] for s in said.facts["streams"] if s["verdict"] == "changed"] == ["unusable"]
    assert "some rows could not be used, the first: " in said.err


@pytest.mark.parametrize("pixels", [False, True])
def test_an_input_may_have_no_row_that_can_be_used_or_none_at_all(
    octet: Octet, tmp_path: Path, pixels: bool
) -> None:
    model, log = tmp_path / "model.safetensors", tmp_path / "log.csv"
    network = images(0) if pixels else table(0)
    x = rows(network, 600)
    model.write_bytes(dump_network(network, take_reference(network, (x, None), (x, None))))
    head = "" if pixels else ",".join(network.signature.inputs.names) + "\n"
    for count in (0, 40, 40, 90):
        log.write_text(head + "bad,1\n" * count)
        if pixels and not count:
            continue
        said = octet(model, log, "--state", tmp_path / "s", "--json")
        assert said.facts["rows"] == count
        assert said.evidence()["rows unusable"][0] == count
    good = ",".join(map(repr, x[0].ravel().tolist()))
    log.write_text(head + "bad,1\n" * 90 + f"{good}\n")
    assert octet(model, log, "--state", tmp_path / "s", "--json").facts["rows"] == 91


def test_a_reset_keeps_its_reason_and_counts_no_row_again(octet: Octet, tmp_path: Path) -> None:
    how = ("model.safetensors", "--state", tmp_path / "state")
    assert octet(*how, "moved.csv").status == 3
    said = octet(
        *how, "--reset", "b is in cents now <ok>", "--json", "--html", tmp_path / "page.html"
    )
    assert (said.status, said.facts["rows"]) == (0, 0)
    assert said.facts["resets"] == [
        {"alarm": True, "reason": "b is in cents now <ok>", "rows": COUNT}
    ]
    assert octet(*how, "moved.csv", "--json").facts["rows"] == 0
    text = octet(*how, "rows.csv", "--reset", "again").out
    assert "after 3,000 rows and an alarm: b is in cents now <ok>" in text
    assert "b is in cents now &lt;ok&gt;" in (tmp_path / "page.html").read_text()


def test_a_reset_with_rows_that_cannot_be_read_puts_nothing_away(
    octet: Octet, tmp_path: Path
) -> None:
    state, bad = tmp_path / "state", tmp_path / "bad.npy"
    bad.write_bytes(b"no array")
    assert octet("model.safetensors", "moved.csv", "--state", state).status == 3
    before = state.read_bytes()
    how = ("model.safetensors", "--state", state, "--reset", "b is in cents now")
    for path in (bad, tmp_path / "missing.csv"):
        assert octet(*how, path).status == 1
        assert state.read_bytes() == before
    said = octet(*how, "rows.csv", "--json")
    assert (said.status, said.facts["rows"], len(said.facts["resets"])) == (0, COUNT, 1)


def test_a_path_of_bytes_that_are_no_text_is_shown_as_they_are(
    octet: Octet, folder: Path, tmp_path: Path
) -> None:
    model, page = Path(os.fsdecode(bytes(tmp_path) + b"/b\xff")), tmp_path / "page.html"
    model.write_bytes((folder / "model.safetensors").read_bytes())
    said = octet(model, "rows.csv", "--state", tmp_path / "s", "--json", "--html", page)
    assert (said.status, said.facts["model"]) == (0, rf"{tmp_path}/b\udcff")
    assert r"/b\udcff, 3,000 rows" in page.read_text()


def test_the_page_needs_nothing_else_and_takes_no_orders_from_names(
    octet: Octet, folder: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.html"
    octet(
        "model.safetensors",
        folder / "moved.csv",
        "--state",
        tmp_path / "s",
        "--html",
        page,
    )
    text = page.read_text()
    assert "default-src 'none'" in text
    assert not re.search(r"<script|<img|<link|href=|src=|url\(|@import|https?://", text)
    assert "<b>" not in text
    assert "inputs &lt;b&gt;" in text
    assert text.count("<polyline") == 5
    assert 'class="level"' in text
    assert text.count("<figure") == text.count("</svg></figure>") == 5 + 3 + 1 + 1


def test_a_model_that_no_pipeline_made_knows_the_rows_that_it_was_given(
    octet: Octet, tmp_path: Path
) -> None:
    out = tmp_path / "out.safetensors"
    rows = ("--rows", "rows.csv", "--reference", tmp_path / "others.csv")
    (tmp_path / "others.csv").write_bytes(Path("rows.csv").read_bytes())
    made = octet("float.safetensors", out, *rows, "--rounding", "nearest", command="quantize")
    assert made.status == 0
    said = octet(out, "moved.csv", "--state", tmp_path / "s", "--json")
    assert {s["stream"] for s in said.facts["streams"]} == {"rows", "inputs", "clipping", "outputs"}
    assert said.status == 3


def test_above_a_margin_it_alarms_and_below_it_does_not(octet: Octet, tmp_path: Path) -> None:
    network = images(0)
    x = rows(network, 400)
    reference = take_reference(network, (x, None), (x, None), in_float(network))
    (tmp_path / "model").write_bytes(dump_network(network, reference))
    (tmp_path / "float").write_bytes(dump_network(in_float(network)))
    bias = network.layers[-1].bias
    flipped = replace(network.layers[-1], bias=replace(bias, codes=bias.codes[::-1].copy()))
    other = in_float(replace(network, layers=(*network.layers[:-1], flipped)))
    (tmp_path / "other").write_bytes(dump_network(other))
    np.save(tmp_path / "rows.npy", x)
    how = (tmp_path / "model", tmp_path / "rows.npy", "--share", 1, "--margin", 0.2)
    for against, verdict in (("float", "-"), ("other", "changed")):
        state = tmp_path / f"{against}.state"
        for _ in range(2):
            said = octet(*how, "--against", tmp_path / against, "--state", state, "--json")
            (stream,) = (s for s in said.facts["streams"] if s["stream"] == "disagreement")
            assert (stream["verdict"], stream["margin"], stream["rows"]) == (verdict, 0.2, 400)
    page = tmp_path / "page.html"
    text = octet(*how, "--against", tmp_path / "other", "--state", state, "--html", page).out
    assert re.search(r"^disagreement class above 0\.2 .*changed$", text, re.MULTILINE)
    assert "disagreement class" in page.read_text()


def test_a_state_of_thirty_columns_is_small(octet: Octet, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    names = tuple(f"column {i} of a table" for i in range(30))
    network = Network(
        (Linear(np.ones((1, 30)), np.zeros(1)),), Signature(Columns(names), Numbers("y", ""))
    )
    x = rng.normal(size=(20_000, 30))
    model, without = (
        dump_network(network, take_reference(network, (x, x[:, 0]), (x, x[:, 0]), network)),
        dump_network(network),
    )
    assert len(model) - len(without) < 20_000
    (tmp_path / "model.safetensors").write_bytes(model)
    np.save(tmp_path / "rows.npy", x[:3000])
    said = octet(
        tmp_path / "model.safetensors", tmp_path / "rows.npy", "--state", tmp_path / "state"
    )
    assert said.status == 0
    assert (tmp_path / "state").stat().st_size <= 85_000  # and 200 points of history are 12 kB


def test_what_was_drawn_once_is_kept_and_not_drawn_again(
    octet: Octet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = [tmp_path / "one", tmp_path / "other"]
    for state in states:
        octet("model.safetensors", "rows.csv", "--state", state)
    for state in states:
        octet("model.safetensors", "moved.csv", "--state", state)
        # From here on as with a NumPy whose Generator.beta gives other numbers.
        monkeypatch.setattr(evidence, "_edges", lambda _, ranks, __: np.zeros(len(ranks)))
    assert states[0].read_bytes() == states[1].read_bytes()


def test_uniform_numbers_are_made_of_the_raw_bits_alone() -> None:
    assert uniform((7, 1), 5, 3).tolist() == [
        0.5017284715028505,
        0.9928265902804105,
        0.30638124383296217,
    ]
    assert uniform((7, 1), 7, 1).tolist() == [0.30638124383296217]


def test_threads_draw_what_one_draws() -> None:
    def draw(before: int) -> list[float]:
        return uniform((7, 2), before, 2000).tolist()

    places = range(0, 400_000, 1000)
    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(draw, places))
    assert together == [*map(draw, places)]


def _damaged(state: Path) -> None:
    content = bytearray(state.read_bytes())
    content[-9] ^= 1
    state.write_bytes(content)


def _cut(state: Path) -> None:
    state.write_bytes(state.read_bytes()[:-100])


def _edition(state: Path) -> None:
    header, arrays = load_arrays(state)
    header["monitor"]["edition"] = 3
    state.write_bytes(dump_arrays(header, arrays))


def _nothing(state: Path) -> None:
    state.write_bytes(dump_arrays({}, {}))


NO_STATE = "got no whole state of `octet monitor`; move it away and begin a new one"
STATES = [
    (_damaged, (), NO_STATE),
    (_cut, (), NO_STATE),
    (_nothing, (), NO_STATE),
    (_edition, (), "got a state of edition 3; allowed is 2: begin a new one under another name"),
    (None, ("--alpha", "0.01"), "got --alpha 0.01; it was started with 0.05"),
    (
        None,
        ("--against", "float.safetensors"),
        "got --against float.safetensors, MD5 {}; it was started with none, for which its level",
    ),
    (None, ("other.safetensors",), "got the state of another model, MD5 "),
]


@pytest.mark.parametrize(("damage", "arguments", "message"), STATES)
def test_a_state_that_is_not_this_ones_is_refused_and_stays(
    octet: Octet,
    tmp_path: Path,
    damage: Callable[[Path], None] | None,
    arguments: Sequence[str],
    message: str,
) -> None:
    state = tmp_path / "state"
    assert octet("model.safetensors", "rows.csv", "--state", state).status == 0
    if damage:
        damage(state)
    before = state.read_bytes()
    model = [] if arguments[:1] == ("other.safetensors",) else ["model.safetensors"]
    said = octet(*model, *arguments, "rows.csv", "--state", state)
    assert said.status == 1
    message = message.format(md5(Path("float.safetensors")))
    assert said.err.startswith(f"error: {state}: {message}")
    assert state.read_bytes() == before


ARGUMENTS = [
    (("first.safetensors",), "first.safetensors: it knows of no rows to compare with, as files of"),
    (("first.safetensors",), "`dvc repro quantize@SYSTEM`, or `octet quantize --ref"),
    (("model.safetensors", "--alpha", "0"), "--alpha: got 0; allowed is 1e-09 to 0.5"),
    (("model.safetensors", "--alpha", "nan"), "--alpha: got nan; allowed is 1e-09 to 0.5"),
    (("model.safetensors", "--alpha", "1e-320"), "--alpha: got 9.99989e-321; allowed is 1e-09"),
    (
        ("model.safetensors", "--margin", "0.1"),
        "--margin: got 0.1; allowed is 1e-09 to below 1, with --against",
    ),
    (
        ("model.safetensors", "--against", "float.safetensors", "--margin", "1e-20"),
        "--margin: got 1e-20; allowed is 1e-09 to below 1",
    ),
    (
        ("model.safetensors", "--against", "float.safetensors", "--margin", "0.1"),
        "--margin: got a model of numbers; allowed is one of classes",
    ),
    (("model.safetensors", "--share", "2"), "--share: got 2; allowed is 1e-09 to 1"),
    (("model.safetensors", "--reset", " "), "--reset: got no reason; say what was found"),
    (("model.safetensors", "--reset", "b\udcff"), r"--reset: got b\udcff; allowed is text in UTF"),
    (("model.safetensors", "--reset", "b"), "state: got no such file; --reset puts away the evid"),
    (("model.safetensors", "--html", "{}/sub/../state"), "this is the file of the state; name a"),
    (("model.safetensors", "--html", "{}/.state.lock"), "this is the file of the lock; name anot"),
    (
        ("model.safetensors", "--against", "model.safetensors"),
        "got a model of other rows, or in codes",
    ),
    (
        ("model.safetensors", "--against", "weights.safetensors"),
        "weights.safetensors: got a model of other rows, or in codes; allowed is the float one",
    ),
    (
        ("other.safetensors", "--against", "float.safetensors"),
        "got a model of other rows, or in codes",
    ),
    (
        ("model.safetensors", "--html", "rows.csv"),
        "rows.csv: this is the file of the rows; name ano",
    ),
    (("model.safetensors", "--separator", "tab"), "separated by ','? use --separator"),
]


@pytest.mark.parametrize(("arguments", "message"), ARGUMENTS)
def test_what_is_not_allowed_is_said_in_one_line_and_begins_no_state(
    octet: Octet,
    tmp_path: Path,
    arguments: Sequence[str],
    message: str,
) -> None:
    given = [each.format(tmp_path) for each in arguments]
    said = octet(*given, "rows.csv", "--state", tmp_path / "state")
    assert said.status == 1
    assert message in said.err
    assert not (tmp_path / "state").exists()
