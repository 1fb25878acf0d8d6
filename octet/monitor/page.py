"""A page on a monitor, whole in one file: evidence over rows, and how each stream was and is."""

import math
from html import escape
from itertools import pairwise

import numpy as np

from octet.affine import Array
from octet.modelfile.reference import Summary
from octet.monitor.state import State
from octet.monitor.told import AS_BEFORE, Facts, shown
from octet.monitor.watch import ALL, ROWS, Watch

_WIDE, _HIGH, _LEFT, _FOOT = 720, 260, 44, 26
_BAR, _BARS_HIGH = 16, 90
_COLOURS = dict(zip(ALL, ("rest", "one", "two", "three", "four", "five"), strict=True))
_LEAST, _MOST = -2.0, 4  # of the evidence that is drawn, the most in times of what an alarm takes
_STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1c1e21; --quiet: #565d66; --line: #cdd2d8;
  --rest: #6b727a; --one: #0072b2; --two: #c24f00; --three: #00805d; --four: #8a3ea8;
  --five: #b3261e; --no: #b3261e; --yes: #00714f; }
@media (prefers-color-scheme: dark) { :root { --paper: #14171a; --ink: #e6e8ea; --quiet: #a3abb4;
  --line: #3c434b; --rest: #9aa3ad; --one: #5fb4ea; --two: #f0a04b; --three: #3fc79a;
  --four: #cf9bea; --five: #ff8a80; --no: #ff8a80; --yes: #4fd0a0; } }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; background: var(--paper); color: var(--ink);
  font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: break-word; }
h1 { font-size: 1.6rem; line-height: 1.2; } h2 { font-size: 1.2rem; margin-top: 2rem; }
h1.no { color: var(--no); } h1.yes { color: var(--yes); }
.scroll { overflow-x: auto; } table { border-collapse: collapse; }
th, td { text-align: left; padding: .15rem .75rem .15rem 0; border-bottom: 1px solid var(--line); }
td.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.note, figcaption small { color: var(--quiet); } svg { max-width: 100%; height: auto; }
svg text { fill: var(--quiet); font-size: 12px; } .axis { stroke: var(--line); }
.level { stroke: var(--ink); stroke-dasharray: 5 4; }
polyline { fill: none; stroke-width: 1.75; } figure { margin: 0; max-width: 20rem; }
.streams { display: flex; flex-wrap: wrap; gap: 1rem 1.5rem; }
figure.changed figcaption { color: var(--no); }
.was { fill: var(--line); } .is { fill: var(--one); }
"""


def page(state: State, told: Facts) -> str:
    """The page, HTML that needs nothing else.

    Args:
        state: of the monitor.
        told: the facts of it.
    """
    colours = "".join(f".{c} {{ stroke: var(--{c}); }}" for c in _COLOURS.values())
    kind, answer = ("no", "ALARM: something has changed") if told["alarm"] else ("yes", "No alarm")
    body = [
        f'<h1 class="{kind}">{answer}</h1>',
        f"<p>{escape(str(told['model']))}, {told['rows']:,} rows. Evidence {told['evidence']:.2f}; "
        f"an alarm takes {told['needed']:.2f}, which is reached with probability "
        f"{told['alpha']:g} at most, ever, while nothing has changed.</p>",
        "<h2>Evidence over rows</h2>",
        _evidence(state.watch, told["needed"]),
        "<h2>Streams</h2>",
        _table(told),
        "<h2>Was, in grey, and is</h2>",
        '<p class="note">The share of rows in each bin: of those that the model file knows, and of '
        "those since the start.</p>",
        _streams(state.watch, told),
        *([_resets(told)] if told["resets"] else []),
    ]
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; '
        "style-src 'unsafe-inline'\">\n"
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>Octet monitor: {answer}</title>\n<style>{_STYLE}{colours}</style>\n</head>\n"
        "<body>\n" + "\n".join(body) + "\n</body>\n</html>\n"
    )


def _evidence(watch: Watch, needed: float) -> str:
    """The largest wealth of each group as rows came, and what an alarm takes; in powers of ten."""
    history = watch.history
    groups = {one.summary.group for one in watch.watched}
    if not len(history.rows):
        return '<p class="note">No rows so far.</p>'
    logs = np.maximum(history.logs / math.log(10), _LEAST)
    low = float(logs.min(initial=0))
    high = float(np.clip(logs.max() * 1.05, needed * 1.25, _MOST * needed))
    logs = np.minimum(logs, high)

    def across(rows: float) -> float:
        return _LEFT + rows / float(history.rows[-1]) * (_WIDE - _LEFT - 8)

    def down(log: float) -> float:
        return 8 + (high - log) / (high - low) * (_HIGH - _FOOT - 8)

    lines = [
        _line(across(0), down(0), _WIDE - 8, down(0), "axis"),
        _line(across(0), down(needed), _WIDE - 8, down(needed), "level"),
        _text(_LEFT - 6, down(0) + 4, "0", "end"),
        _text(_LEFT - 6, down(needed) + 4, f"{needed:.1f}", "end"),
        _text(_LEFT - 6, 16, f"{high:.0f}", "end"),
        _text(_LEFT, _HIGH - 6, "0", "start"),
        _text(_WIDE - 8, _HIGH - 6, f"{int(history.rows[-1]):,} rows", "end"),
    ]
    for i, group in enumerate(ALL):
        if group in groups:
            points = " ".join(
                f"{across(rows):.1f},{down(log):.1f}"
                for rows, log in zip(history.rows.tolist(), logs[:, i].tolist(), strict=True)
            )
            lines.append(f'<polyline class="{_COLOURS[group]}" points="{points}"/>')
    legend = " ".join(
        f'<span style="color: var(--{_COLOURS[group]})">&#9644; {group}</span>'
        for group in ALL
        if group in groups
    )
    picture = _svg(_WIDE, _HIGH, lines, "Evidence over rows, with what an alarm takes, dashed")
    return f"{picture}<p>{legend} <span>- - what an alarm takes</span></p>"


def _table(told: Facts) -> str:
    head, *rows = shown(told)
    heads = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in head)
    body = "".join(
        f'<tr><th scope="row">{escape(row[0])}</th>'
        + "".join(f'<td class="number">{escape(cell)}</td>' for cell in row[1:-1])
        + f"<td>{escape(row[-1])}</td></tr>"
        for row in rows
    )
    return (
        f'<div class="scroll"><table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>'
        '</div><p class="note">Evidence is the common logarithm of the largest wealth so far. A '
        "stream that has changed is named wrongly with probability alpha at most, ever; of those "
        "that have likely changed a share of alpha is, in expectation.</p>"
    )


def _streams(watch: Watch, told: Facts) -> str:
    figures = []
    for one, facts in zip(watch.watched, told["streams"], strict=True):
        if one.summary.group == ROWS:
            continue
        changed = ' class="changed"' if facts["verdict"] != AS_BEFORE else ""
        name = escape(f"{one.summary.group} {one.summary.name}")
        picture = _bars(one.summary, one.counts)
        figures.append(
            f"<figure{changed}><figcaption>{name}<br><small>{escape(_ends(one.summary))}</small>"
            f"</figcaption>{picture}</figure>"
        )
    return f'<div class="streams">{"".join(figures)}</div>'


def _bars(summary: Summary, counts: Array) -> str:
    """Of each bin the share that was, behind the one that is."""
    was = summary.counts / summary.counts.sum()
    now = counts / max(counts.sum(), 1.0)
    highest = max(float(was.max()), float(now.max()), 1e-9)
    parts = []
    for i, (before, after, name) in enumerate(zip(was, now, _bins(summary), strict=True)):
        title = f"<title>{escape(name)}: was {before:.2%}, is {after:.2%}</title>"
        parts += [
            _bar(i * _BAR + 1, 13, before / highest, "was", title),
            _bar(i * _BAR + 5, 5, after / highest, "is", title),
        ]
    name = f"Shares of {summary.group} {summary.name} in bins, as they were and are"
    return _svg(len(was) * _BAR, _BARS_HIGH, parts, name)


def _bins(summary: Summary) -> list[str]:
    """What falls into each bin, in words."""
    points = [f"{point:.6g}" for point in summary.points]
    if summary.categories:
        return [*(f"number {point}" for point in points), "all others"]
    between = [f"from {low} to {high}" for low, high in pairwise(points)]
    ends = [f"below {points[0]}", *between, f"from {points[-1]} on"] if points else ["all"]
    return [*ends, "a gap"] if summary.gap is not None else ends


def _ends(summary: Summary) -> str:
    bins = _bins(summary)
    return f"{bins[0]} … {bins[-1]}" if len(bins) > 1 else bins[0]


def _bar(x: float, width: float, share: float, kind: str, title: str) -> str:
    height = share * (_BARS_HIGH - 4)
    return (
        f'<rect class="{kind}" x="{x:g}" y="{_BARS_HIGH - height:.1f}" width="{width:g}" '
        f'height="{height:.1f}">{title}</rect>'
    )


def _line(x: float, y: float, to_x: float, to_y: float, kind: str) -> str:
    return f'<line class="{kind}" x1="{x:.1f}" y1="{y:.1f}" x2="{to_x:.1f}" y2="{to_y:.1f}"/>'


def _text(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _svg(width: float, height: float, parts: list[str], name: str) -> str:
    size = f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}"'
    return f'<svg role="img" aria-label="{escape(name)}" {size}>{"".join(parts)}</svg>'


def _resets(told: Facts) -> str:
    items = "".join(
        f"<li>after {one['rows']:,} rows and {'an alarm' if one['alarm'] else 'no alarm'}: "
        f"{escape(one['reason'])}</li>"
        for one in told["resets"]
    )
    return f"<h2>Resets</h2><ul>{items}</ul>"
