"""Every gate of a system held against its metrics. All of them together are its one verdict."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from octet.errors import OctetError
from stages.metrics import Metrics
from stages.params.models import NetworkModel
from stages.params.quant import FLOAT_BITS
from stages.tasks.task import Claim, Task

if TYPE_CHECKING:
    from stages.params.file import Params

_ROUNDING_ERROR = 1e-8  # relative: metrics have nine digits
_OLD = "of another gate or run: dvc repro"


@dataclass(frozen=True, order=True)
class Check:
    """One gate, held against what there is.

    Attributes:
        passed: whether it holds.
        open: it does not, but only for want of rows: more of them might show it.
    """

    system: str
    what: str
    got: str
    allowed: str
    passed: bool
    open: bool = False


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


def answer(checks: Sequence[Check]) -> str:
    """The verdict that all gates of a system come to, in the words of every table."""
    failed = [check for check in checks if not check.passed]
    if not failed:
        return "may replace"
    return "not shown to be as good" if all(c.open for c in failed) else "may not replace"


def of_system(name: str, checked: "Params", metrics: Metrics) -> Iterator[Check]:
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
        yield from _claims(name, kind.task.claims(bounds), metrics)
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


def _claims(name: str, claims: Sequence[Claim], metrics: Metrics) -> Iterator[Check]:
    """The numbers are judged here once more: a stored 1, or the gate it was of, may be old."""
    judged = [_judged(claim, metrics) for claim in claims]
    every = all(passed for _, passed, _ in judged)
    for claim, (got, passed, said) in zip(claims, judged, strict=True):
        if every and said != 1:
            yield Check(name, claim.what, f"{got}; {_OLD}", claim.allowed, False)
        else:
            yield Check(name, claim.what, got, claim.allowed, bool(passed), passed is None)


def _judged(claim: Claim, metrics: Metrics) -> tuple[str, bool | None, float | None]:
    """What was got, whether it passes, and whether the file says that all of the verdict does."""
    stored, value = claim.made_with
    keys = (*claim.keys, stored, "non_inferior")
    try:
        read = metrics.numbers(*(f"verdict.{key}" for key in keys))
    except OctetError as error:
        return str(error), False, None
    numbers = dict(zip(keys, read, strict=True))
    got, passed = claim.judge(numbers)
    if not math.isclose(numbers[stored], value, rel_tol=_ROUNDING_ERROR):
        return f"{got}; {_OLD}", False, None
    return got, passed, numbers["non_inferior"]


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
