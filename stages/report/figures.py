"""The pictures of one system, each with a caption and with words for those who do not see it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from octet.affine import Array
from octet.layers import Weighted
from octet.network import label
from octet.parameters import Quantized, values
from octet.signature import Columns, Numbers
from stages.paths import APART_BITS
from stages.report import tables, verdicts
from stages.report.evidence import Evidence, Point
from stages.report.vector import FLOAT, INK, QUANTIZED, THIRD, draw

_WIDTH, _HEIGHT = 4.4, 3.3
_BINS = 41
# Right of the names of features and layers.
_NAMED = (0.38, 0.16, 0.58, 0.76)
_PLAIN = (0.17, 0.16, 0.79, 0.76)
_ROUNDINGS = {
    "nearest": (FLOAT, "o", ":"),
    "gptq": (THIRD, "s", "--"),
    "exact": (QUANTIZED, "D", "-"),
}


@dataclass(frozen=True)
class Picture:
    """An SVG element with a caption; ``label`` is what is read out in its place."""

    svg: str
    caption: str
    label: str


Paint = Callable[[Axes], None]


def pictures(evidence: Evidence, key: str) -> list[Picture]:
    """All pictures of a system that its data and its network have.

    Args:
        key: unique on the page; what the names within its pictures start with.
    """
    numbers = isinstance(evidence.data.signature.outputs, Numbers)
    drawn = [_predictions, _errors] if numbers else [_output_changes]
    drawn += [_weights, _steps] if evidence.of_images else [_coefficients]
    if any(point.rounding in _ROUNDINGS for point in evidence.sweep):
        drawn.append(_sweep)
    if tables.activation_ranges(evidence):
        drawn.append(_ranges)
    if len(_layer_names(evidence)) > 1:
        drawn.append(_sensitivity)
    found: list[Picture] = []
    for paint in drawn:
        found += paint(evidence, f"{key}-{len(found)}")
    return found


def _picture(
    key: str, paint: Paint, words: tuple[str, str], axes: tuple[str, str], rect: tuple[float, ...]
) -> Picture:
    """A picture of one pair of axes.

    Args:
        paint: draws on the axes.
        words: caption and label.
        axes: names of x and y, with their units.
        rect: left, bottom, width and height of the axes within the figure.
    """

    def on_figure(figure: Figure) -> None:
        left, bottom, width, height = rect
        drawn = figure.add_axes((left, bottom, width, height))
        drawn.set_axisbelow(True)
        drawn.set_xlabel(axes[0])
        drawn.set_ylabel(axes[1])
        paint(drawn)

    return Picture(draw((_WIDTH, _HEIGHT), on_figure, key), *words)


def _predictions(evidence: Evidence, key: str) -> list[Picture]:
    """Predicted against actual, for each of the two models."""
    names = ("float model", verdicts.model_name(evidence.quantized))
    found = []
    for i, group in enumerate(("float", "quantized")):
        r2 = evidence.metrics.number(f"{group}.r2")
        caption = (
            f"Predicted against actual, {names[i]}: R² {r2:.4f}. On the dashed line they agree."
        )
        told = f"{len(evidence.data.y_test):,} test rows. {caption}"
        colour = (FLOAT, QUANTIZED)[i]
        paint = partial(_scatter, evidence=evidence, which=i, colour=colour)
        unit = _unit(evidence)
        axes = (f"actual{unit}", f"predicted{unit}")
        found.append(_picture(f"{key}-{group}", paint, (caption, told), axes, _PLAIN))
    return found


def _scatter(axes: Axes, evidence: Evidence, which: int, colour: str) -> None:
    """Both models get the same axes, so that they can be compared."""
    actual = evidence.data.y_test.astype(np.float64)
    low, high = _span(np.column_stack([actual, *(each[:, 0] for each in evidence.outputs)]))
    _dots(axes, actual, evidence.outputs[which][:, 0], colour)
    axes.plot([low, high], [low, high], color=INK, linewidth=1, dashes=(4, 3))
    edge = 0.03 * (high - low)
    axes.set_xlim(low - edge, high + edge)
    axes.set_ylim(low - edge, high + edge)


def _unit(evidence: Evidence) -> str:
    outputs = evidence.data.signature.outputs
    return f", {outputs.unit}" if isinstance(outputs, Numbers) else ""


def _dots(axes: Axes, x: Array, y: Array, colour: str) -> None:
    """Points as one path: a line that ends where it starts is a dot, in a tenth of the bytes."""
    nothing = np.full_like(x, np.nan)
    xs, ys = (np.column_stack([v, v, nothing]).ravel() for v in (x, y))
    size = 2.6 if len(x) < 1000 else 1.3
    axes.plot(xs, ys, color=colour, linewidth=size, solid_capstyle="round", alpha=0.6)


def _errors(evidence: Evidence, key: str) -> list[Picture]:
    """Histograms of what both models get wrong, in the unit of the target."""
    errors = [outputs[:, 0] - evidence.data.y_test for outputs in evidence.outputs]
    spread = [float(np.sqrt(np.mean(e**2))) for e in errors]
    caption = "Errors on the test rows: float filled, quantized as a line."
    seen = f"{caption} Their root mean squares are {spread[0]:.4g} and {spread[1]:.4g}."
    axes = (f"predicted − actual{_unit(evidence)}", "test rows")
    return [_histograms(key, errors, (caption, seen), axes)]


def _output_changes(evidence: Evidence, key: str) -> list[Picture]:
    """A histogram of what quantization does to the outputs for the classes."""
    before, after = evidence.outputs
    moved = np.ravel(after - before)
    caption = "Error of quantization: how far each output for a class moves."
    seen = f"Histogram of {moved.size:,} differences; the largest is {np.max(np.abs(moved)):.3g}."
    axes = ("quantized − float, logits", "outputs")
    return [_histograms(key, [moved], (f"{caption} {seen}", seen), axes, QUANTIZED)]


def _histograms(
    key: str,
    groups: Sequence[Array],
    words: tuple[str, str],
    axes: tuple[str, str],
    filled: str = FLOAT,
) -> Picture:
    """The first group filled, the others as lines, in the same bins."""
    edges = np.linspace(*_span(np.concatenate([np.ravel(group) for group in groups])), _BINS + 1)

    def paint(axis: Axes) -> None:
        first, *others = (np.histogram(group, edges)[0] for group in groups)
        axis.stairs(first, edges, fill=True, color=filled, alpha=0.55)
        axis.yaxis.set_major_formatter("{x:,.0f}")
        for counts in others:
            axis.stairs(counts, edges, color=QUANTIZED, linewidth=1.4)

    return _picture(key, paint, words, axes, _PLAIN)


def _span(numbers: Array) -> tuple[float, float]:
    low, high = float(np.min(numbers)), float(np.max(numbers))
    return (low, high) if low < high else (low - 0.5, low + 0.5)


def _coefficients(evidence: Evidence, key: str) -> list[Picture]:
    """The weights of a linear model by feature, before and after."""
    before, after = (np.ravel(w) for w in _paired_weights(evidence)[-1])
    names = [f"input {i}" for i in range(len(before))]
    inputs = evidence.data.signature.inputs
    if isinstance(inputs, Columns):
        names = list(inputs.features)
    places = np.arange(len(before))

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.plot(before, places, "o", color=FLOAT, markersize=7, fillstyle="none", label="float")
        axes.plot(after, places, "D", color=QUANTIZED, markersize=3, label="quantized")
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        _legend(axes)

    change = float(np.max(np.abs(after - before)))
    caption = f"Weights before and after quantization; none moves by more than {change:.3g}."
    return [_picture(key, paint, (caption, caption), ("weight", ""), _NAMED)]


def _weights(evidence: Evidence, key: str) -> list[Picture]:
    """The weights of all layers, before and after."""
    pairs = _paired_weights(evidence)
    both = [np.concatenate([np.ravel(pair[i]) for pair in pairs]) for i in (0, 1)]
    moved = float(np.max(np.abs(both[1] - both[0])))
    caption = "Weights of all layers before (filled) and after quantization (line)."
    seen = f"{caption} {len(both[0]):,} weights; none moves by more than {moved:.3g}."
    return [_histograms(key, both, (seen, seen), ("weight", "weights"))]


def _steps(evidence: Evidence, key: str) -> list[Picture]:
    """How many steps of its grid each weight was moved."""
    moved = []
    layers = [each for each in evidence.quantized.layers if isinstance(each, Weighted)]
    for layer, (before, after) in zip(layers, _paired_weights(evidence), strict=True):
        if isinstance(layer.weight, Quantized):
            moved.append(np.ravel((after - before) / layer.weight.grid.scale.astype(np.float64)))
    if not moved:
        return []
    steps = np.concatenate(moved)
    beyond = float(np.mean(np.abs(steps) > 0.5))
    caption = (
        "How far rounding moved each weight, in steps of its grid; "
        f"{100 * beyond:.1f} % by more than the half step of round-to-nearest."
    )
    axes = ("steps of the grid", "weights")
    return [_histograms(key, [steps], (caption, f"Histogram. {caption}"), axes, QUANTIZED)]


def _paired_weights(evidence: Evidence) -> list[tuple[Array, Array]]:
    """The weights of each layer, float and as its codes stand for."""
    networks = (evidence.reference, evidence.quantized)
    float_weights, quantized_weights = (
        [values(layer.weight) for layer in network.layers if isinstance(layer, Weighted)]
        for network in networks
    )
    return list(zip(float_weights, quantized_weights, strict=True))


def _sweep(evidence: Evidence, key: str) -> list[Picture]:
    """Bytes against loss in score, a line for each rounding, float as the reference."""
    unit, times, linear = ("accuracy, points", 100, 0.1) if evidence.of_images else ("R²", 1, 0.01)
    points = [point for point in evidence.sweep if point.rounding in _ROUNDINGS]
    reference = [point for point in evidence.sweep if point.rounding == "float"]

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=INK, linewidth=0.8)
        for rounding in _ROUNDINGS:
            if line := [point for point in points if point.rounding == rounding]:
                _line(axes, sorted(line, key=lambda point: point.payload), times, rounding)
        for point in reference:
            axes.plot(point.payload, 0, "*", color=INK, markersize=10, label="float")
        axes.set_yscale("symlog", linthresh=linear)
        axes.yaxis.set_major_formatter("{x:g}")
        _name_bytes(axes, points, reference)
        axes.legend(loc="upper right")

    caption = (
        f"Bytes against loss in {unit}, with intervals of 95 %. Numbers along the top are bits; "
        "lower and further left is better."
    )
    best = min(points, key=lambda point: (point.loss, point.payload))
    told = (
        f"{caption} The least loss is {times * best.loss:.3g}, of {best.rounding} rounding with "
        f"{best.bits} bits; the table of the sweep has every point."
    )
    axes = ("bytes of weights, scales and zero points", f"loss in {unit}")
    return [_picture(key, paint, (caption, told), axes, _PLAIN)]


def _line(axes: Axes, points: Sequence[Point], times: float, rounding: str) -> None:
    """The points of one rounding, joined, with their intervals."""
    colour, marker, dash = _ROUNDINGS[rounding]
    payloads = [point.payload for point in points]
    low, loss, high = (
        [times * getattr(point, key) for point in points] for key in ("low", "loss", "high")
    )
    axes.vlines(payloads, low, high, color=colour, linewidth=0.8, alpha=0.6)
    axes.plot(
        payloads, loss, color=colour, marker=marker, markersize=4, linestyle=dash, label=rounding
    )


def _name_bytes(axes: Axes, points: Sequence[Point], reference: Sequence[Point]) -> None:
    """A logarithmic axis of bytes, its ticks plain numbers, with the bits of each width above."""
    axes.set_xscale("log")
    ends = [point.payload for point in (*points, *reference)]
    ticks = np.geomspace(min(ends), max(ends), 5)
    axes.set_xticks(ticks, [f"{tick:,.0f}" for tick in ticks])
    axes.minorticks_off()
    for bits, payload in sorted({p.bits: p.payload for p in points}.items()):
        axes.text(
            payload, 1.02, str(bits), transform=axes.get_xaxis_transform(), ha="center", va="bottom"
        )


def _ranges(evidence: Evidence, key: str) -> list[Picture]:
    """What the calibration found: the reals that the codes of each layer's outputs span."""
    names, spans = zip(*tables.activation_ranges(evidence), strict=True)
    places = np.arange(len(names))

    def paint(axes: Axes) -> None:
        low, high = np.array(spans).T
        axes.axvline(0, color=INK, linewidth=0.8)
        axes.barh(places, high - low, left=low, height=0.6, color=QUANTIZED, alpha=0.7)
        axes.set_yticks(places, names)
        axes.invert_yaxis()

    widest = max(zip(spans, names, strict=True), key=lambda each: each[0][1] - each[0][0])
    caption = "Calibration: the range of values that the 256 codes behind each layer span."
    told = f"{caption} The widest, {widest[1]}, is {widest[0][0]:.3g} to {widest[0][1]:.3g}."
    return [_picture(key, paint, (caption, told), ("value", ""), _NAMED)]


