"""python -m docs.intervals: measures how often intervals err, for docs/statistics.md.

Takes two minutes on one core, and the files that `dvc repro` makes of the tables. Draws
are seeded. The intervals that were not chosen are here, for nothing else needs them.
"""

import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.stats import beta, binom, norm

from docs.tables import between
from octet.affine import Array
from octet.modelfile.arrays import load_arrays
from stages import markdown
from stages.paths import data_path, plot_path
from stages.tasks import proportions, squares, worse_rows
from stages.tasks.level import ALPHA

PAGE = Path(__file__).with_name("statistics.md")
_Z = float(norm.ppf(1 - ALPHA))
# n, margin, and up to which rate of flips the size is looked for.
CASES = [
    *((50, 0.05, 1.0), (100, 0.05, 1.0), (360, 0.02, 1.0), (360, 0.05, 1.0)),
    *((1000, 0.005, 0.1), (1000, 0.01, 0.1), (1000, 0.02, 0.1)),
    *((10_000, 0.001, 0.04), (10_000, 0.005, 0.04), (10_000, 0.02, 0.06)),
]
_FLIPS = (0.002, 0.01, 0.03)
_REDRAWS = 4000
_RESAMPLES = 500
_BOOTSTRAPPED = 500  # of the redraws: it takes ten times as long as all else
_POPULATION = 1_000_000

Decision = Callable[[int, int, int, float], bool]


def half_image(rows: int, gained: int, lost: int, margin: float) -> bool:
    """Agresti and Min, 2005: the Wald interval with half a row more in each cell."""
    total = rows + 2
    change = (gained - lost) / total
    spread = math.sqrt(gained + lost + 1 - (gained - lost) ** 2 / total) / total
    return change - _Z * spread >= -margin


def tango(rows: int, gained: int, lost: int, margin: float) -> bool:
    """Tango, 1998: the score test, at its nominal level."""
    change = -margin
    linear = gained + lost + change * (gained - lost) - 2 * rows * change
    root = math.sqrt(max(linear**2 + 8 * rows * lost * change * (1 - change), 0.0))
    variance = rows * (2 * (linear + root) / (4 * rows) + change * (1 - change))
    return gained - lost - rows * change >= _Z * math.sqrt(max(variance, 0.0))


def melded(rows: int, gained: int, lost: int, margin: float) -> bool:
    """Fay and Lumbard, 2021: of two confidence distributions, the share that is below.

    θ = P(gain | flip) is of Beta(gained, lost + 1); π, where it counts against it, of
    Beta(flips + 1, rows - flips). The change is π (2 θ - 1).
    """
    flips, points = gained + lost, 2000
    ranks = (np.arange(points) + 0.5) / points
    gain = beta.ppf(ranks, gained, lost + 1) if gained else np.zeros(points)
    slope = 1 - 2 * gain[gain < 0.5]
    with np.errstate(divide="ignore"):
        least = np.minimum(margin / slope, 1.0)
    chance = beta.sf(least, flips + 1, rows - flips) if flips < rows else least < 1
    return float(np.sum(chance)) / points <= ALPHA


def chosen(rows: int, gained: int, lost: int, margin: float) -> bool:
    """That of `stages.tasks.proportions`."""
    return proportions.p_inferior(rows, gained, lost, margin) <= ALPHA


def edge(decision: Decision, rows: int, margin: float, most: int) -> npt.NDArray[np.int_]:
    """The fewest gains that pass with 0, 1, … losses; more than there can be if none."""
    enough, least = 0, []
    for lost in range(most + 1):
        while enough <= rows - lost and not decision(rows, enough, lost, margin):
            enough += 1
        least.append(enough)
    return np.array(least)


def chances(
    rows: int, least: npt.NDArray[np.int_], gain: Array, loss: Array
) -> npt.NDArray[np.float64]:
    """How often models with these chances to gain and to lose a row pass."""
    lost = np.arange(len(least))
    among_others = np.minimum(gain / np.maximum(1 - loss, 1e-300), 1)
    tail = binom.sf(least[:, None] - 1, (rows - lost)[:, None], among_others)
    return np.asarray(np.sum(binom.pmf(lost[:, None], rows, loss) * tail, axis=0))


def score_edge(rows: int, bound: float, lost: npt.NDArray[np.int_]) -> npt.NDArray[np.int_]:
    """Of Tango's test against another change: what an order of the outcomes is made of."""
    return np.array([edge_at(rows, bound, each) for each in lost.tolist()])


def edge_at(rows: int, bound: float, lost: int) -> int:
    """The fewest gains with which Tango's lower end reaches minus this bound."""
    below, enough = -1, rows - lost + 1
    while enough - below > 1:
        middle = (below + enough) // 2
        below, enough = (below, middle) if tango(rows, middle, lost, bound) else (middle, enough)
    return enough


def over_all_flips(rows: int, margin: float, most: int, flips: Array) -> npt.NDArray[np.int_]:
    """Exact whatever the rate of flips: as many outcomes of Tango's order as 2.5 % allow."""
    gain, loss = np.maximum(flips - margin, 0) / 2, (flips + margin) / 2
    strict, lax = max(0.0, margin - 8 / rows), margin + 1 / rows
    least = score_edge(rows, strict, np.arange(most + 1))
    for _ in range(22):
        middle = (strict + lax) / 2
        tried = score_edge(rows, middle, np.arange(most + 1))
        if np.max(chances(rows, tried, gain, loss)) <= ALPHA:
            strict, least = middle, tried
        else:
            lax = middle
    return least


