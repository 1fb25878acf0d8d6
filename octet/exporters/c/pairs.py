"""Offsets and factors of all steps of a file, in two tables."""

from collections.abc import Iterable

import numpy as np

from octet.exporters.c import proof
from octet.exporters.c.text import array, int32, narrowest_above, single, template, width


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
        kind, least = narrowest_above(self._offsets)
        offsets = (int32(offset - least) for offset in self._offsets)
        text = template("pair.c", self._name, {"LEAST": str(least)})
        text += array(f"{kind} {self._name}_offsets[{count}]", offsets)
        text += array(f"float {self._name}_factors[{count}]", self._factors)
        return text, (4 + width(kind)) * count
