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
        dense: whether pixels have these outputs and no more: those of two lie together.
    """

    pixels: int
    blocks: int
    pool: int
    dense: bool

    def __str__(self) -> str:
        """As C calls it."""
        return f"{self.pixels}_{self.blocks}_{self.pool}{'_dense' * self.dense}"


def tiles(step: Sums, registers: int) -> tuple[Tile, Tile]:
    """Of two blocks of outputs if there are as many, and of the last, which may be alone."""
    blocks = blocks_of(step)
    most = min(2, blocks)
    pixels = fewest(step.image[2], most * step.pool**2, registers)
    tile = Tile(pixels, most, step.pool, dense=step.image[0] == most * LANES)
    return tile, replace(tile, blocks=1) if blocks % most else tile


def fewest(width: int, sums: int, registers: int) -> int:
    """How many pixels of a row a tile has, each of so many sums, for the least work."""

    def cost(pixels: int) -> tuple[int, int]:
        return -(-width // pixels) * (pixels * sums + _BESIDE), -pixels

    fitting = range(1, max(1, registers // sums) + 1)
    return min((pixels for pixels in fitting if pixels <= width), key=cost)


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
    sums = list(_sums(tile))
    rows = "xz"[: tile.pool]
    added = [
        f"codes = NAME_spread({rows[row]} + {column} * apart);\n                "
        + "\n                ".join(f"{s} = NAME_add({s}, w{s[1]}, codes);" for s in names)
        for row, column, names in sums
    ]
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
        "FACTORS": ", ".join(
            f"factors{block} = NAME_load(step->factors + 8 * block + {8 * block})"
            for block in range(tile.blocks)
        ),
        "ONWARDS": "\n                ".join(f"{row} += NAME_ATONCE;" for row in rows),
        "STORED": "\n    ".join(_stored(tile)),
    }


def _sums(tile: Tile) -> Iterator[tuple[int, int, list[str]]]:
    """Row and column of codes, and the names of the sums that they are added to."""
    for row in range(tile.pool):
        for column in range(tile.pixels * tile.pool):
            yield row, column, [f"s{block}{row}_{column}" for block in range(tile.blocks)]


def _stored(tile: Tile) -> Iterator[str]:
    """Stores of two eights of outputs that lie together, as far as there are two."""
    eights = [(pixel, block) for pixel in range(tile.pixels) for block in range(tile.blocks)]
    count = 2 if tile.dense else tile.blocks
    for i in range(0, len(eights), count):
        rounded = [_rounded(tile, *eight) for eight in eights[i : i + count]]
        codes = ",\n        ".join([*rounded, "_mm256_setzero_si256()"][:2])
        yield f"NAME_store(to + {eights[i][0]} * outputs, {codes}, &ends);"


def _rounded(tile: Tile, pixel: int, block: int) -> str:
    names = [
        f"s{block}{row}_{tile.pool * pixel + column}"
        for row in range(tile.pool)
        for column in range(tile.pool)
    ]
    return f"NAME_rounded({_largest(names)}, factors{block})"


def _largest(names: list[str]) -> str:
    first, *rest = names
    return f"_mm256_max_epi32({first}, {_largest(rest)})" if rest else first
