"""The gate: what is bad fails, what is missing fails, and nothing else does."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import stages.gate
from tests.stages.documents import REAL, changed

IMAGES = "digits"
TABLE = "california"
RATE = {"accuracy": 0.99, "accuracy_noisy": 0.98, "log_loss": 0.1}
SIZE = {"float_payload": 1000, "codes": 250, "scales": 50}
ROUNDING = {"rows": 10, "rows_searched": 5, "rows_proven": 5}
GOOD: dict[str, dict[str, Any]] = {
    IMAGES: {
        "float": RATE,
        "quantized": RATE,
        "parameters": {"count": 1698},
        "rounding": ROUNDING,
        "size": SIZE,
        "verdict": {"low": -0.01, "high": 0.01, "margin": 0.02, "non_inferior": 1, "gained": 1},
    },
    TABLE: {
        "float": {"r2": 0.58},
        "quantized": {"r2": 0.57},
        "parameters": {"count": 9},
        "rounding": ROUNDING,
        "size": SIZE,
        "verdict": {"low": -0.001, "high": 0.009, "margin": 0.01, "non_inferior": 1},
    },
}
NEEDED = [
    (system, group, key)
    for system, groups in {
        IMAGES: {
            "quantized": ["accuracy", "accuracy_noisy"],
            "parameters": ["count"],
        },
        TABLE: {"quantized": ["r2"]},
    }.items()
    for group, keys in {
        **groups,
        "rounding": ["rows_searched", "rows_proven"],
        "size": list(SIZE),
        "verdict": ["low", "high", "margin", "non_inferior"],
    }.items()
    for key in keys
]


@dataclass(frozen=True)
class Done:
    """What the command printed, and its exit status."""

    status: int
    stdout: str
    stderr: str


Gate = Callable[..., Done]


@pytest.fixture
def gate(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Gate:
    """Run the command where these metrics are, of the systems above."""
    monkeypatch.chdir(tmp_path)

    def run(metrics: dict[str, Any], params: dict[str, object] | None = None) -> Done:
        few = changed({"systems": {name: REAL["systems"][name] for name in GOOD}})
        for key, value in (params or {}).items():
            section: Any = few
            *path, last = key.split(".")
            for part in path:
                section = section[part]
            section[last] = value
        Path("params.yaml").write_text(yaml.safe_dump(few))
        Path("metrics").mkdir()
        for name, content in metrics.items():
            text = content if isinstance(content, str) else json.dumps(content)
            Path(f"metrics/{name}.json").write_text(text)
        status, message = 0, ""
        try:
            stages.gate.main()
        except SystemExit as end:
            status, message = (1, str(end.code)) if isinstance(end.code, str) else (2, "")
        return Done(status, capsys.readouterr().out, message)

    return run


def failures(done: Done) -> list[tuple[str, str]]:
    """System and gate of each row that failed; the exit status must fit."""
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in done.stdout.splitlines()]
    failed = [(row[0], row[1]) for row in rows if row[-1] == "FAIL"]
    assert done.status == (1 if failed else 0)
    return failed


def good() -> dict[str, Any]:
    """A copy in which no two systems share a group."""
    return json.loads(json.dumps(GOOD))


def with_value(system: str, group: str, key: str, value: object) -> dict[str, Any]:
    metrics = good()
    metrics[system][group][key] = value
    return metrics


def test_good_models_pass_every_gate_in_a_sorted_table(gate: Gate) -> None:
    done = gate(GOOD)
    assert not failures(done)
    rows = [line.split("|")[1:3] for line in done.stdout.splitlines()[2:]]
    assert rows == sorted(rows)
    assert len(rows) == 6 + 4


@pytest.mark.parametrize(
    ("system", "group", "key_and_value", "what"),
    [
        (IMAGES, "verdict", ("low", -0.0201), "not inferior"),
        (TABLE, "verdict", ("high", 0.0101), "not inferior"),
        (TABLE, "verdict", ("non_inferior", 0), "not inferior"),
        (TABLE, "verdict", ("margin", 0.5), "not inferior"),
        (TABLE, "verdict", ("low", 0.02), "not inferior"),
        (TABLE, "quantized", ("r2", 0.499), "R²"),
        (IMAGES, "quantized", ("accuracy", 0.949), "accuracy"),
        (IMAGES, "quantized", ("accuracy_noisy", 0.89), "accuracy under noise"),
        (IMAGES, "parameters", ("count", 2001), "parameters"),
        (IMAGES, "parameters", ("count", 0), "parameters"),
        (IMAGES, "size", ("codes", 351), "codes + scales"),
        (TABLE, "size", ("scales", 151), "codes + scales"),
        (TABLE, "size", ("float_payload", 0), "codes + scales"),
        (TABLE, "size", ("codes", -1), "codes + scales"),
        (TABLE, "rounding", ("rows_proven", 4), "exact, proven"),
        (TABLE, "rounding", ("rows_searched", 0), "exact, proven"),
    ],
)
def test_what_is_worse_than_allowed_fails_and_only_that(
    gate: Gate, system: str, group: str, key_and_value: tuple[str, float], what: str
) -> None:
    assert failures(gate(with_value(system, group, *key_and_value))) == [(system, what)]


@pytest.mark.parametrize(("system", "group", "key"), NEEDED)
@pytest.mark.parametrize(
    "value",
    [None, float("nan"), float("inf"), "0.99", True, [1], 10**400],
    ids=lambda value: str(value)[:9],
)
def test_what_is_no_number_fails(
    gate: Gate, system: str, group: str, key: str, value: object
) -> None:
    failed = failures(gate(with_value(system, group, key, value)))
    assert {name for name, _ in failed} == {system}


@pytest.mark.parametrize(("system", "group", "key"), NEEDED)
def test_what_is_missing_fails(gate: Gate, system: str, group: str, key: str) -> None:
    metrics = good()
    del metrics[system][group][key]
    assert {name for name, _ in failures(gate(metrics))} == {system}


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "null", "3", '"x"', '{"verdict": 1}', "[" * 100_000, "\x00"],
    ids=lambda text: repr(text[:9]),
)
def test_a_file_without_metrics_fails_every_gate_of_its_system(gate: Gate, text: str) -> None:
    failed = failures(gate(GOOD | {TABLE: text}))
    assert failed == [
        (TABLE, what) for what in ("R²", "codes + scales", "exact, proven", "not inferior")
    ]


def test_a_missing_file_fails_every_gate_of_its_system(gate: Gate) -> None:
    failed = failures(gate({IMAGES: GOOD[IMAGES]}))
    assert {name for name, _ in failed} == {TABLE}


def test_a_file_of_no_system_fails(gate: Gate) -> None:
    assert failures(gate(GOOD | {"stranger": GOOD[TABLE]})) == [("stranger", "metrics")]


def test_a_proof_is_asked_for_only_where_rounding_is_exact(gate: Gate) -> None:
    unproven = with_value(TABLE, "rounding", "rows_proven", 0)
    own = {f"systems.{TABLE}.quant": {"rounding": "gptq"}}
    assert not failures(gate(unproven, own))


def test_a_system_may_have_a_gate_of_its_own(gate: Gate) -> None:
    own = {f"systems.{TABLE}.gates": {"r2": 0.571}}
    assert failures(gate(GOOD, own)) == [(TABLE, "R²")]


def test_bad_parameters_are_one_line(gate: Gate) -> None:
    done = gate(GOOD, {"gates.r2": "high"})
    assert done.status == 1
    assert done.stderr.startswith("error: params.yaml: gates.r2: got 'high'; allowed is")
    assert "\n" not in done.stderr
