"""python -m stages.gate: may the quantized models replace the float ones? Exit status 1 if not.

Reads metrics/ and the gates of params.yaml. What is missing or no number has failed: absence is
never a pass.
"""

import json
import math
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from octet.errors import OctetError
from stages import markdown, params, tracked
from stages.params import FLOAT_BITS, Cnn, Gates, Params

_HEAD = ("system", "what", "got", "allowed", "")


@dataclass(frozen=True, order=True)
class Check:
    """One row of the table."""

    system: str
    what: str
    got: str
    allowed: str
    passed: bool


def main() -> None:
    """Print the table, and exit with 1 if any row of it has failed."""
    try:
        checks = sorted(every(params.load()))
    except (OctetError, OSError) as error:
        sys.exit(f"error: {error}")
    rows = [(c.system, c.what, c.got, c.allowed, "pass" if c.passed else "FAIL") for c in checks]
    sys.stdout.write(markdown.table(_HEAD, rows))
    failed = sum(not check.passed for check in checks)
    if failed:
        sys.exit(f"{failed} of {len(checks)} gates failed")


def every(checked: Params) -> Iterator[Check]:
    """Every gate of every system, and a failure for each file of no system."""
    for name in checked.systems:
        yield from of_system(name, checked, _metrics(name))
    known = {tracked.metrics_path(name) for name in checked.systems}
    for path in sorted(set(tracked.METRICS.glob("*.json")) - known):
        yield Check(path.stem, "metrics", f"{path}", "a system of params.yaml; delete it", False)


def of_system(name: str, checked: Params, metrics: object) -> Iterator[Check]:
    """The gates of one system.

    Args:
        name: the system's.
        checked: the parameters.
        metrics: what its file holds, or None if there is nothing to be read.
    """
    gates, model = checked.gates_of(name), checked.system(name).model

    def least(what: str, key: str, bound: float) -> Check:
        got = _number(metrics, key)
        return Check(
            name, what, _shown(got), f"at least {bound:g}", got is not None and got >= bound
        )

    yield _not_inferior(name, metrics, gates)
    if isinstance(model, Cnn):
        yield least("accuracy", "quantized.accuracy", gates.accuracy)
        yield least("accuracy under noise", "quantized.accuracy_noisy", gates.accuracy_noisy)
        count = _number(metrics, "parameters.count")
        within = count is not None and 0 < count <= model.budget
        yield Check(name, "parameters", _shown(count), f"at most {model.budget}", within)
    else:
        yield least("R²", "quantized.r2", gates.r2)
    yield _smaller(name, metrics, gates.saved)
    quant = checked.quant_of(name)
    if quant.rounding == "exact" and quant.bits != FLOAT_BITS:
        yield _proven(name, metrics)


def _not_inferior(name: str, metrics: object, gates: Gates) -> Check:
    """The interval meets the margin here once more: a stored 1, or a stored margin, may be old."""
    low, high, margin, said = (
        _number(metrics, f"verdict.{key}") for key in ("low", "high", "margin", "non_inferior")
    )
    if _number(metrics, "float.accuracy") is None:
        score, bound, allowed = "MSE", gates.mse_increase, f"up to {gates.mse_increase:+.3%}"
    else:
        score, bound = "accuracy", gates.accuracy_decrease
        allowed = f"down to {-bound:+.3%}"
    if low is None or high is None:
        return Check(name, "not inferior", "missing", allowed, False)
    inside = low <= high and (high <= bound if score == "MSE" else low >= -bound)
    got = f"{score} {low:+.3%} … {high:+.3%}"
    if (margin, said) != (bound, int(inside)):
        got += ", of another gate or run: `dvc repro`"
    return Check(name, "not inferior", got, allowed, inside and (margin, said) == (bound, 1))


def _smaller(name: str, metrics: object, saved: float) -> Check:
    whole, codes, scales = (
        _number(metrics, f"size.{key}") for key in ("float_payload", "codes", "scales")
    )
    allowed = f"at least {saved:.1%} smaller"
    if not whole or not codes or scales is None or min(whole, codes, scales) < 0:
        return Check(name, "codes + scales", "missing", allowed, False)
    share = 1 - (codes + scales) / whole
    return Check(name, "codes + scales", f"{share:.1%} smaller", allowed, share >= saved)


def _proven(name: str, metrics: object) -> Check:
    searched = _number(metrics, "rounding.rows_searched")
    proven = _number(metrics, "rounding.rows_proven")
    if searched is None or proven is None:
        return Check(name, "exact, proven", "missing", "every row that was searched", False)
    allowed = f"{searched:g} rows, all that were searched"
    return Check(name, "exact, proven", f"{proven:g} rows", allowed, proven == searched > 0)


def _metrics(name: str) -> object:
    """What the file of a system holds; None where there is no such file, or no JSON in it."""
    try:
        return json.loads(tracked.metrics_path(name).read_text())
    except (OSError, ValueError, RecursionError):
        return None


def _number(metrics: object, key: str) -> float | None:
    """The finite number at ``group.name``; None where there is none."""
    found: Any = metrics
    for part in key.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:
        return None


def _shown(got: float | None) -> str:
    return "missing" if got is None else f"{got:.9g}"


if __name__ == "__main__":
    main()
