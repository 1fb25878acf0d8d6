"""One C99 file for PCs: eight outputs at once with AVX2 and VNNI, or in loops of eight without.

Rows stream as in `small`, but in int16, with a border of zeros around them: a kernel's row lies
together in memory, and nothing is copied to be multiplied.
"""

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from octet.errors import OctetError
from octet.exporters.c import proof, small
from octet.exporters.c.lowering import Program
from octet.exporters.c.plan import Step, Sums
from octet.exporters.c.text import single
from octet.layers.integers import LARGEST_SUM

_LANES = 8
# Pixels that are done together: with eight sums of eight, 16 registers are full.
_TOGETHER = (8, 4, 1)
_SLACK = 2  # a kernel's row may see one number behind the last


def write(program: Program, name: str) -> small.Parts:
    """The parts of the file of a program; arguments as of `small.write`."""
    return _Writer(program, name).parts()


class _Writer(small.Writer):
    def _template(self, name: str, **words: str) -> str:
        own = name in ("struct", "rows", "begin")
        return super()._template(f"x86_{name}" if own else name, **words)

    def _kind(self, step: Step) -> str:
        if not isinstance(step, Sums):
            return super()._kind(step)
        return "SUMS" if step.products.groups == 1 else "GROUPED"

    def _products(self, step: Sums, n: int) -> dict[str, object]:
        """The weights less their zero point, and the bias less what z_x is in all sums."""
        products, weight = step.products, step.products.weight
        outputs = len(products.bias)
        steps = weight.codes - weight.grid.zero_point.astype(np.int64).reshape(-1, 1, 1, 1)
        sums = steps.reshape(outputs, -1)
        offsets = products.bias.astype(np.int64) - step.entering_zero * sums.sum(axis=1)
        largest = int(np.max(255 * np.abs(sums).sum(axis=1) + np.abs(offsets)))
        if largest > LARGEST_SUM:
            raise OctetError(
                f"layer {step.layer}: sums up to {largest} on the way leave int32 in C"
            )
        alone = products.groups == 1
        weights, words = _in_lanes(steps) if alone else (steps.transpose(2, 3, 1, 0), 0)
        factors = np.broadcast_to(proof.factor(products.m), offsets.shape)
        behind = -outputs % _LANES
        numbers = [*offsets.tolist(), *[0] * behind]
        singles = [*map(single, factors.tolist()), *["0.0f"] * behind]
        self._bytes += 8 * len(numbers)
        return {
            "groups": products.groups,
            "words": words,
            "data": self._weights("int16_t", n, map(str, weights.reshape(-1).tolist()), step),
            "offsets": self._array("int32_t", f"offsets_{n}", len(numbers), map(str, numbers)),
            "factors": self._array("float", f"factors_{n}", len(singles), singles),
        }

    def _borders(self) -> list[tuple[int, int, int]]:
        """Of each image: pixels in front of a row, numbers of a row in all, and the zero."""
        borders = []
        for i, (channels, _, width) in enumerate(self._images):
            users = [s for s in self._steps if isinstance(s, Sums) and i - 1 in s.sources]
            left = max((step.window.padding[1] for step in users), default=0)
            right = max((step.window.padding[3] for step in users), default=0)
            zero = users[0].entering_zero if users else 0
            borders.append((left, (left + width + right) * channels + _SLACK, zero))
        return borders

    def _places(self) -> tuple[list[int], int]:
        sizes = [
            pitch * (waiting + 1)
            for (_, pitch, _), waiting in zip(self._borders(), self._program.waiting, strict=True)
        ]
        ends = np.cumsum(sizes)
        return [0, *map(int, ends[:-1])], int(ends[-1])

    def _image_table(self, rows_at: list[int]) -> list[tuple[int, ...]]:
        images = super()._image_table(rows_at)
        return [(*image, *border) for image, border in zip(images, self._borders(), strict=True)]

    def _state(self, size: str, rows: int) -> list[tuple[str, int]]:
        del size
        count = len(self._steps)
        lines = [
            (f"int32_t sums[{self._sums_at}];", 4 * self._sums_at),
            (f"int32_t turns[{count}], made[{count + 1}];", 4 * (2 * count + 1)),
            (f"int16_t rows[{rows}];", 2 * rows),
        ]
        return [(line, size) for line, size in lines if size]

    def _kernel(self, name: str) -> Iterable[str]:
        if name not in ("sums", "window"):
            yield from super()._kernel(name)
            return
        kinds = {self._kind(step) for step in self._steps}
        if name == "window":
            return
        if "SUMS" in kinds:
            yield self._template("x86_lanes")
            for pixels in _TOGETHER:
                yield self._block(pixels)
            yield self._template("x86_sums")
        if "GROUPED" in kinds:
            yield self._template("x86_grouped")

    def _block(self, pixels: int) -> str:
        """For so many pixels: each has a name of its own, or compilers keep it in memory."""
        each = range(pixels)
        added = [f"s{p} = {self._name}_add(s{p}, both, x + {p} * apart);" for p in each]
        stored = [
            f"{self._name}_store(to + {p} * next, s{p}, factors, ends, count);" for p in each[:-1]
        ]
        return self._template(
            "x86_block",
            _PIXELS=f"_{pixels}",
            PIXELS=str(pixels),
            LAST=f"s{pixels - 1}",
            DECLARED=", ".join(f"s{p} = offsets" for p in each),
            ADDED="\n            ".join(added),
            STORED="\n    ".join(stored),
        )


def _in_lanes(steps: npt.NDArray[np.int64]) -> tuple[npt.NDArray[np.int64], int]:
    """As eight outputs take them: ``(blocks, tall, words, 8, 2)``, and how many words a row has.

    The last block comes first.
    """
    outputs, channels, tall, wide = steps.shape
    rows = steps.transpose(0, 2, 3, 1).reshape(outputs, tall, wide * channels)
    words = -(-wide * channels // 2)
    filled = np.zeros((-(-outputs // _LANES) * _LANES, tall, 2 * words), np.int64)
    filled[:outputs, :, : wide * channels] = rows
    blocks = filled.reshape(-1, _LANES, tall, words, 2)
    return blocks[::-1].transpose(0, 2, 3, 1, 4), words
