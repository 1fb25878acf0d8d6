"""Weights of 2 to 8 bits in words of 32, as C takes them out in pairs of neighbours."""

import numpy as np
import numpy.typing as npt

from octet.exporters.c.plan import Sums
from octet.parameters import shape_of

HALF_WORD = 16


def packed(step: Sums) -> npt.NDArray[np.uint32]:
    """``(outputs, words)`` uint32: ⌊16 / bits⌋ codes in each half of a word.

    Code k of the lower half and code k of the upper one are neighbours: masked, a word is a pair.
    In the order of the window in C: columns, each of them an even number of codes; rows; channels.
    """
    weight = step.products.weight
    bits, outputs = weight.grid.bits, len(weight.codes)
    in_half = HALF_WORD // bits
    columns = weight.codes.transpose(0, 3, 2, 1).astype(np.uint32)
    even = np.zeros((outputs, columns.shape[1], column_of(step)), np.uint32)
    even[:, :, : columns[0, 0].size] = columns.reshape(*columns.shape[:2], -1)
    codes = even.reshape(outputs, -1)
    words = -(-codes.shape[1] // (2 * in_half))
    filled = np.zeros((outputs, words * in_half * 2), np.uint32)
    filled[:, : codes.shape[1]] = codes
    pairs = filled.reshape(outputs, words, in_half, 2)
    shifts = np.arange(in_half, dtype=np.uint32) * np.uint32(bits)
    halves = np.bitwise_or.reduce(pairs << shifts[:, None], axis=2)
    return np.asarray(halves[..., 0] | (halves[..., 1] << np.uint32(HALF_WORD)))


def in_turns(words: npt.NDArray[np.uint32], groups: int) -> list[int]:
    """As they lie in C: those of two outputs of a group in turn; a last one alone by itself."""
    outputs, count = len(words) // groups, words.shape[1]
    grouped = words.reshape(groups, outputs, count)
    even = grouped[:, : outputs // 2 * 2].reshape(groups, outputs // 2, 2, count)
    parts = (even.transpose(0, 1, 3, 2), grouped[:, outputs // 2 * 2 :])
    words_of = np.concatenate([part.reshape(groups, -1) for part in parts], axis=1)
    return [int(word) for word in words_of.reshape(-1)]


def column_of(step: Sums) -> int:
    """Numbers that C keeps of a column of a window: of all rows and channels, and even."""
    _, channels, tall, _ = shape_of(step.products.weight)
    return channels * tall + channels * tall % 2


def columns_of(step: Sums) -> int:
    """Columns of the two windows that C looks through together, or of the only one."""
    return step.window.sides[1] + (step.window.stride[1] if step.image[2] > 1 else 0)


def window_of(step: Sums) -> int:
    """Numbers of those columns, and what the last words of weights see behind them."""
    behind = (columns_of(step) - step.window.sides[1]) * column_of(step)
    words: int = packed(step).shape[1]
    return behind + 2 * words * (HALF_WORD // bits_of(step))


def bits_of(step: Sums) -> int:
    """The width of its weights."""
    return step.products.weight.grid.bits