def _sensitivity(evidence: Evidence, key: str) -> list[Picture]:
    """How far the outputs move when one layer alone is quantized."""
    names = _layer_names(evidence)
    moved = {
        bits: [evidence.metrics.number(f"sensitivity.{bits}_bits.moved.{name}") for name in names]
        for bits in APART_BITS
    }
    places = np.arange(len(names))

    def paint(axes: Axes) -> None:
        for (bits, numbers), colour, shift in zip(
            moved.items(), (FLOAT, QUANTIZED), (-0.2, 0.2), strict=True
        ):
            # 0 has no logarithm: a layer that moves nothing has no bar.
            axes.barh(places + shift, numbers, height=0.36, color=colour, label=f"{bits} bits")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        axes.set_yticks(places, names)
        axes.invert_yaxis()
        _legend(axes)

    blamed = evidence.metrics.word(f"sensitivity.{min(APART_BITS)}_bits.blame")
    caption = (
        "Sensitivity: how far the outputs move when only this layer is quantized. "
        f"At {min(APART_BITS)} bits {blamed} moves them most."
    )
    axes = ("mean squared change of the outputs", "")
    return [_picture(key, paint, (caption, caption), axes, _NAMED)]


def _layer_names(evidence: Evidence) -> list[str]:
    layers = evidence.reference.layers
    return [label(layers, i) for i, each in enumerate(layers) if isinstance(each, Weighted)]


def _legend(axes: Axes) -> None:
    """Above the axes, where it hides nothing."""
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, borderaxespad=0.2)
