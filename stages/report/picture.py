"""Pictures of one pair of axes, each with a caption and with words for those who do not see it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from octet.affine import Array
from stages.report.vector import FLOAT, QUANTIZED, draw

_WIDTH, _HEIGHT = 4.4, 3.3
_BOTTOM = 0.16
BINS = 41
# Inches of the picture that are not axes, above and below them; and of a name beside them.
_ABOVE_AND_BELOW = 0.8
_NAME = 0.16
# What a name beside the axes may take of the width: so many characters of it, and at least.
_LONGEST_NAME = 30
_CHARACTER = 0.0175
_NAMES = 0.38


@dataclass(frozen=True)
class Picture:
    """An SVG element with a caption; ``label`` is what is read out in its place."""

    svg: str
    caption: str
    label: str


@dataclass(frozen=True)
class Words:
    """What is written beside a picture and on it.

    Attributes:
        caption: below it.
        label: what is read out in its place.
        x, y: what the axes show, with units.
    """

    caption: str
    label: str
    x: str
    y: str


Paint = Callable[[Axes], None]


def of_numbers(key: str, paint: Paint, words: Words, bottom: float = _BOTTOM) -> Picture:
    """A picture whose axes are both of numbers.

    Args:
        key: unique on the page; what the names within the picture start with.
        paint: draws on the axes.
        words: beside it and on it.
        bottom: what is below the axes, as a part of the height.
    """
    return _picture(key, paint, words, (0.2, 0.76), (bottom, _HEIGHT))


def of_names(key: str, paint: Paint, words: Words, names: Sequence[str]) -> Picture:
    """A picture with a row for each name, the first on top; it is high enough to read them."""
    short = [
        name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…" for name in names
    ]

    def with_names(axes: Axes) -> None:
        paint(axes)
        axes.set_yticks(np.arange(len(names)), short)
        axes.invert_yaxis()

    height = max(_HEIGHT, _NAME * len(names) + _ABOVE_AND_BELOW)
    left = max([_NAMES, *(_CHARACTER * len(name) for name in short)])
    return _picture(key, with_names, words, (left, 0.96 - left), (_BOTTOM, height))


def _picture(
    key: str,
    paint: Paint,
    words: Words,
    horizontal: tuple[float, float],
    vertical: tuple[float, float],
) -> Picture:
    def on_figure(figure: Figure) -> None:
        left, width = horizontal
        below, height = vertical
        bottom, top = below * _HEIGHT / height, 0.08 * _HEIGHT / height
        axes = figure.add_axes((left, bottom, width, 1 - bottom - top))
        axes.set_axisbelow(True)
        axes.set_xlabel(words.x)
        axes.set_ylabel(words.y)
        paint(axes)

    return Picture(draw((_WIDTH, vertical[1]), on_figure, key), words.caption, words.label)


def histograms(key: str, groups: Sequence[Array], words: Words, filled: str = FLOAT) -> Picture:
    """The first group filled, the others as lines, in the same bins."""
    edges = np.linspace(*span(np.concatenate([np.ravel(group) for group in groups])), BINS + 1)

    def paint(axes: Axes) -> None:
        first, *others = (np.histogram(group, edges)[0] for group in groups)
        axes.stairs(first, edges, fill=True, color=filled, alpha=0.55)
        whole_counts(axes)
        for counts in others:
            axes.stairs(counts, edges, color=QUANTIZED, linewidth=1.4)

    return of_numbers(key, paint, words)


def whole_counts(axes: Axes) -> None:
    """The ticks of counts: as matplotlib's own, but whole, for there is no half of a row."""
    axes.yaxis.set_major_locator(MaxNLocator("auto", steps=[1, 2, 2.5, 5, 10], integer=True))
    axes.yaxis.set_major_formatter("{x:,.0f}")


def span(numbers: Array) -> tuple[float, float]:
    """The least and the largest number, a little apart where they are the same."""
    low, high = float(np.min(numbers)), float(np.max(numbers))
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def legend(axes: Axes) -> None:
    """Above the axes, where it hides nothing."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2)
