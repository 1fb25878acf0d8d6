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
        OctetError: a number is missing; it is named.
    """
    number, judged = evidence.metrics.number, evidence.kind.task.judged
    low, high, margin = evidence.metrics.numbers("verdict.low", "verdict.high", "verdict.margin")
    changed = f"{_change(evidence)}, at {_share(evidence)} of the bytes."
    model = model_name(evidence.quantized)
    if number("verdict.non_inferior"):
        return Verdict("yes", "may replace", f"the {model} may replace the float one: {changed}")
    if judged.beyond(low, high, margin):
        return Verdict("no", "worse than allowed", f"the {model} is worse than allowed: {changed}")
    smallest = f"{100 * number('verdict.smallest_effect'):.2f} {judged.unit}"
    return Verdict(
        "open",
        "not shown to be as good",
        f"the {model} is not shown to be as good: {changed} The smallest change that its "
        f"{len(evidence.data.y_test):,} test rows could have shown is {smallest}.",
    )


def allowed(evidence: Evidence) -> float:
    """The change that its gate allows, with its sign: accuracy may fall, MSE may rise."""
    return evidence.kind.task.judged.allowed(evidence.metrics.number("verdict.margin"))


def change(evidence: Evidence) -> float:
    """The change that is judged."""
    judged = evidence.kind.task.judged
    before, difference = (
        evidence.metrics.number(f"{group}.{judged.score}") for group in ("float", "change")
    )
    return judged.change(before, difference)


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
    number, judged = evidence.metrics.number, evidence.kind.task.judged
    low, high = (f"{100 * number(f'verdict.{key}'):+.2f}" for key in ("low", "high"))
    return (
        f"{judged.name} changes by {100 * change(evidence):+.2f} {judged.unit} "
        f"(95 % interval {low} … {high}, allowed {100 * allowed(evidence):+.2f})"
    )


def _share(evidence: Evidence) -> str:
    payload, whole = evidence.metrics.numbers("size.quantized_payload", "size.float_payload")
    return f"{100 * payload / whole:.0f} %"
