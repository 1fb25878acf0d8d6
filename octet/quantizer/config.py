"""How to quantize: every choice that there is, checked when it is made.

An error names the field, what was got and what is allowed: ``bits: got 1; allowed is …``. The
fields are the keys of ``quant`` in params.yaml, so it reads the same there.
"""

import math
from dataclasses import dataclass, field
from typing import Literal, TypeGuard, get_args

from octet import affine
from octet.affine import MAX_BITS, MIN_BITS
from octet.errors import OctetError

Scheme = Literal["asymmetric", "symmetric"]
Granularity = Literal["per_tensor", "per_channel", "per_parameter", "unified"]
Rounding = Literal["nearest", "gptq", "exact"]
Activations = Literal["none", "uint8"]
Span = tuple[float, float]

# The widest weights of an integer layer, and all that may share their scale.
_WIDEST_INTEGERS = 8
_INTEGER_GRANULARITIES = ("per_tensor", "per_channel")
_LARGEST_MARGIN = 10


@dataclass(frozen=True)
class Bias:
    """The bias: few numbers, on which every output depends.

    Under granularity ``unified`` it is on the grid of the weights, and with activations in codes it
    is int32; then this says nothing.

    Attributes:
        bits: width of a code, 2 to 16.
        range: the reals that the codes span: ``minmax``, or (lo, hi) with 0 inside.
    """

    bits: int = 8
    range: Literal["minmax"] | Span = "minmax"

    def __post_init__(self) -> None:
        _check_bits("bias.bits", self.bits)
        _check_range("bias.range", self.range, ("minmax",))


@dataclass(frozen=True)
class Calibration:
    """Which rows the ranges of activations are taken from, and how.

    Attributes:
        rows: how many, at random. None: all, but no more than 1,000.
        seed: of the choice, 0 to 2³² - 1.
        range: ``minmax``; ``percentile``, all but one value in 10,000 at each end; or ``mse``, the
            range that loses least.
    """

    rows: int | None = None
    seed: int = 0
    range: Literal["minmax", "percentile", "mse"] = "mse"

    def __post_init__(self) -> None:
        if self.rows is not None and not (_is_whole(self.rows) and self.rows >= 1):
            raise _refusal("calibration.rows", self.rows, "an integer from 1, or None")
        if not (_is_whole(self.seed) and 0 <= self.seed < 2**32):
            raise _refusal("calibration.seed", self.seed, "an integer from 0 to 2^32 - 1")
        _check_word("calibration.range", self.range, ("minmax", "percentile", "mse"))


