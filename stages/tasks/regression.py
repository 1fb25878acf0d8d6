"""Regression: a number for each row, scored by R², judged by the change of its squared error."""

from collections.abc import Mapping

import numpy as np

from octet.affine import Array
from stages.params.gates import Gates
from stages.tasks import distance, worse_rows
from stages.tasks import squares as squared
from stages.tasks.task import HIGHER, LOWER, Axis, Claim, Judged, Measure, Task, digits, not_shown


def score(truth: Array, outputs: Array, _: bool = False) -> dict[str, float]:
    """R², mean squared error and mean absolute error, of ``(rows,)`` and ``(rows, 1)``."""
    errors = truth - outputs[:, 0]
    return {
        "r2": headline(truth, outputs),
        "mse": float(np.mean(errors**2)),
        "mae": float(np.mean(np.abs(errors))),
    }


def headline(truth: Array, outputs: Array) -> float:
    """R², as scikit-learn's `r2_score`, whose import takes longer than most stages."""
    missed, spread = np.sum((truth - outputs[:, 0]) ** 2), np.sum((truth - np.mean(truth)) ** 2)
    if spread == 0:
        return float(missed == 0)
    return float(1 - missed / spread)


def judge(truth: Array, reference: Array, outputs: Array, gates: Gates) -> dict[str, float]:
    """The change of the squared error, with and without one row, and how many rows got worse.

    See `stages.tasks.squares` and `stages.tasks.worse_rows`.

    Args:
        truth: targets, ``(rows,)``.
        reference, outputs: predictions in float and quantized, ``(rows, 1)``.
        gates: with the margins, of which ``mse_increase`` may be None: it is not judged then.

    Raises:
        OctetError: fewer than three rows, or a float model without any error, so that there is
            nothing to be relative to.
    """
    before, after = reference[:, 0], outputs[:, 0]
    squares, changed = (truth - before) ** 2, (truth - after) ** 2
    change = squared.change(squares, changed)
    without = squared.influence(squares, changed).without
    rows, worse = len(truth), worse_rows.count(truth, before, after, gates.worse_by)
    p_values = [worse_rows.p_inferior(rows, worse, gates.worse_share)]
    needed = [worse_rows.rows_needed(rows, worse, gates.worse_share)]
    if gates.mse_increase is not None:
        p_values += [each.p_inferior(gates.mse_increase) for each in (change, without)]
        p_values.append(float(change.heavy_tails))
        needed.append(change.rows_needed(gates.mse_increase))
    return {
        "rows": rows,
        "low": change.low,
        "high": change.high,
        "high_without": without.high,
        "effective_rows": change.effective_rows,
        "worse": worse,
        "worse_high": worse_rows.high(rows, worse),
        "p_inferior": max(p_values),
        "rows_needed": max(needed),
    }


def claims(gates: Gates) -> tuple[Claim, ...]:
    """Few rows got worse; and, where it is judged, the squared error stayed within its gate."""
    share = _few_worse(gates.worse_by, gates.worse_share)
    return (share,) if gates.mse_increase is None else (_squares(gates.mse_increase), share)


def _squares(margin: float) -> Claim:
    keys = ("low", "high", "high_without", "effective_rows", "rows", "rows_needed")

    def judged(verdict: Mapping[str, float]) -> tuple[str, bool | None]:
        low, high, without, effective, rows, needed = (verdict[key] for key in keys)
        got = f"MSE {_percent(low)} … {_percent(high)}"
        if effective < (least := squared.needed_effective_rows(rows)):
            return (
                f"{got}; tails too heavy for n = {rows:,.0f}: the variance is that of "
                f"{effective:.1f} rows, {least:.1f} needed",
                None,
            )
        if low > margin:
            return f"{got}; worse than allowed", False
        if not low <= high <= margin:
            return f"{got}; {not_shown(rows, needed, f'{100 * margin:g} %')}", None
        if without > margin:
            return f"{got}; one row decides: up to {_percent(without)} without it", None
        return got, True

    def used(verdict: Mapping[str, float], change: float) -> tuple[float, float, float]:
        return verdict["low"] / margin, change / margin, verdict["high"] / margin

    return Claim("not inferior", f"up to {margin:+.3%}", keys, judged, used, ("margin", margin))


def _percent(fraction: float) -> str:
    return f"{digits(100 * fraction, '+.3f')}%"


def _few_worse(by: float, margin: float) -> Claim:
    keys = ("worse", "worse_high", "rows", "rows_needed")

    def judged(verdict: Mapping[str, float]) -> tuple[str, bool | None]:
        worse, high, rows, needed = (verdict[key] for key in keys)
        got = f"{worse:,.0f} of {rows:,.0f} rows, up to {high:.2%} of all"
        if high <= margin:
            return got, True
        if worse > margin * rows:
            return f"{got}; worse than allowed", False
        return f"{got}; {not_shown(rows, needed, f'{100 * margin:g} %')}", None

    def used(verdict: Mapping[str, float], _: float) -> tuple[float, float, float]:
        """The interval is one-sided: nothing is claimed of how few rows got worse."""
        share = verdict["worse"] / verdict["rows"] / margin
        return share, share, verdict["worse_high"] / margin

    allowed = f"up to {margin:.2%} by more than {100 * by:g} % of the median error"
    return Claim("rows that got worse", allowed, keys, judged, used, ("worse_by", by))


def _loss(verdict: Mapping[str, float], r2: float) -> tuple[float, float]:
    """R² falls by what MSE grows by, relative to itself, times 1 - R²."""
    return (1 - r2) * verdict["low"], (1 - r2) * verdict["high"]


def _answers(outputs: Array) -> Array:
    return outputs[:, 0]


def _least(gates: Gates, _: bool) -> dict[str, float]:
    return {"r2": gates.r2}


REGRESSION = Task(
    name="regression",
    scores={
        "r2": Measure("R²", "", HIGHER, form=".6f"),
        "mse": Measure("MSE", "target²", LOWER, form=".6g"),
        "mae": Measure("MAE", "target", LOWER, form=".6g"),
    },
    on_training_rows="r2_train",
    output="target",
    judged=Judged("mse", "test MSE", "%", LOWER, relative=True),
    axis=Axis("R²", 1, "+.4f", 0.01),
    verdict={
        "high_without": Measure("high without one row", "% of test MSE", LOWER, 100, "+.2f"),
        "effective_rows": Measure("effective rows", "rows", HIGHER, form=",.1f"),
        "worse": Measure("rows that got worse", "rows", LOWER, form=",d"),
        "worse_high": Measure("of all, up to", "% of rows", LOWER, 100, ".2f"),
        "worse_by": Measure("by more than", "% of the median error", "", 100, ".0f"),
    },
    score=score,
    headline=headline,
    answers=_answers,
    answer_form="%.9g",
    distance=distance.between,
    judge=judge,
    claims=claims,
    loss=_loss,
    least=_least,
)
