"""What the report shows of single layers: their rounding, sensitivity, and ranges of outputs."""

import numpy as np
from matplotlib.axes import Axes

from octet.layers import Gridded, Quantize, Weighted
from octet.network import label
from stages.paths import APART_BITS
from stages.report import picture
from stages.report.evidence import Evidence
from stages.report.picture import Picture, Words
from stages.report.tables import NOTHING, Cell, Table, cell
from stages.report.vector import FLOAT, INK, QUANTIZED

_SENSITIVITY = (
    ("outputs moved", "moved", ".3g"),
    ("score, only this", "only", ".4f"),
    ("score, all but this", "all_but", ".4f"),
)
_ROUNDING = (
    ("rounding, nearest", "nearest_error", ".3g"),
    ("these codes", "output_error", ".3g"),
    ("rows", "rows", ",d"),
    ("proven", "rows_proven", ",d"),
)


def pictures(evidence: Evidence, key: str) -> list[Picture]:
    """The ranges of activations where they have codes, and sensitivity where layers are several."""
    ranges = output_ranges(evidence)
    shown = [_ranges(ranges, f"{key}-ranges")] if ranges else []
    if len(_names(evidence)) > 1:
        shown.append(_sensitivity(evidence, f"{key}-sensitivity"))
    return shown


def table(evidence: Evidence) -> Table:
    """A row for each layer that has weights.

    Raises:
        OctetError: a number is missing; it is named.
    """
    number = evidence.layers.number
    columns = [
        ("parameters", "parameters.{}.count", ",d"),
        ("weight moved, at most", "parameters.{}.weight_max_abs", ".3g"),
        *(
            (f"{heading}, {bits} bits", f"sensitivity.{bits}_bits.{key}.{{}}", form)
            for heading, key, form in _SENSITIVITY
            for bits in APART_BITS
        ),
    ]
    if evidence.quantized.rounding:
        columns += [(heading, f"rounding.{{}}.{key}", form) for heading, key, form in _ROUNDING]
    ranges = output_ranges(evidence)
    rows = tuple(
        (
            Cell(name, float(place)),
            *(cell(number(key.format(name)), form) for _, key, form in columns),
            *([cell(end, ".3g") for end in ranges[name]] if name in ranges else [NOTHING, NOTHING]),
        )
        for place, name in enumerate(_names(evidence))
    )
    caption = (
        f"{evidence.name}: rounding and sensitivity by layer, scores on the first "
        f"{number('sensitivity.rows'):.0f} test rows, and the range that the codes of its outputs "
        "span"
    )
    headings = ("layer", *(heading for heading, _, _ in columns), "lowest", "highest")
    return Table(caption, headings, rows)


def output_ranges(evidence: Evidence) -> dict[str, tuple[float, float]]:
    """The reals that the codes behind each layer span, in order; none of a float network."""
    network = evidence.quantized.layers
    ranges = {}
    for i, layer in enumerate(network):
        grid = layer.grid if isinstance(layer, Quantize) else None
        if isinstance(layer, Gridded):
            grid = layer.output
        if grid is not None:
            scale, zero = float(grid.scale), int(grid.zero_point)
            name = "input" if isinstance(layer, Quantize) else label(network, i)
            ranges[name] = (-zero * scale, (grid.top - zero) * scale)
    return ranges


def _ranges(ranges: dict[str, tuple[float, float]], key: str) -> Picture:
    """The reals that the codes behind each layer span, as the calibration set them."""

    def paint(axes: Axes) -> None:
        low, high = np.array([*ranges.values()]).T
        axes.axvline(0, color=INK, linewidth=0.8)
        places = np.arange(len(ranges))
        axes.barh(places, high - low, left=low, height=0.6, color=QUANTIZED, alpha=0.7)

    widest = max(ranges, key=lambda name: ranges[name][1] - ranges[name][0])
    low, high = ranges[widest]
    caption = "Calibration: the range of values that the 256 codes behind each layer span."
    told = f"{caption} The widest, {widest}, is {low:.3g} to {high:.3g}."
    return picture.of_names(key, paint, Words(caption, told, "value", ""), [*ranges])


def _sensitivity(evidence: Evidence, key: str) -> Picture:
    """How far the outputs move when one layer alone is quantized."""
    names = _names(evidence)
    moved = {
        bits: [evidence.layers.number(f"sensitivity.{bits}_bits.moved.{name}") for name in names]
        for bits in APART_BITS
    }
    places = np.arange(len(names))

    def paint(axes: Axes) -> None:
        for (bits, numbers), colour, mark, shift in zip(
            moved.items(), (FLOAT, QUANTIZED), "oD", (-0.1, 0.1), strict=True
        ):
            # 0 has no logarithm: a layer that moves nothing has no mark.
            axes.plot(numbers, places + shift, mark, color=colour, label=f"{bits} bits")
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter("{x:g}")
        picture.legend(axes)

    blamed = evidence.layers.word(f"sensitivity.{min(APART_BITS)}_bits.blame")
    caption = (
        "Sensitivity: how far the outputs move when only this layer is quantized. "
        f"At {min(APART_BITS)} bits {blamed} moves them most."
    )
    words = Words(caption, caption, "mean squared change of outputs (log)", "")
    return picture.of_names(key, paint, words, names)


def _names(evidence: Evidence) -> list[str]:
    """The labels of the layers that have weights."""
    layers = evidence.reference.layers
    return [label(layers, i) for i, each in enumerate(layers) if isinstance(each, Weighted)]
