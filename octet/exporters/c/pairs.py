"""Offsets and factors of all steps of a file, in two tables."""

from collections.abc import Iterable, Sequence

import numpy as np

from octet.exporters.c import proof
from octet.exporters.c.text import array, int32, single, template, width


class Pairs:
    """What is added to sums and grids, and by what they are multiplied; ``size`` in bytes."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._offsets: list[int] = []
        self._factors: list[str] = []

    def add(self, pairs: Iterable[tuple[int, float]], proven: bool = True) -> int:
        """Returns where they begin."""
        begin = len(self._offsets)
        for offset, m in pairs:
            exact = proof.factor(np.array(m, np.float32)) if proven else m
            self._offsets.append(int(offset))
            self._factors.append(single(float(exact)))
        return begin

    def tables(self) -> tuple[str, int]:
        """In C, and how many bytes they have."""
        count = len(self._offsets)
        if not count:
            return "", 0
        kind, parts, least = _narrowest(self._offsets)
        above = (offset - least for offset in self._offsets)
        numbers = map(int32, above) if parts == 1 else _in_bytes(above, parts)
        text = template(
            "pair.c", self._name, {"LEAST": str(least), "IN_BYTES": str(int(parts > 1))}
        )
        text += array(f"{kind} {self._name}_offsets[{parts * count}]", numbers)
        text += array(f"float {self._name}_factors[{count}]", self._factors)
        return text, (4 + parts * width(kind)) * count


def _narrowest(offsets: Sequence[int]) -> tuple[str, int, int]:
    """Their type in C, how many numbers of it each takes, and what all of them are above."""
    least, most = min(offsets), max(offsets)
    # Which one instruction can add.
    base = least // 256 * 256
    if least >= -(2**15) and most < 2**15:
        return "int16_t", 1, 0
    if most - base < 2**16:
        return "uint16_t", 1, base
    return ("uint8_t", 3, base) if most - base < 2**24 else ("int32_t", 1, 0)


def _in_bytes(numbers: Iterable[int], count: int) -> Iterable[str]:
    """The lowest one first."""
    return (str(byte) for number in numbers for byte in number.to_bytes(count, "little"))
