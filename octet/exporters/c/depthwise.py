"""How `x86` shares the sums of a depthwise convolution out: a channel has a lane of its own.

Codes of rows that lie below each other are put together, channel by channel, so that what
multiplies neighbours multiplies those of a channel. Putting together works in halves of a register,
and so does packing sums to codes: lanes are in order again when they are stored.
"""

from dataclasses import dataclass

import numpy as np

from octet.exporters.c.lanes import LANES, Integers64, fewest, in_bytes
from octet.exporters.c.plan import Sums

# Codes that are multiplied at once, of rows that lie below each other, and so many registers have
# the channels of one.
ROWS_OF_VNNI, ROWS_OF_AVX2 = 4, 2
_REGISTERS = {ROWS_OF_VNNI: 20, ROWS_OF_AVX2: 10}


@dataclass(frozen=True)
class EachTile:
    """Pixels whose sums are done together, of as many channels as a register has codes.

    Attributes:
        pixels: that leave.
        wide: the columns of a kernel.
        across: how far it moves from one pixel to the next.
    """

    pixels: int
    wide: int
    across: int

    def __str__(self) -> str:
        """As C calls it."""
        return f"each_{self.pixels}_{self.wide}_{self.across}"


def is_depthwise(step: Sums) -> bool:
    """Whether each output sees the channel of its own number."""
    return step.products.groups == step.image[0] == step.entering[0] > 1


def tile(step: Sums, rows: int) -> EachTile:
    """For a machine that multiplies codes of so many rows at once."""
    pixels = fewest(step.image[2], rows, _REGISTERS[rows])
    return EachTile(pixels, step.window.sides[1], step.window.stride[1])


def channels_of(step: Sums, rows: int) -> int:
    """Channels, and as many behind as fill registers."""
    return -(-step.image[0] // (LANES * rows)) * LANES * rows


def in_rows(steps: Integers64, rows: int) -> Integers64:
    """Weights as tiles take them: ``(blocks, passes, parts, wide, registers, 8, rows)``.

    Args:
        steps: less their zero point, ``(channels, 1, tall, wide)``.
        rows: that are multiplied at once.
    """
    passes = in_bytes(steps)[:, :, 0]
    count, channels, tall, wide = passes.shape
    parts, lanes = -(-tall // rows), LANES * rows
    filled = np.zeros((count, -(-channels // lanes) * lanes, parts * rows, wide), np.int64)
    filled[:, :channels, :tall] = passes
    # Register k has channels 4 k to 4 k + 3 of either half.
    each = filled.reshape(count, -1, 2, rows, LANES // 2, parts, rows, wide)
    ordered = each.transpose(1, 0, 5, 7, 3, 2, 4, 6)
    return ordered.reshape(len(ordered), count, parts, wide, rows, LANES, rows)


def tile_words(tile: EachTile) -> dict[str, str]:
    """What stands for the words of x86_each.c."""
    pixels = range(tile.pixels)
    begun = [f"NAME_begin_each(s{p}, step->offsets + 8 * block);" for p in pixels]
    added = []
    for column in range((tile.pixels - 1) * tile.across + tile.wide):
        users = [p for p in pixels if 0 <= column - p * tile.across < tile.wide]
        if users:
            added.append(f"NAME_put_together(codes, rows + i, from + {column} * channels);")
        added += [
            f"NAME_add_each(s{p}, weights + {column - p * tile.across} * length, codes);"
            for p in users
        ]
    return {
        "_SHAPE": f"_{tile}",
        "PIXELS": str(tile.pixels),
        "WIDE": str(tile.wide),
        "DECLARED": ", ".join(f"s{p}[NAME_ATONCE]" for p in pixels),
        "BEGUN": "\n    ".join(begun),
        "ADDED": "\n            ".join(added),
        "STORED": "\n    ".join(
            f"NAME_store_each(to + {p} * outputs, s{p}, step->factors + 8 * block, &ends);"
            for p in pixels
        ),
    }
