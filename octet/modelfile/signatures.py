"""Signatures in the headers of model and data files: what goes in and what comes out."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from octet.modelfile.fields import whole
from octet.signature import LARGEST_ROW, Classes, Columns, Images, Numbers, Signature

_BRIGHTEST = 2**16 - 1


def dump_signature(signature: Signature) -> dict[str, Any]:
    """What a header holds of a signature: the fields of both of its halves."""
    return asdict(signature.inputs) | asdict(signature.outputs)


def load_signature(header: Mapping[str, Any]) -> Signature:
    """The signature that a header holds, as `dump_signature` put it there.

    Raises:
        KeyError, TypeError, ValueError: there is none, or it is not made of sizes and of names
            that differ and can be printed.
    """
    return Signature(_load_inputs(header), _load_outputs(header))


def _load_inputs(header: Mapping[str, Any]) -> Columns | Images:
    if "features" in header:
        if not (features := _names(header["features"])):
            raise ValueError("no features")
        return Columns(features)
    channels, height, width = (whole(side, 1) for side in header["shape"])
    if (numbers := channels * height * width) > LARGEST_ROW:
        raise ValueError(f"got images of {numbers} numbers; allowed are {LARGEST_ROW}")
    if (white := whole(header["white"], 1)) > _BRIGHTEST:
        raise ValueError(f"got white {white}; allowed are 1 to {_BRIGHTEST}")
    return Images((channels, height, width), white)


def _load_outputs(header: Mapping[str, Any]) -> Numbers | Classes:
    if "classes" in header:
        return Classes(_names(header["classes"]))
    (target,), (unit,) = _names([header["target"]]), _names([header["unit"]])
    return Numbers(target, unit)


def _names(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise TypeError("names must be strings")
    if len(set(value)) < len(value):
        raise ValueError("names must differ")
    if not all(one.isprintable() and one == one.strip() for one in value):
        raise ValueError("names must be made of what can be printed, without blanks around it")
    return tuple(value)