def classification() -> Iterator[list[str]]:
    """A row for each case and method: its size, and its power at three rates of flips."""
    methods = {"half image": half_image, "Tango": tango, "melded": melded, "chosen": chosen}
    for rows, margin, most_flips in CASES:
        grid = np.linspace(math.asin(math.sqrt(margin)), math.asin(math.sqrt(most_flips)), 150)
        flips = np.sin(grid) ** 2
        most = int(binom.isf(1e-7, rows, min(1.0, (most_flips + margin) / 2)))
        edges = {name: edge(each, rows, margin, most) for name, each in methods.items()}
        edges["exact over all flips"] = over_all_flips(rows, margin, most, flips)
        half = np.array(_FLIPS) / 2
        for name, least in edges.items():
            gain, loss = np.maximum(flips - margin, 0) / 2, np.minimum((flips + margin) / 2, 1)
            size = 100 * float(np.max(chances(rows, least, gain, loss)))
            power = 100 * chances(rows, least, half, half)
            yield [
                f"{rows:,}",
                f"{100 * margin:g}",
                name,
                f"{size:.2f}",
                *(f"{each:.0f}" for each in power),
            ]


def populations() -> Iterator[tuple[str, Array, Array]]:
    """The errors of the float and of the quantized model, of real and of synthetic tables."""
    for name in ("diabetes", "california", "california-raw"):
        _, data = load_arrays(data_path(name))
        _, outputs = load_arrays(plot_path(name, "outputs.safetensors"))
        truth = data["y_test"].astype(np.float64)
        yield name, truth - outputs["float"][:, 0], truth - outputs["quantized"][:, 0]
    rng = np.random.default_rng(0)
    error = rng.normal(size=_POPULATION)
    signs = rng.choice([-1, 1], _POPULATION)
    rare = np.where(rng.random(_POPULATION) < 0.01, 30, 1)
    for name, change in {
        "normal": rng.normal(size=_POPULATION),
        "Student, 3 degrees": rng.standard_t(3, size=_POPULATION),
        "Student, 1.5 degrees": rng.standard_t(1.5, size=_POPULATION),
        "lognormal, σ = 1.5": signs * np.exp(1.5 * rng.normal(size=_POPULATION)),
        "1 in 100 thirty times as large": rng.normal(size=_POPULATION) * rare,
    }.items():
        yield name, error, error + 0.01 * change
    wild = rng.standard_t(3, size=_POPULATION)
    yield "errors of Student, 3 degrees", wild, wild + 0.01 * rng.normal(size=_POPULATION)


def regression() -> Iterator[list[str]]:
    """A row for each population and n: how often each upper end is below the truth."""
    for name, before, after in populations():
        truth = float(np.mean(after**2) / np.mean(before**2) - 1)
        # The tolerance is about what the change of a row is, so that many get worse and many not.
        tolerance = float(np.median(np.abs(after - before)) / np.median(np.abs(before)))
        grew = np.abs(after) - np.abs(before)
        share = float(np.mean(grew > tolerance * np.median(np.abs(before))))
        for rows in (89, 400, 1000):
            rng = np.random.default_rng(rows)
            drawn = rng.integers(0, len(before), (_REDRAWS, rows))
            missed = [_missed(before[i], after[i], (truth, share, tolerance)) for i in drawn]
            shares = [_bootstrap_misses(before, after, truth, drawn), *np.mean(missed, axis=0)]
            yield [name, f"{rows:,}", *(f"{100 * each:.1f}" for each in shares)]


def _bootstrap_misses(
    before: Array, after: Array, truth: float, drawn: npt.NDArray[np.int_]
) -> float:
    """How often the percentile bootstrap's upper end is below the truth."""
    rng = np.random.default_rng(0)
    missed = 0
    for rows in drawn[:_BOOTSTRAPPED]:
        again = rows[rng.integers(0, len(rows), (_RESAMPLES, len(rows)))]
        ratios = np.sum(after[again] ** 2, axis=1) / np.sum(before[again] ** 2, axis=1)
        missed += bool(np.quantile(ratios - 1, 1 - ALPHA) < truth)
    return missed / _BOOTSTRAPPED


def _missed(before: Array, after: Array, of_all: tuple[float, float, float]) -> tuple[bool, ...]:
    """Of one test set: normal, widened; believed; wrong and believed; rows that got worse."""
    truth, share, tolerance = of_all
    change = squares.change(before**2, after**2)
    without = squares.influence(before**2, after**2).without
    worse = worse_rows.count(np.zeros(len(before)), before, after, tolerance)
    return (
        change.value + _Z * change.error < truth,
        change.high < truth,
        not change.heavy_tails,
        not change.heavy_tails and max(change.high, without.high) < truth,
        worse_rows.high(len(before), worse) < share,
    )


def main() -> None:
    """Measure, and write both tables."""
    head = ["n", "margin, points", "method", "size, %"]
    head += [f"power, {100 * each:g} % flip" for each in _FLIPS]
    page = PAGE.read_text(encoding="utf-8")
    table = markdown.table(head, list(classification()))
    page = between(page, "<!-- table classification -->", table)
    head = ["table", "n", "missed by bootstrap", "by the normal interval", "by the widened one"]
    head += ["believed", "wrong", "missed by rows that got worse"]
    page = between(page, "<!-- table regression -->", markdown.table(head, list(regression())))
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
