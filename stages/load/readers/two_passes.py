"""Columns of a table longer than memory: what they are, block by block, then their values.

A block of a column is numbers, float64 with NaN for gaps, or texts as Arrow has them. What a column
of texts is, all of its rows say: numbers, if each of its texts but gaps is one. So a file is read
twice, and what it held is kept on disk.
"""

import math
import os
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import pyarrow
import pyarrow.compute
from tqdm import tqdm

from octet.affine import Array
from octet.blocks import release
from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.rows.encoding import GAPS, number, short

# Up to here float64 has every integer.
EXACT = 2**53
# More different texts than any column of categories or classes has.
MOST_TEXTS = 2**14
_INTEGER = re.compile(r"[+-]?\d+", re.ASCII)
_GAPS = pyarrow.array(sorted(GAPS))

# By the name of its column: numbers, or an Arrow array of texts.
Block = Mapping[str, Any]


@dataclass(frozen=True)
class Texts:
    """A column of texts.

    Attributes:
        texts: the different ones, sorted; stripped of blanks.
        codes: ``(rows,)`` int32, the place of each row's among them; -1 for a gap.
    """

    texts: tuple[str, ...]
    codes: npt.NDArray[np.int32]

    def __getitem__(self, rows: Any) -> AnyArray:
        """The texts of some rows, as objects, with "" for a gap."""
        names: AnyArray = np.array([*self.texts, ""], object)
        return np.asarray(names[self.codes[rows]])

    def __len__(self) -> int:
        return len(self.codes)


Column = Array | Texts


def gaps(column: Column) -> npt.NDArray[np.bool_]:
    """Which rows miss it."""
    missing = column.codes < 0 if isinstance(column, Texts) else np.isnan(column)
    let_go(column)
    return np.asarray(missing)


def let_go(column: Column) -> None:
    """Keep it on disk alone until its values are wanted again."""
    release(column.codes if isinstance(column, Texts) else column)


@dataclass
class Contents:
    """What is known of a column from some of its rows.

    Attributes:
        numbers, others: different texts that are numbers, and that are none, `MOST_TEXTS` at most.
        beyond: an integer that float64 does not have.
    """

    numbers: dict[str, None] = field(default_factory=dict)
    others: dict[str, None] = field(default_factory=dict)
    beyond: str = ""

    def see(self, block: Any) -> None:
        """Take a block in."""
        if isinstance(block, np.ndarray):
            return
        plain = _plain(block) is not None
        if plain and len(self.numbers) >= MOST_TEXTS:
            return
        for text in block.unique().to_pylist():
            if (name := text.strip()) in GAPS:
                continue
            value = number(name)
            kind = self.others if value is None else self.numbers
            if value is not None and abs(value) > EXACT and _INTEGER.fullmatch(name):
                self.beyond = self.beyond or name
            if len(kind) < MOST_TEXTS:
                kind[name] = None
            elif plain:
                return

    def merge(self, later: Self) -> None:
        """Take in what is known from later rows."""
        for ours, theirs in ((self.numbers, later.numbers), (self.others, later.others)):
            for text in theirs:
                if len(ours) < MOST_TEXTS:
                    ours[text] = None
        self.beyond = self.beyond or later.beyond

    def texts(self, where: str) -> tuple[str, ...] | None:
        """The different texts, sorted; None of a column of numbers.

        Raises:
            OctetError: it is one of numbers, and one of them is beyond those that float64 has.
        """
        if self.others:
            return tuple(sorted({**self.numbers, **self.others}))
        if self.beyond:
            raise OctetError(
                f"{where}: got {short(self.beyond)}; float64 has not all integers beyond 2^53: if "
                "it is an id, leave it out by `drop`"
            )
        return None


def among_numbers(text: str) -> str:
    """What is said of a text in a column of numbers."""
    return (
        f"got {short(text)!r} among numbers; correct it, or leave it empty where the number is "
        "missing"
    )


Summary = tuple[int, dict[str, Contents]]


def summary(parts: Iterable[Block]) -> Summary:
    """How many rows blocks have, and what is known of each column."""
    rows, columns = 0, dict[str, Contents]()
    for block in parts:
        for name, values in block.items():
            columns.setdefault(name, Contents()).see(values)
        rows += len(next(iter(block.values())))
    return rows, columns


