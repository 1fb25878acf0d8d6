"""A matplotlib figure as SVG within a page: in the page's colours, with the same bytes everywhere.

What matplotlib draws is rounded to a tenth of a unit, and its names, which are hashes of unrounded
numbers, are replaced by numbers in order: so no last digit of a CPU gets into the page.
"""

import io
import re
from collections.abc import Callable
from typing import Any
from xml.etree import ElementTree as ET

from matplotlib import style
from matplotlib.figure import Figure

# What figures are drawn in here is a variable in page.css, which has one value for light and one
# for dark.
INK, LINE = "#202020", "#c8c8c8"
FLOAT, QUANTIZED, THIRD = "#0072b2", "#d55e00", "#009e73"
_VARIABLES = {INK: "ink", LINE: "line", FLOAT: "float", QUANTIZED: "quantized", THIRD: "third"}

_STYLE: dict[str, Any] = {
    "axes.edgecolor": LINE,
    "axes.grid": True,
    "axes.labelcolor": INK,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 9,
    "grid.color": LINE,
    "grid.linewidth": 0.4,
    "legend.frameon": False,
    "legend.labelcolor": INK,
    "path.simplify": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "octet",
    "text.color": INK,
    "text.parse_math": False,
    "xtick.color": LINE,
    "xtick.labelcolor": INK,
    "ytick.color": LINE,
    "ytick.labelcolor": INK,
}
# Of the SVG's file, not of its picture.
_NO_METADATA = dict.fromkeys(("Creator", "Date", "Format", "Type"))
_ROUNDED = {"d", "height", "transform", "viewBox", "width", "x", "y"}
_REFERENCE = re.compile(r"#([\w.-]+)")
_NUMBER = re.compile(r"-?\d+(?:\.\d+)?(?:e-?\d+)?")
# A point is drawn as a line that ends where it starts, which takes half as many bytes in this form.
_DOT = re.compile(r"M (\S+ \S+) L \1(?= |$)")


def draw(size: tuple[float, float], paint: Callable[[Figure], None], key: str) -> str:
    """The SVG element of a figure.

    Args:
        size: width and height, in inches of 72 units.
        paint: draws on the figure; no setting of the user's own reaches it.
        key: of this figure on its page: what its names start with.
    """
    file = io.BytesIO()
    with style.context(_STYLE, after_reset=True):
        figure = Figure(figsize=size)
        paint(figure)
        figure.savefig(file, format="svg", metadata=_NO_METADATA, transparent=True)
    root = ET.fromstring(file.getvalue())
    for element in list(root.iter()):
        for child in list(element):
            if _bare(child.tag) in ("metadata", "style"):
                element.remove(child)
    _rename(root, key)
    for element in root.iter():
        _tidy(element)
    root.attrib = {"viewBox": root.attrib["viewBox"]}
    return ET.tostring(root, encoding="unicode")


def _rename(root: ET.Element, key: str) -> None:
    """Number the names that are referred to, and drop the others."""
    used: dict[str, str] = {}
    for element in root.iter():
        for name, value in element.attrib.items():
            if _bare(name) in ("href", "clip-path"):
                for old in _REFERENCE.findall(value):
                    used.setdefault(old, f"{key}-{len(used)}")
    for element in root.iter():
        renamed = {}
        for name, value in element.attrib.items():
            if _bare(name) in ("href", "clip-path"):
                renamed[_bare(name)] = _REFERENCE.sub(lambda m: f"#{used[m[1]]}", value)
            elif name != "id":
                renamed[name] = value
            elif value in used:
                renamed[name] = used[value]
        element.attrib = renamed


def _tidy(element: ET.Element) -> None:
    element.tag = _bare(element.tag)
    if element.tag != "text":
        element.text = None
    element.tail = None
    for name, value in list(element.attrib.items()):
        if value.startswith("rotate(-0 "):
            del element.attrib[name]
        elif name in _ROUNDED:
            rounded = _NUMBER.sub(_tenths, " ".join(value.split()))
            element.set(name, _DOT.sub(r"M\1h0", rounded))
        elif name == "style":
            element.set(name, _in_page_colours(value))


def _tenths(match: re.Match[str]) -> str:
    return f"{round(float(match[0]), 1) + 0.0:g}"


def _in_page_colours(rules: str) -> str:
    stripped = [rule.strip() for rule in rules.split(";")]
    kept = ";".join(rule for rule in stripped if not rule.startswith("font-family"))
    for colour, name in _VARIABLES.items():
        kept = kept.replace(colour, f"var(--{name})")
    return kept


def _bare(name: str) -> str:
    """A name without its namespace: the page's parser knows SVG by its tags."""
    return name.rpartition("}")[2]
