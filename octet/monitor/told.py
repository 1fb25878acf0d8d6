"""What a monitor knows, as JSON can hold it, and as a table for people."""

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from octet.errors import printable
from octet.monitor import combine, mean
from octet.monitor.rate import Rate
from octet.monitor.state import State
from octet.monitor.watch import Watched, is_share

Facts = dict[str, Any]

CHANGED, LIKELY, AS_BEFORE = "changed", "likely changed", "-"
_HEAD = ("stream", "rows", "evidence", "was", "is", "since row", "verdict")


def facts(state: State, model: str) -> Facts:
    """All of it. Evidence is the common logarithm of the largest wealth so far."""
    watch = state.watch
    alpha, peaks = watch.life.alpha, watch.log_peaks
    named, likely = combine.holm(peaks, alpha), combine.discoveries(peaks, alpha)
    verdicts = [
        CHANGED if sure else LIKELY if perhaps else AS_BEFORE
        for sure, perhaps in zip(named.tolist(), likely.tolist(), strict=True)
    ]
    return {
        "model": model,
        "md5": watch.life.model,
        "alpha": alpha,
        "rows": watch.rows,
        "alarm": watch.alarm,
        "evidence": _common(float(max(peaks))),
        "needed": _common(watch.watched[0].stream.wealth.log_alarm),
        "streams": [
            _stream(one, verdict, alpha)
            for one, verdict in zip(watch.watched, verdicts, strict=True)
        ],
        "resets": [asdict(one) for one in state.resets],
    }


def _common(natural: float) -> float:
    return natural / math.log(10)


def _stream(one: Watched, verdict: str, alpha: float) -> Facts:
    now, low, high = mean.interval(one.estimate, alpha)
    counts = one.summary.counts
    wealth = one.stream.wealth
    return {
        "stream": one.summary.group,
        "name": one.summary.name,
        "margin": one.stream.bound if isinstance(one.stream, Rate) else None,
        "rows": one.stream.rows,
        "evidence": _common(wealth.log_peak),
        "evidence_now": _common(wealth.log_now),
        "estimate": {
            "of": "share" if is_share(one.summary) or one.summary.categories else "rank",
            "reference": float(counts @ one.scores) / float(counts.sum()),
            "now": now if one.estimate.rows else None,
            "low": low,
            "high": high,
        },
        "since": wealth.change + 1 if verdict != AS_BEFORE else None,
        "verdict": verdict,
    }


def table(told: Facts) -> str:
    """The facts for people: whether something has changed, then a line for each stream."""
    lines = [_answer(told), "", *_aligned(shown(told))]
    if told["resets"]:
        lines += ["", "reset", *map(_reset, told["resets"])]
    return "".join(f"{line}\n" for line in lines)


def shown(told: Facts) -> list[Sequence[str]]:
    """A line of cells for each stream, below their heads."""
    return [_HEAD, *map(_line, told["streams"])]


def _answer(told: Facts) -> str:
    answer = "ALARM: something has changed" if told["alarm"] else "no alarm"
    return (
        f"{answer}; {told['rows']:,} rows; evidence {told['evidence']:.2f} of "
        f"{told['needed']:.2f} (common logarithms), for a level of {told['alpha']:g}"
    )


def _line(stream: Facts) -> Sequence[str]:
    estimate = stream["estimate"]
    form = ".2%" if estimate["of"] == "share" else ".3f"
    now, low, high = (estimate[key] for key in ("now", "low", "high"))
    above = f" above {stream['margin']:g}" if stream["margin"] else ""
    return (
        printable(f"{stream['stream']} {stream['name']}{above}"),
        f"{stream['rows']:,}",
        f"{stream['evidence']:.2f}",
        f"{estimate['reference']:{form}}",
        "" if now is None else f"{now:{form}} [{low:{form}}, {high:{form}}]",
        f"{stream['since']:,}" if stream["since"] else "",
        stream["verdict"],
    )


def _reset(told: Facts) -> str:
    alarm = "an alarm" if told["alarm"] else "no alarm"
    return printable(f"  after {told['rows']:,} rows and {alarm}: {told['reason']}")


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = ("stream", "is", "verdict")
    return [
        "  ".join(
            cell.ljust(width) if name in left else cell.rjust(width)
            for cell, width, name in zip(row, widths, _HEAD, strict=True)
        ).rstrip()
        for row in rows
    ]