def together(summaries: Iterable[Summary]) -> Summary:
    """The summary of the blocks of all."""
    rows, columns = 0, dict[str, Contents]()
    for count, of_part in summaries:
        rows += count
        for name, contents in of_part.items():
            columns.setdefault(name, Contents()).merge(contents)
    return rows, columns


def read(blocks: Callable[[], Iterator[Block]], known: Summary, where: str) -> dict[str, Column]:
    """The columns, in files that the system deletes when nobody holds them any more.

    Args:
        blocks: gives them from the beginning.
        known: the summary of them.
        where: their file, for errors.

    Raises:
        OctetError: as `Contents.texts`, or a column has more different texts than any may have.
    """
    rows, contents = known
    texts = {name: each.texts(f"{where}: column {name}") for name, each in contents.items()}
    for name, several in texts.items():
        if several and len(several) >= MOST_TEXTS:
            strange = next(iter(contents[name].others))
            if len(contents[name].others) < len(contents[name].numbers):
                raise OctetError(f"{where}: column {name}: {among_numbers(strange)}")
            raise OctetError(
                f"{where}: column {name}: got {MOST_TEXTS:,} different texts or more, "
                f"{short(several[0])!r} say: free text or ids? Leave it out by `drop`"
            )
    files = {
        name: on_disk((rows,), np.float64 if several is None else np.int32)
        for name, several in texts.items()
    }
    codes = {
        name: {text: i for i, text in enumerate(several)}
        for name, several in texts.items()
        if several is not None
    }
    with tqdm(total=rows, desc="load", unit=" rows", unit_scale=True, disable=None) as bar:
        start = 0
        for block in blocks():
            for name, values in block.items():
                part = files[name][start : start + len(values)]
                part[:] = _coded(values, codes[name]) if name in codes else numbers(values)
                release(part)
            start += len(values)
            bar.update(len(values))
    return {
        name: files[name] if several is None else Texts(several, files[name])
        for name, several in texts.items()
    }


def on_disk(shape: tuple[int, ...], dtype: Any) -> AnyArray:
    """An array in a file that the system deletes when the last holder is gone: NumPy holds it.

    Raises:
        OctetError: there is no room for it.
    """
    size = math.prod(shape) * np.dtype(dtype).itemsize
    with tempfile.TemporaryFile() as file:
        try:
            # Later, a full disk would end the process without a word.
            os.posix_fallocate(file.fileno(), 0, size)
        except OSError as error:
            raise OctetError(
                f"{tempfile.gettempdir()}: no room for {size} bytes of a table ({error.strerror}); "
                "set TMPDIR to a folder that has"
            ) from None
        return np.memmap(file, dtype, "r+", shape=shape)


def numbers(block: Any) -> Array:
    """Float64, with NaN for gaps, of numbers or of texts that are numbers or gaps."""
    if isinstance(block, np.ndarray):
        return block
    if (plain := _plain(block)) is not None:
        return plain
    encoded = block.dictionary_encode()
    values = [number(text.strip()) for text in encoded.dictionary.to_pylist()]
    of_each = np.array([math.nan if each is None else each for each in values], np.float64)
    return np.asarray(of_each[encoded.indices.to_numpy()])


def _coded(block: Any, codes: Mapping[str, int]) -> npt.NDArray[np.int32]:
    encoded = block.dictionary_encode()
    names = [text.strip() for text in encoded.dictionary.to_pylist()]
    of_each = np.array([-1 if name in GAPS else codes[name] for name in names], np.int32)
    return np.asarray(of_each[encoded.indices.to_numpy()])


def _plain(block: Any) -> Array | None:
    """As `numbers`, at the speed of Arrow; None if it takes another look.

    What Arrow takes for a finite number is one, and rounded as Python rounds it.
    """
    if (values := _cast(block)) is not None:
        return values
    gap = pyarrow.compute.is_in(block, value_set=_GAPS)
    return _cast(pyarrow.compute.if_else(gap, None, block))


def _cast(block: Any) -> Array | None:
    """The numbers that texts are, with NaN for null, if Arrow reads them as such without doubt."""
    try:
        values: Array = block.cast(pyarrow.float64()).to_numpy(zero_copy_only=False)
    except pyarrow.ArrowInvalid:
        return None
    known = values[~np.isnan(values)]
    sure = len(known) == len(block) - block.null_count and np.all(np.abs(known) <= EXACT)
    return values if sure else None
