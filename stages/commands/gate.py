"""python -m stages.commands.gate: may the quantized models replace the float ones? 1 if not.

Reads metrics/ and the gates of params.yaml. What is missing or no number has failed: absence is
never a pass.
"""

import json
import math
import reprlib
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import markdown, paths
from stages.params.file import Params, load_params
from stages.params.gates import Gates
from stages.params.models import NetworkModel
from stages.params.quant import FLOAT_BITS

Metrics = Mapping[str, Any]

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
    known = {paths.metrics_path(name): name for name in checked.systems}
    for path, name in known.items():
        try:
            metrics = read(path)
        except OctetError as error:
            yield Check(name, "metrics", str(error), "a file of metrics; dvc repro makes it", False)
        else:
            yield from of_system(name, checked, metrics)
    for path in sorted(set(paths.METRICS.glob("*.json")) - known.keys()):
        yield Check(path.stem, "metrics", f"{path}", "a system of params.yaml; delete it", False)


def read(path: Path) -> Metrics:
    """What a file of metrics holds.

    Raises:
        OctetError: there is no such file, or no JSON object in it.
    """
    try:
        metrics = json.loads(path.read_bytes())
    except OSError as error:
        raise OctetError(f"{path}: {error.strerror}") from None
    except (ValueError, RecursionError):
        raise OctetError(f"{path}: no JSON") from None
    if not isinstance(metrics, dict):
        raise OctetError(f"{path}: got {reprlib.repr(metrics)}")
    return metrics


def of_system(name: str, checked: Params, metrics: Metrics) -> Iterator[Check]:
    """The gates of one system.

    Args:
        name: the system's.
        checked: the parameters.
        metrics: what its file holds.
    """
    gates, model = checked.gates_of(name), checked.system(name).model
    yield _not_inferior(name, metrics, gates, images=isinstance(model, NetworkModel))
    yield _smaller(name, metrics, gates.saved)
    if isinstance(model, NetworkModel):
        yield _score(name, "accuracy", metrics, "accuracy", gates.accuracy)
        yield _score(name, "accuracy under noise", metrics, "accuracy_noisy", gates.accuracy_noisy)
        yield _within_budget(name, metrics, model.budget)
    else:
        yield _score(name, "R²", metrics, "r2", gates.r2)
    quant = checked.quant_of(name)
    if quant.rounding == "exact" and quant.bits != FLOAT_BITS:
        yield _proven(name, metrics)


def _not_inferior(name: str, metrics: Metrics, gates: Gates, *, images: bool) -> Check:
    """The interval meets the margin here once more: a stored 1, or a stored margin, may be old."""
    score, bound = ("accuracy", gates.accuracy_decrease) if images else ("MSE", gates.mse_increase)
    allowed = f"down to {-bound:+.3%}" if images else f"up to {bound:+.3%}"
    found, lacking = _numbers(metrics, "verdict", "low", "high", "margin", "non_inferior")
    if lacking:
        return Check(name, "not inferior", lacking, allowed, False)
    low, high, margin, said = found
    inside = low <= high and (low >= -bound if images else high <= bound)
    current = math.isclose(margin, bound, rel_tol=_ROUNDING_ERROR) and said == int(inside)
    got = f"{score} {low:+.3%} … {high:+.3%}"
    if not current:
        got += ", of another gate or run: dvc repro"
    return Check(name, "not inferior", got, allowed, inside and current)


def _score(name: str, what: str, metrics: Metrics, key: str, bound: float) -> Check:
    allowed = f"at least {bound:g}"
    found, lacking = _numbers(metrics, "quantized", key)
    if lacking:
        return Check(name, what, lacking, allowed, False)
    (got,) = found
    # R² and accuracy are 1 at most: 99 is no accuracy.
    return Check(name, what, f"{got:.9g}", allowed, bound <= got <= 1)


def _within_budget(name: str, metrics: Metrics, budget: int) -> Check:
    found, lacking = _numbers(metrics, "parameters", "count")
    if lacking:
        return Check(name, "parameters", lacking, f"at most {budget}", False)
    (count,) = found
    return Check(name, "parameters", f"{count:.9g}", f"at most {budget}", 0 < count <= budget)


def _smaller(name: str, metrics: Metrics, saved: float) -> Check:
    allowed = f"at least {saved:.1%} smaller"
    found, lacking = _numbers(
        metrics, "size", "float_payload", "codes", "scales", "quantized_payload"
    )
    if lacking:
        return Check(name, "codes + scales", lacking, allowed, False)
    whole, codes, scales, payload = found
    if min(whole, codes, scales) <= 0:
        got = f"{codes:.9g} + {scales:.9g} of {whole:.9g} bytes"
        return Check(name, "codes + scales", got, allowed, False)
    # The payload is more than codes and scales where a layer was left float.
    share = 1 - max(codes + scales, payload) / whole
    return Check(name, "codes + scales", f"{share:.3%} smaller", allowed, share >= saved)


def _proven(name: str, metrics: Metrics) -> Check:
    found, lacking = _numbers(metrics, "rounding", "rows_searched", "rows_proven")
    if lacking:
        return Check(name, "exact, proven", lacking, "every row that was searched", False)
    searched, proven = found
    if searched <= 0:
        return Check(name, "exact, proven", "no row was searched", "at least 1 row", False)
    allowed = f"{searched:.9g} rows, all that were searched"
    return Check(name, "exact, proven", f"{proven:.9g} rows", allowed, proven == searched)


def _numbers(metrics: Metrics, group: str, *keys: str) -> tuple[list[float], str]:
    """The finite numbers at these keys of a group, and what is said of keys without one."""
    inside = metrics.get(group)
    values = inside if isinstance(inside, dict) else {}
    found = [float(values[key]) for key in keys if _is_number(values.get(key))]
    lacking = [
        f"{group}.{key}: {reprlib.repr(values[key]) if key in values else 'missing'}"
        for key in keys
        if not _is_number(values.get(key))
    ]
    return found, ", ".join(lacking)


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that no float can hold
        return False


if __name__ == "__main__":
    main()
