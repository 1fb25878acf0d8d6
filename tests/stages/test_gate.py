"""The gate: what is bad fails, what is missing fails, and nothing else does."""

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

import stages.commands.gate
from tests.stages.documents import changed

IMAGES = "digits"
TABLE = "california"
CLASSES = "diabetes"  # of a table, whatever params.yaml has under this name
RATE = {"accuracy": 0.99, "accuracy_noisy": 0.98, "log_loss": 0.1}
SIZE = {"float_payload": 1000, "codes": 250, "scales": 50, "quantized_payload": 300}
ROUNDING = {"rows": 10, "rows_searched": 5, "rows_proven": 5}
VERDICT = {"rows": 400, "rows_needed": 300, "non_inferior": 1}
GOOD: dict[str, dict[str, Any]] = {
    IMAGES: {
        "kind": "classification of images",
        "float": RATE,
        "quantized": RATE,
        "parameters": {"count": 1698},
        "rounding": ROUNDING,
        "size": SIZE,
        "verdict": VERDICT | {"low": -0.01, "high": 0.01, "margin": 0.02},
    },
    TABLE: {
        "kind": "regression of columns",
        "float": {"r2": 0.58},
        "quantized": {"r2": 0.57},
        "parameters": {"count": 9},
        "rounding": ROUNDING,
        "size": SIZE,
        "verdict": {
            **VERDICT,
            "low": -0.001,
            "high": 0.009,
            "margin": 0.01,
            "high_without": 0.008,
            "effective_rows": 100,
            "worse": 3,
            "worse_high": 0.03,
            "worse_by": 0.1,
        },
    },
    CLASSES: {
        "kind": "classification of columns",
        "float": {"accuracy": 0.97},
        "quantized": {"accuracy": 0.96},
        "parameters": {"count": 42},
        "rounding": ROUNDING,
        "size": SIZE,
        "verdict": VERDICT | {"low": -0.004, "high": 0.001, "margin": 0.005},
    },
}
# What params.yaml says is none of these tests' business.
GATES = {
    "mse_increase": 0.01,
    "worse_by": 0.1,
    "worse_share": 0.05,
    "accuracy_decrease": 0.005,
    "r2": 0.0,
    "accuracy": 0.95,
    "accuracy_noisy": 0.9,
    "saved": 0.6,
}
OWN: dict[str, dict[str, float]] = {
    IMAGES: {"accuracy_decrease": 0.02},
    TABLE: {"r2": 0.5},
    CLASSES: {},
}
NEEDED = [
    (system, group, key)
    for system, groups in {
        IMAGES: {
            "quantized": ["accuracy", "accuracy_noisy"],
            "parameters": ["count"],
        },
        TABLE: {"quantized": ["r2"]},
        CLASSES: {"quantized": ["accuracy"]},
    }.items()
    for group, keys in {
        **groups,
        "rounding": ["rows", "rows_searched", "rows_proven"],
        "size": list(SIZE),
        "verdict": sorted(GOOD[system]["verdict"]),
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
    monkeypatch.setattr(sys, "argv", ["gate"])

    def run(metrics: dict[str, Any], params: dict[str, object] | None = None) -> Done:
        few = changed({})
        few["systems"] = {name: few["systems"][name] for name in GOOD}
        few["gates"] |= GATES
        for name, own in OWN.items():
            few["systems"][name]["gates"] = own
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
        write_lock(metrics)
        status, message = 0, ""
        try:
            stages.commands.gate.main()
        except SystemExit as end:
            status, message = (1, str(end.code)) if isinstance(end.code, str) else (2, "")
        return Done(status, capsys.readouterr().out, message)

    return run


def write_lock(systems: Iterable[str]) -> None:
    """What DVC would know of these metrics: which parameters they are of, and their digests."""
    of = yaml.safe_load(Path("params.yaml").read_text())
    stages = {}
    for name in systems:
        content = Path(f"metrics/{name}.json").read_bytes()
        own = f"systems.{name}.quant"
        read = {"quant": of["quant"], own: of["systems"].get(name, {}).get("quant")}
        model = {"path": f"models/{name}", "md5": "0" * 32}
        metrics = {"path": f"metrics/{name}.json", "md5": hashlib.md5(content).hexdigest()}
        gates = {"params.yaml": {"gates.mse_increase": "not these", f"systems.{name}.gates": {}}}
        stages |= {
            f"quantize@{name}": {"deps": [], "params": {"params.yaml": read}, "outs": [model]},
            f"evaluate@{name}": {"deps": [model], "params": gates, "outs": [metrics]},
        }
    Path("dvc.lock").write_text(yaml.safe_dump({"stages": stages}))
    Path("dvc.yaml").write_text(yaml.safe_dump({"stages": {"quantize": {}, "evaluate": {}}}))


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
    assert len(rows) == 6 + 5 + 4


@pytest.mark.parametrize(
    ("system", "group", "key_and_value", "what"),
    [
        (IMAGES, "verdict", ("low", -0.0201), "not inferior"),
        (TABLE, "verdict", ("high", 0.0101), "not inferior"),
        (CLASSES, "verdict", ("low", -0.0051), "not inferior"),
        (CLASSES, "quantized", ("accuracy", 0.949), "accuracy"),
        (CLASSES, "verdict", ("non_inferior", 0), "not inferior"),
        (TABLE, "verdict", ("margin", 0.5), "not inferior"),
        (TABLE, "verdict", ("low", 0.02), "not inferior"),
        (TABLE, "verdict", ("high_without", 0.0101), "not inferior"),
        (TABLE, "verdict", ("effective_rows", 29), "not inferior"),
        (TABLE, "verdict", ("worse_high", 0.051), "rows that got worse"),
        (TABLE, "quantized", ("r2", 0.499), "R²"),
        (IMAGES, "quantized", ("accuracy", 0.949), "accuracy"),
        (IMAGES, "quantized", ("accuracy_noisy", 0.89), "accuracy under noise"),
        (IMAGES, "quantized", ("accuracy", 99), "accuracy"),
        (IMAGES, "parameters", ("count", 2001), "parameters"),
        (IMAGES, "parameters", ("count", 0), "parameters"),
        (IMAGES, "size", ("codes", 351), "codes + scales"),
        (TABLE, "size", ("scales", 151), "codes + scales"),
        (TABLE, "size", ("float_payload", 0), "codes + scales"),
        (TABLE, "size", ("codes", -1), "codes + scales"),
        (TABLE, "size", ("codes", 0), "codes + scales"),
        (TABLE, "size", ("quantized_payload", 1000), "codes + scales"),
        (TABLE, "rounding", ("rows_proven", 4), "exact, proven"),
        (TABLE, "rounding", ("rows_searched", 0), "exact, proven"),
        (TABLE, "rounding", ("rows_searched", 11), "exact, proven"),
        (TABLE, "rounding", ("rows", 0), "exact, proven"),
    ],
)
def test_what_is_worse_than_allowed_fails_and_only_that(
    gate: Gate, system: str, group: str, key_and_value: tuple[str, float], what: str
) -> None:
    assert failures(gate(with_value(system, group, *key_and_value))) == [(system, what)]


@pytest.mark.parametrize(("system", "group", "key"), NEEDED)
@pytest.mark.parametrize("value", [None, float("nan"), "0.99"], ids=repr)
def test_what_is_missing_or_no_number_fails_and_is_named(
    gate: Gate, system: str, group: str, key: str, value: object
) -> None:
    done = gate(with_value(system, group, key, value))
    # All claims of a verdict look at some of its numbers.
    failed = failures(done)
    assert {name for name, _ in failed} == {system}
    assert len(failed) == 1 or group == "verdict"
    shown = "missing" if value is None else "got "
    assert f"| metrics/{system}.json: {group}.{key}: {shown}" in done.stdout.replace("\\_", "_")


@pytest.mark.parametrize("kind", [None, "regression of columns!", 3])
def test_metrics_that_do_not_say_of_what_they_are_fail(gate: Gate, kind: object) -> None:
    assert failures(gate(GOOD | {TABLE: GOOD[TABLE] | {"kind": kind}})) == [(TABLE, "kind")]


def test_what_a_system_lacks_does_not_change_what_it_is_judged_by(gate: Gate) -> None:
    metrics = with_value(IMAGES, "verdict", "low", -0.5)
    del metrics[IMAGES]["float"]
    same = {"gates.mse_increase": 0.02, f"systems.{IMAGES}.gates": {"accuracy_decrease": 0.02}}
    assert (IMAGES, "not inferior") in failures(gate(metrics, same))


@pytest.mark.parametrize("text", ["", "[]", "\x00"], ids=repr)
def test_a_file_without_metrics_fails_and_is_named(gate: Gate, text: str) -> None:
    done = gate(GOOD | {TABLE: text})
    assert failures(done) == [(TABLE, "metrics")]
    assert f"| metrics/{TABLE}.json: " in done.stdout


def test_metrics_of_other_groups_fail_every_gate(gate: Gate) -> None:
    other = '{"kind": "regression of columns", "verdict": 1, "size": null, "quantized": []}'
    assert failures(gate(GOOD | {TABLE: other})) == [
        (TABLE, what)
        for what in ("R²", "codes + scales", "exact, proven", "not inferior", "rows that got worse")
    ]


def test_a_missing_file_fails_and_is_named(gate: Gate) -> None:
    done = gate({name: metrics for name, metrics in GOOD.items() if name != TABLE})
    assert failures(done) == [(TABLE, "metrics")]
    assert f"| metrics/{TABLE}.json: no such file" in done.stdout


def test_no_metrics_at_all_fail_every_system(gate: Gate) -> None:
    assert failures(gate({})) == [(name, "metrics") for name in sorted(GOOD)]


def test_margins_are_compared_in_the_digits_of_metrics(gate: Gate) -> None:
    stored = with_value(TABLE, "verdict", "margin", 0.0123456789)
    assert not failures(gate(stored, {"gates.mse_increase": 0.01234567890123}))


def test_negative_zero_is_zero(gate: Gate) -> None:
    assert not failures(gate(with_value(IMAGES, "verdict", "low", -0.0)))


def test_a_file_of_no_system_fails(gate: Gate) -> None:
    assert failures(gate(GOOD | {"stranger": GOOD[TABLE]})) == [("stranger", "metrics")]


def test_names_of_files_cannot_become_markup(gate: Gate) -> None:
    done = gate(GOOD | {"a|b <i>`x`": GOOD[TABLE]})
    last = done.stdout.splitlines()[2]
    assert last.startswith(r"| a\|b &lt;i&gt;\`x\` ")
    assert last.count("|") - last.count(r"\|") == 6


def test_a_proof_is_asked_for_only_where_rounding_is_exact(gate: Gate) -> None:
    unproven = with_value(TABLE, "rounding", "rows_proven", 0)
    own = {f"systems.{TABLE}.quant": {"rounding": "gptq"}}
    assert not failures(gate(unproven, own))


def test_where_no_row_is_short_enough_to_be_searched_there_is_nothing_to_prove(gate: Gate) -> None:
    metrics = good()
    metrics[TABLE]["rounding"] |= {"rows_searched": 0, "rows_proven": 0}
    assert not failures(gate(metrics))


def test_a_system_may_have_a_gate_of_its_own(gate: Gate) -> None:
    own = {f"systems.{TABLE}.gates": {"r2": 0.571}}
    assert failures(gate(GOOD, own)) == [(TABLE, "R²")]


def test_bad_parameters_are_one_line(gate: Gate) -> None:
    done = gate(GOOD, {"gates.r2": "high"})
    assert done.status == 1
    assert done.stderr.startswith("error: params.yaml: gates.r2: got 'high'; allowed is")
    assert "\n" not in done.stderr
