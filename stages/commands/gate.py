"""python -m stages.commands.gate: may the quantized models replace the float ones? 1 if not.

Reads metrics/ and the gates of params.yaml. What is missing, no number, or of other parameters than
those of params.yaml has failed: absence is never a pass.
"""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import markdown
from stages.metrics import Metrics, read
from stages.params.file import Params, load_params
from stages.params.models import NetworkModel
from stages.params.quant import FLOAT_BITS
from stages.paths import METRICS, metrics_path
from stages.stale import Project
from stages.tasks.task import HIGHER, Task

_HEAD = ("system", "what", "got", "allowed", "")
_ROUNDING_ERROR = 1e-8  # relative: metrics have nine digits


@dataclass(frozen=True, order=True)
class Check:
    """One row of the table."""

    system: str
    what: str
    got: str
    allowed: str
    passed: bool


@dataclass(frozen=True)
class Gate:
    """What one row asks.

    Attributes:
        what: its name.
        allowed: what passes, for people.
        keys: of the numbers that it looks at.
        judge: what was got, and whether it passes, from these numbers.
    """

    what: str
    allowed: str
    keys: tuple[str, ...]
    judge: Callable[..., tuple[str, bool]]


def main() -> None:
    """Print the table, and exit with 1 if any row of it has failed."""
    with one_line():
        Parser(description="Hold the metrics against the gates.").parse_args()
        checks = sorted(every(load_params()))
        marked = (
            (c.system, c.what, c.got, c.allowed, "pass" if c.passed else "FAIL") for c in checks
        )
        sys.stdout.write(markdown.table(_HEAD, [*marked]))
    failed = sum(not check.passed for check in checks)
    if failed:
        sys.exit(f"{failed} of {len(checks)} gates failed")


def every(checked: Params) -> Iterator[Check]:
    """Every gate of every system, and a failure for each file that cannot be held against one."""
    project = Project.read()
    known = {metrics_path(name): name for name in checked.systems}
    for path, name in known.items():
        try:
            metrics = read(path)
        except OctetError as error:
            yield Check(name, "metrics", str(error), "a file of metrics", False)
        else:
            if stale := project.stale(name, path.read_bytes()):
                yield Check(name, "metrics", stale, "those of these parameters: dvc repro", False)
            yield from of_system(name, checked, metrics)
    for path in sorted(set(METRICS.glob("*.json")) - known.keys()):
        yield Check(path.stem, "metrics", f"{path}", "a system of params.yaml; delete it", False)


def of_system(name: str, checked: Params, metrics: Metrics) -> Iterator[Check]:
    """The gates of one system.

    Args:
        name: the system's.
        checked: the parameters.
        metrics: what its file holds.
    """
    bounds, model, quant = (
        checked.gates_of(name),
        checked.system(name).model,
        checked.quant_of(name),
    )
    gates = [_smaller(bounds.saved)]
    try:
        kind = metrics.kind()
    except OctetError as error:
        yield Check(name, "kind", str(error), "a task and what goes in", False)
    else:
        gates.append(_not_inferior(kind.task, kind.task.margin(bounds)))
        least = kind.task.least(bounds, kind.noisy)
        gates += [_score(kind.task, key, bound) for key, bound in least.items()]
    if isinstance(model, NetworkModel):
        gates.append(_within_budget(model.budget))
    if quant.rounding == "exact" and quant.bits != FLOAT_BITS:
        gates.append(_proven())
    for gate in gates:
        try:
            got, passed = gate.judge(*metrics.numbers(*gate.keys))
        except OctetError as error:
            got, passed = str(error), False
        yield Check(name, gate.what, got, gate.allowed, passed)


def _not_inferior(task: Task, margin: float) -> Gate:
    """The interval meets the margin here once more: a stored 1, or a stored margin, may be old."""
    judged = task.judged

    def judge(low: float, high: float, stored: float, verdict: float) -> tuple[str, bool]:
        inside = low <= high and judged.within(low, high, margin)
        current = math.isclose(stored, margin, rel_tol=_ROUNDING_ERROR) and verdict == int(inside)
        got = f"{judged.name} {low:+.3%} … {high:+.3%}"
        if not current:
            got += ", of another gate or run: dvc repro"
        return got, inside and current

    direction = "down to" if judged.better == HIGHER else "up to"
    allowed = f"{direction} {judged.allowed(margin):+.3%}"
    keys = ("verdict.low", "verdict.high", "verdict.margin", "verdict.non_inferior")
    return Gate("not inferior", allowed, keys, judge)


def _score(task: Task, key: str, bound: float) -> Gate:
    def judge(score: float) -> tuple[str, bool]:
        # R² and accuracy are 1 at most: 99 is no accuracy.
        return f"{score:.9g}", bound <= score <= 1

    name = task.scores[key].name if key in task.scores else f"{task.headline_name} under noise"
    return Gate(name, f"at least {bound:g}", (f"quantized.{key}",), judge)


def _within_budget(budget: int) -> Gate:
    def judge(count: float) -> tuple[str, bool]:
        return f"{count:.9g}", 0 < count <= budget

    return Gate("parameters", f"at most {budget}", ("parameters.count",), judge)


def _smaller(saved: float) -> Gate:
    def judge(whole: float, codes: float, scales: float, payload: float) -> tuple[str, bool]:
        if min(whole, codes, scales) <= 0:
            return f"{codes:.9g} + {scales:.9g} of {whole:.9g} bytes", False
        # The payload is more than codes and scales where a layer was left float.
        share = 1 - max(codes + scales, payload) / whole
        return f"{share:.3%} smaller", share >= saved

    keys = ("size.float_payload", "size.codes", "size.scales", "size.quantized_payload")
    return Gate("codes + scales", f"at least {saved:.1%} smaller", keys, judge)


def _proven() -> Gate:
    def judge(rows: float, searched: float, proven: float) -> tuple[str, bool]:
        # Of a wide layer no row is short enough to be searched: then there is nothing to prove.
        got = f"{proven:.9g} of {searched:.9g} rows searched, of {rows:.9g}"
        return got, rows > 0 and 0 <= proven == searched <= rows

    keys = ("rounding.rows", "rounding.rows_searched", "rounding.rows_proven")
    return Gate("exact, proven", "every row that was searched", keys, judge)


if __name__ == "__main__":
    main()
