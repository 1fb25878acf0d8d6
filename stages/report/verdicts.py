"""The answer for one system, in one sentence."""

from dataclasses import dataclass

from octet.layers import Weighted
from octet.network import Network
from octet.parameters import Quantized
from octet.runtime import integer
from stages import checks
from stages.report.evidence import Evidence
from stages.tasks.task import digits

FLOAT = "float copy"


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
    """The verdict on a system: that of all of its gates, see `stages.checks`.

    Raises:
        OctetError: a number is missing; it is named.
    """
    model = model_name(evidence.quantized)
    if model == FLOAT:
        return Verdict("open", "float", "nothing was quantized; it is float, and that is all.")
    failed = [each for each in evidence.checks if not each.passed]
    changed = f"{_change(evidence)}, at {_share(evidence)}."
    short = checks.answer(evidence.checks)
    if not failed:
        return Verdict("yes", short, f"the {model} {short} the float one: {changed}")
    reasons = "; ".join(f"{each.what}: {each.got} (allowed {each.allowed})" for each in failed)
    if all(each.open for each in failed):
        return Verdict("open", short, f"the {model} is {short}: {reasons}. {_upper(changed)}")
    return Verdict("no", short, f"the {model} {short} the float one: {reasons}. {_upper(changed)}")


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
        return FLOAT
    width = f"{max(bits)}-bit"
    if not integer.is_integer(network):
        return f"{width} model"
    return "uint8 model" if bits == {8} else f"uint8 model with {width} weights"


def _change(evidence: Evidence) -> str:
    """Fractions are written times 100: changes of the accuracy in points, of the MSE in percent."""
    number, judged = evidence.metrics.number, evidence.kind.task.judged
    judged_change, low, high = (
        digits(100 * each, "+.2f")
        for each in (change(evidence), number("verdict.low"), number("verdict.high"))
    )
    return f"{judged.name} changes by {judged_change} {judged.unit} (95 % interval {low} … {high})"


def _share(evidence: Evidence) -> str:
    """Of what there are fewer bytes, and of what more: a header may outweigh the codes."""
    payload, whole = evidence.metrics.numbers("size.quantized_payload", "size.float_payload")
    share = f"{100 * payload / whole:.0f} % of the bytes of its weights"
    file, before = evidence.metrics.numbers("size.file_quantized", "size.file_float")
    if file <= before:
        return share
    return f"{share}, though its file grows from {before:,.0f} bytes to {file:,.0f}"


def _upper(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
