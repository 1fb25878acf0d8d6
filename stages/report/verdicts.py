"""The answer for one system, in one sentence."""

from dataclasses import dataclass

from octet.layers import Weighted
from octet.network import Network
from octet.parameters import Quantized
from octet.runtime import integer
from stages.report.evidence import Evidence


@dataclass(frozen=True)
class Verdict:
    """What the evidence says.

    Attributes:
        kind: ``yes``; ``open``, where the interval reaches beyond what is allowed but not all of
            it; or ``no``.
        short: the same in a few words.
        sentence: the whole answer, without the system's name.
    """

    kind: str
    short: str
    sentence: str


def judge(evidence: Evidence) -> Verdict:
    """The verdict on a system, from ``verdict`` in its metrics.

    Raises:
        OctetError: a figure is missing; it is named.
    """
    number = evidence.metrics.number
    low, high, margin = (number(f"verdict.{key}") for key in ("low", "high", "margin"))
    changed = f"{_change(evidence)}, at {_share(evidence)} of the bytes."
    model = model_name(evidence.quantized)
    if number("verdict.non_inferior"):
        return Verdict("yes", "may replace", f"the {model} may replace the float one: {changed}")
    if high < -margin if evidence.of_images else low > margin:
        return Verdict("no", "worse than allowed", f"the {model} is worse than allowed: {changed}")
    smallest = f"{100 * number('verdict.smallest_effect'):.2f} {_unit(evidence)}"
    return Verdict(
        "open",
        "not shown to be as good",
        f"the {model} is not shown to be as good: {changed} The smallest change that its "
        f"{len(evidence.data.y_test):,} test rows could have shown is {smallest}.",
    )


def allowed(evidence: Evidence) -> float:
    """The change that its gate allows, with its sign: accuracy may fall, MSE may rise."""
    margin = evidence.metrics.number("verdict.margin")
    return -margin if evidence.of_images else margin


def change(evidence: Evidence) -> float:
    """The change that is judged: of the accuracy, or of the test MSE as a fraction of it."""
    number = evidence.metrics.number
    if evidence.of_images:
        return number("change.accuracy")
    before = number("float.mse")
    return number("change.mse") / before if before else 0.0


def model_name(network: Network) -> str:
    """What to call a network by what it holds: ``uint8 model``, ``4-bit model``, ``float copy``."""
    bits = {
        layer.weight.grid.bits
        for layer in network.layers
        if isinstance(layer, Weighted) and isinstance(layer.weight, Quantized)
    }
    if not bits:
        return "float copy"
    width = f"{max(bits)}-bit"
    if not integer.is_integer(network):
        return f"{width} model"
    return "uint8 model" if bits == {8} else f"uint8 model with {width} weights"


def _change(evidence: Evidence) -> str:
    """Fractions are written times 100: changes of the accuracy in points, of the MSE in percent."""
    number = evidence.metrics.number
    low, high = (f"{100 * number(f'verdict.{key}'):+.2f}" for key in ("low", "high"))
    judged = "accuracy" if evidence.of_images else "test MSE"
    return (
        f"{judged} changes by {100 * change(evidence):+.2f} {_unit(evidence)} "
        f"(95 % interval {low} … {high}, allowed {100 * allowed(evidence):+.2f})"
    )


def _unit(evidence: Evidence) -> str:
    return "points" if evidence.of_images else "%"


def _share(evidence: Evidence) -> str:
    number = evidence.metrics.number
    return f"{100 * number('size.quantized_payload') / number('size.float_payload'):.0f} %"