@dataclass(frozen=True)
class Config:
    """How a float network becomes a quantized one.

    Attributes:
        bits: width of a weight's code, 2 to 16; to 8 where activations are uint8.
        scheme: ``asymmetric`` spends every code on the range that the weights really have;
            ``symmetric`` puts zero in the middle, which ``per_channel`` needs.
        granularity: what shares one scale: ``per_tensor``, ``per_channel`` (a row of weights),
            ``per_parameter`` (exact, but larger than float32), or ``unified`` (weights and bias
            share one range, and bits).
        range: which reals the codes span: ``minmax``; ``mse``, the range of least output error
            under this rounding; or (lo, hi) with 0 inside.
        margin: widens ``minmax`` by fractions of its extent, below and above.
        rounding: ``nearest`` takes each weight by itself; ``gptq`` pushes each error onto the
            weights still to come; ``exact`` finds the codes of least output error, and proves it
            where a row is short enough.
        bias: its own width and range.
        activations: ``none``: only weights become codes. ``uint8``: the network computes in
            integers.
        calibration: the rows that ranges of activations are taken from.

    Raises:
        OctetError: a value that is not allowed, or none beside another; the field is named.
    """

    bits: int = 8
    scheme: Scheme = "asymmetric"
    granularity: Granularity = "per_tensor"
    range: Literal["minmax", "mse"] | Span = "mse"
    margin: tuple[float, float] = (0.0, 0.0)
    rounding: Rounding = "exact"
    bias: Bias = field(default_factory=Bias)
    activations: Activations = "none"
    calibration: Calibration = field(default_factory=Calibration)

    def __post_init__(self) -> None:
        _check_bits("bits", self.bits)
        for name, words in _WORDS.items():
            _check_word(name, getattr(self, name), words)
        _check_range("range", self.range, ("minmax", "mse"))
        if not _are_numbers(self.margin, 0, _LARGEST_MARGIN):
            allowed = f"(below, above), fractions of the range from 0 to {_LARGEST_MARGIN}"
            raise _refusal("margin", self.margin, allowed)
        self._check_together()
        self._check_width("range", self.range, self.bits)
        if self.granularity != "unified":
            self._check_width("bias.range", self.bias.range, self.bias.bits)

    def _check_together(self) -> None:
        """What one choice leaves of another."""
        if self.granularity == "per_channel" and self.scheme != "symmetric":
            raise OctetError(
                "granularity: got per_channel with scheme asymmetric; a scale per channel needs "
                "one zero point for all: set scheme: symmetric"
            )
        if any(self.margin) and self.range != "minmax":
            raise OctetError(
                f"margin: got {list(self.margin)} with range {_shown(self.range)}; "
                "a margin widens the range of the weights: set range: minmax, or margin: [0, 0]"
            )
        if self.activations == "none":
            return
        if self.bits > _WIDEST_INTEGERS:
            raise OctetError(
                f"bits: got {self.bits} with activations uint8; integer inference takes weights "
                f"of {MIN_BITS} to {_WIDEST_INTEGERS} bits: set bits: 8, or activations: none"
            )
        if self.granularity not in _INTEGER_GRANULARITIES:
            raise OctetError(
                f"granularity: got {self.granularity} with activations uint8; "
                f"integer inference takes {' or '.join(_INTEGER_GRANULARITIES)}"
            )

    def _check_width(self, name: str, range_: str | Span, bits: int) -> None:
        """A range whose scale float32 cannot hold would be taken for one without extent."""
        if isinstance(range_, str):
            return
        lo, hi = range_
        make = affine.symmetric if self.scheme == "symmetric" else affine.asymmetric
        # What stands in for a scale that has vanished is far wider than the range itself.
        if make(lo, hi, bits).scale > 2 * (hi - lo):
            raise OctetError(
                f"{name}: got {_shown(range_)}, too narrow for a float32 scale at {bits} bits; "
                "allowed is one that is wider, or minmax"
            )


_WORDS = {
    "scheme": get_args(Scheme),
    "granularity": get_args(Granularity),
    "rounding": get_args(Rounding),
    "activations": get_args(Activations),
}


def _check_bits(name: str, bits: object) -> None:
    if not (_is_whole(bits) and MIN_BITS <= bits <= MAX_BITS):
        raise _refusal(name, bits, f"an integer from {MIN_BITS} to {MAX_BITS}")


def _check_word(name: str, word: object, allowed: tuple[str, ...]) -> None:
    if word not in allowed:
        raise _refusal(name, word, f"{', '.join(allowed[:-1])} or {allowed[-1]}")


def _check_range(name: str, range_: object, words: tuple[str, ...]) -> None:
    spans = _are_numbers(range_, -math.inf, math.inf) and range_[0] <= 0 <= range_[1] != range_[0]
    if not (spans or (isinstance(range_, str) and range_ in words)):
        raise _refusal(name, range_, f"{', '.join(words)}, or (lo, hi) with 0 inside and lo < hi")


def _is_whole(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _are_numbers(value: object, least: float, most: float) -> TypeGuard[Span]:
    """Whether these are two finite numbers between both."""
    return (
        isinstance(value, tuple | list)
        and len(value) == 2
        and all(isinstance(x, int | float) and math.isfinite(x) for x in value)
        and all(least <= x <= most for x in value)
    )


def _refusal(name: str, got: object, allowed: str) -> OctetError:
    return OctetError(f"{name}: got {_shown(got)}; allowed is {allowed}")


def _shown(value: object) -> str:
    return repr(list(value) if isinstance(value, tuple) else value)
