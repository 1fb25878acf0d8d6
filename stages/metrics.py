"""metrics/<system>.json and plots/<system>/layers.json: how they are written, and read by all."""

import json
import math
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from octet.errors import OctetError
from stages.tasks import KINDS, Kind

# Numbers and words by name, in groups of groups.
Groups = Mapping[str, object]

_DIGITS = 9
# What is of a size beyond that of every float is no number: its digits could fill the memory.
_LARGEST_EXPONENT = 308
_REMEDY = "run `dvc repro`"


def dump(groups: Groups, path: Path) -> bytes:
    """Sorted JSON with nine significant digits: what differs less is rounding error.

    Raises:
        OctetError: a number is NaN or infinite; it is named.
    """
    return (json.dumps(_rounded(groups, f"{path}: "), indent=2, sort_keys=True) + "\n").encode()


def _rounded(groups: Groups, where: str) -> Groups:
    rounded: dict[str, object] = {}
    for key, value in groups.items():
        if isinstance(value, Mapping):
            rounded[key] = _rounded(value, f"{where}{key}.")
        elif isinstance(value, float):
            if not math.isfinite(value):
                raise OctetError(f"{where}{key}: got {value}; the model's outputs are unusable")
            rounded[key] = float(f"{value:.{_DIGITS}g}")
        else:
            rounded[key] = value
    return rounded


@dataclass(frozen=True)
class Metrics:
    """A file of metrics, read by keys such as ``verdict.low``.

    Attributes:
        where: the file, for errors.
        groups: what is in it, every number a Decimal with the digits of the file.
    """

    where: str
    groups: Groups

    def number(self, key: str) -> float:
        """The number at a key; errors as `numbers`."""
        return self.numbers(key)[0]

    def numbers(self, *keys: str) -> list[float]:
        """The numbers at these keys.

        Raises:
            OctetError: some are missing, or no finite numbers; each is named.
        """
        numbers = [_finite(self._value(key)) for key in keys]
        bad = [key for key, number in zip(keys, numbers, strict=True) if number is None]
        if bad:
            each = ", ".join(f"{key}: {_shown(self._value(key))}" for key in bad)
            raise OctetError(f"{self.where}: {each}; allowed is a finite number; {_REMEDY}")
        return [number for number in numbers if number is not None]

    def word(self, key: str) -> str:
        """The name at a key.

        Raises:
            OctetError: it is missing, or no name.
        """
        value = self._value(key)
        if not isinstance(value, str):
            raise OctetError(f"{self.where}: {key}: {_shown(value)}; allowed is a name; {_REMEDY}")
        return value

    def kind(self) -> Kind:
        """What the system is: its task, and what goes in.

        Raises:
            OctetError: the file does not say so.
        """
        name = self._value("kind")
        if not isinstance(name, str) or name not in KINDS:
            raise OctetError(
                f"{self.where}: kind: {_shown(name)}; allowed are {', '.join(KINDS)}; {_REMEDY}"
            )
        return KINDS[name]

    def leaves(self) -> dict[str, Decimal | str]:
        """Every value by its key: numbers as they are, all else as text."""
        return dict(_leaves(self.groups, ""))

    def _value(self, key: str) -> object:
        """What is at a key; None if nothing is."""
        value: object = self.groups
        for part in key.split("."):
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


def read(path: Path) -> Metrics:
    """The metrics in a file.

    Raises:
        OctetError: there is no such file, or no JSON object in it.
    """
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise OctetError(f"{path}: no such file; `dvc repro` makes it") from None
    return parse(content, str(path))


def parse(content: bytes | str, where: str) -> Metrics:
    """The metrics in the content of a file.

    Raises:
        OctetError: it is no JSON object.
    """
    try:
        groups = json.loads(content, parse_float=Decimal, parse_int=Decimal, parse_constant=str)
    except (ValueError, RecursionError, ArithmeticError):
        raise OctetError(f"{where}: not JSON; {_REMEDY}") from None
    if not isinstance(groups, dict):
        raise OctetError(f"{where}: got {reprlib.repr(groups)}; allowed are groups; {_REMEDY}")
    return Metrics(where, groups)


def _finite(value: object) -> float | None:
    if not isinstance(value, Decimal):
        return None
    number = float(value)
    return number if math.isfinite(number) else None


def _shown(value: object) -> str:
    if value is None:
        return "missing"
    return f"got {value:.9g}" if isinstance(value, Decimal) else f"got {reprlib.repr(value)}"


def _leaves(groups: Groups, path: str) -> Iterator[tuple[str, Decimal | str]]:
    for key, value in groups.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", _leaf(value)


def _leaf(value: object) -> Decimal | str:
    if isinstance(value, Decimal):
        return value if abs(value.adjusted()) <= _LARGEST_EXPONENT else str(value)
    return value if isinstance(value, str) else json.dumps(value, default=str)
