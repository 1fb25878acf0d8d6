"""How `x86` shares the sums of a convolution out: tiles of pixels by eights of outputs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from octet.exporters.c.lowering import Program
from octet.exporters.c.plan import Largest, Step, Sums
from octet.exporters.c.schedule import waiting_rows
from octet.layers.windows import Window

Integers64 = npt.NDArray[np.int64]

LANES = 8  # outputs of a register
_CODES = 4  # that are multiplied at once
# For sums: compilers keep no more of them there, of the 32 that come with VNNI or the 16 of AVX2.
REGISTERS_OF_VNNI, REGISTERS_OF_AVX2 = 16, 12
_BESIDE = 2  # what a tile costs beside its sums, in sums
_INT8 = np.iinfo(np.int8)


@dataclass(frozen=True)
class Tile:
    """Sums that are done together.

    Attributes:
        pixels: that leave.
        blocks: of eight outputs.
        pool: of how many rows and columns of sums a pixel is the largest.
    """

    pixels: int
    blocks: int
    pool: int

    @property
    def sums(self) -> int:
        """Registers of sums."""
        return self.pixels * self.blocks * self.pool**2

    def __str__(self) -> str:
        """As C calls it."""
        return f"{self.pixels}_{self.blocks}_{self.pool}"


def tiles(step: Sums, registers: int) -> tuple[Tile, Tile]:
    """Of two blocks of outputs if there are as many, and of the last, which may be alone."""
    blocks, width = blocks_of(step), step.image[2]
    most = min(2, blocks)

    def cost(pixels: int) -> tuple[int, int]:
        return -(-width // pixels) * (Tile(pixels, most, step.pool).sums + _BESIDE), -pixels

    fitting = range(1, max(1, registers // Tile(1, most, step.pool).sums) + 1)
    pixels = min((p for p in fitting if p <= width), key=cost)
    tile = Tile(pixels, most, step.pool)
    return tile, replace(tile, blocks=1) if blocks % most else tile


def blocks_of(step: Sums) -> int:
    """Eights of outputs."""
    return -(-step.image[0] // LANES)


def in_bytes(steps: Integers64) -> Integers64:
    """Weights less their zero point, from -255 to 255, as one or two of int8: ``(passes, …)``."""
    first = np.clip(steps, _INT8.min, _INT8.max)
    return np.stack([first, steps - first] if np.any(first != steps) else [first])


def in_words(passes: Integers64) -> tuple[Integers64, int]:
    """As tiles take them: ``(words, 8, 4)``, and how many words a kernel's row has.

    Args:
        passes: ``(passes, outputs, channels, *sides)``.
    """
    count, outputs, channels, tall, wide = passes.shape
    rows = passes.transpose(1, 0, 3, 4, 2).reshape(outputs, count, tall, wide * channels)
    words, blocks = -(-wide * channels // _CODES), -(-outputs // LANES)
    filled = np.zeros((blocks * LANES, count, tall, words * _CODES), np.int64)
    filled[:outputs, ..., : wide * channels] = rows
    each = filled.reshape(blocks, LANES, count, tall, words, _CODES).transpose(0, 2, 3, 4, 1, 5)
    return each.reshape(-1, LANES, _CODES), words


def length(step: Sums) -> int:
    """Codes that a kernel sees, and as many behind as fill vectors."""
    return -(-step.length // LANES) * LANES


def in_a_row(steps: Integers64) -> Integers64:
    """As loops take weights: ``(outputs, length)``, those of an output together."""
    outputs = -(-len(steps) // LANES) * LANES
    rows = steps.transpose(0, 2, 3, 1).reshape(len(steps), -1)
    filled = np.zeros((outputs, -(-rows.shape[1] // LANES) * LANES), np.int64)
    filled[: len(steps), : rows.shape[1]] = rows
    return filled


def with_pools(program: Program) -> Program:
    """The program with pools of 2 x 2 done before sums are rounded to codes.

    Where nothing else takes these: the code of the largest sum is the largest code.
    """
    steps, output = list(program.steps), program.output.step
    for i in reversed(range(len(steps))):
        pool, last = steps[i], steps[i].sources[0]
        if last < 0 or last == output:
            continue
        merged = _merged(steps[last], pool, steps)
        if merged is not None:
            steps[last] = merged
            del steps[i]
            output = _behind(output, i, last)
            steps = [
                replace(step, sources=tuple(_behind(source, i, last) for source in step.sources))
                for step in steps
            ]
    return replace(
        program,
        steps=tuple(steps),
        output=replace(program.output, step=output),
        waiting=tuple(waiting_rows(steps, program.entering.image[1], output)),
    )


def _behind(source: int, gone: int, heir: int) -> int:
    """What a source is called when a step is gone, whose rows another gives now."""
    return heir if source == gone else source - (source > gone)


def _merged(sums: Step, pool: Step, steps: Sequence[Step]) -> Sums | None:
    """One step in the place of two; None if they cannot be one."""
    if not isinstance(pool, Largest) or not isinstance(sums, Sums) or sums.products.groups > 1:
        return None
    users = sum(pool.sources[0] in step.sources for step in steps)
    if users > 1 or pool.window != Window((2, 2), (2, 2)):
        return None
    return replace(sums, image=pool.image, pool=2)


def tile_words(tile: Tile) -> dict[str, str]:
    """What stands for the words of x86_tile.c."""
    sums, places = list(_sums(tile)), range(tile.pool)
    rows = "xz"[: tile.pool]
    added = [
        f"codes = NAME_spread({rows[row]} + {column} * apart);\n                "
        + "\n                ".join(f"{s} = NAME_add({s}, w{s[1]}, codes);" for s in names)
        for row, column, names in sums
    ]
    stored = []
    for block in reversed(range(tile.blocks)):
        for pixel in range(tile.pixels):
            largest = _largest(
                [f"s{block}{row}_{tile.pool * pixel + k}" for row in places for k in places]
            )
            stored.append(
                f"NAME_store(to + {pixel} * outputs + {8 * block}, {largest}, "
                f"step->factors + 8 * block + {8 * block}, &ends);"
            )
    declared = []
    for block in range(tile.blocks):
        names = [s for _, _, each in sums for s in each if s[1] == str(block)]
        declared.append(f"{names[0]} = NAME_load(step->offsets + 8 * block + {8 * block})")
        declared += [f"{s} = {names[0]}" for s in names[1:]]
    below = ["const NAME_code *z = rows[i + step->down] + from;"] if tile.pool > 1 else []
    return {
        "_SHAPE": f"_{tile}",
        "LANES": str(8 * tile.blocks),
        "PIXELS": str(tile.pixels),
        "OF_ROWS": "of a row" if tile.pool == 1 else "that are each the largest of 2 x 2",
        "DECLARED": ", ".join(declared),
        "SOURCES": "\n            ".join(["const NAME_code *x = rows[i] + from;", *below]),
        "WEIGHTS": ", ".join(
            ["w0 = NAME_load(weights)", "w1 = NAME_load(weights + step->block)"][: tile.blocks]
        ),
        "ADDED": "\n                ".join(added),
        "ONWARDS": "\n                ".join(f"{row} += NAME_ATONCE;" for row in rows),
        "STORED": "\n    ".join(stored),
    }


def _sums(tile: Tile) -> Iterator[tuple[int, int, list[str]]]:
    """Row and column of codes, and the names of the sums that they are added to."""
    for row in range(tile.pool):
        for column in range(tile.pixels * tile.pool):
            yield row, column, [f"s{block}{row}_{column}" for block in range(tile.blocks)]


def _largest(names: list[str]) -> str:
    first, *rest = names
    return f"_mm256_max_epi32({first}, {_largest(rest)})" if rest else first
