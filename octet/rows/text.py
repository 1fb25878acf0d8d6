"""Lines of text out of bytes, whatever their encoding and line ends, and packed by gzip or not."""

import codecs
import csv
import gzip
import io
import itertools
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BufferedReader
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from octet.errors import OctetError
from octet.rows.binary import refuse_binary

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

Places = npt.NDArray[np.int64]

# Characters of the longest line that is one.
LONGEST = 1 << 20
TOO_LONG = f"longer than {LONGEST} characters; is this CSV?"
_TOGETHER = 1 << 21  # bytes of lines that are parsed together
_EMPTY = 1 << 12
_MOST_LINES = 100  # of a record, whose quotes may hold line breaks
_START = 4  # bytes that tell most kinds of files apart
_GZIP, _UTF16 = b"\x1f\x8b", (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


@dataclass(frozen=True)
class Block:
    """Records that follow each other: lines, but where quotes hold line breaks.

    Attributes:
        records: without their line ends.
        places: ``(records,)``, the number of the (first) line of each, from 1.
        ended: whether they are whole, whatever else may come: the last line of a file may have no
            line end, or a quote in it none.
    """

    records: list[str]
    places: Places
    ended: bool = True


def blocks(stream: BufferedReader, name: str, separator: str) -> Iterator[Block]:
    """Some records at a time, without lines at the end that are empty.

    Args:
        stream: UTF-8, or UTF-16 that begins with a byte order mark, as it is or in gzip; lines end
            in LF, CR LF or CR. A byte that is no UTF-8 becomes U+FFFD, which no number has.
        name: what to call it in an error.
        separator: of the fields of a line, between which quotes begin and end.

    Raises:
        OctetError: another kind of file, a damaged one, or a line that is too long.
    """
    done, empty, rest, still_open = 0, 0, "", 0
    for text, closed in _texts(stream, name):
        # What closes the text is one line break.
        ended = not closed or (not still_open and (rest + text).endswith("\n\n"))
        whole, newline, last = (rest + text).rpartition("\n")
        lines = whole.split("\n") if newline else []
        records, places, still_open = _joined(lines, separator, closed)
        rest = "\n".join([*lines[len(lines) - still_open :], last])
        ends = (is_empty(record, separator) for record in reversed(records))
        behind = sum(itertools.takewhile(bool, ends))
        if behind < len(records):
            yield from _empty_lines(done, empty)
            kept = len(records) - behind
            yield Block(records[:kept], done + empty + places[:kept], ended)
            done, empty = done + empty + len(lines) - still_open - behind, 0
        empty += behind
        if len(last) > LONGEST:
            raise OctetError(f"{name}: line {done + empty + still_open + 1}: {TOO_LONG}")


def is_empty(line: str, separator: str) -> bool:
    """Whether a line has nothing but blanks, none of which separates fields."""
    return not line or (line.isspace() and separator not in line)


def fields(record: str, separator: str) -> list[str]:
    """The fields of a record; csv.Error if a quote in it does not end, say."""
    reader = csv.reader([record], delimiter=separator, strict=True)
    return [field.strip() for field in next(reader, [])]


def _texts(stream: BufferedReader, name: str) -> Iterator[tuple[str, bool]]:
    """What is in the stream, part by part, with LF behind each line; and whether it is the last."""
    parts = _parts(stream)
    start = next(parts, b"")
    parts = itertools.chain([start], parts)
    if packed := start.startswith(_GZIP):
        parts = _parts(gzip.GzipFile(fileobj=io.BufferedReader(_Joined(parts))))
    decoder: io.IncrementalNewlineDecoder | None = None
    try:
        for content in parts:
            if decoder is None:
                decoder = _decoder(content, f"{name} (in gzip)" if packed else name)
            yield decoder.decode(content), False
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise OctetError(f"{name}: a damaged gzip file ({error}); fetch or pack it again") from None
    yield (decoder.decode(b"", final=True) if decoder else "") + "\n", True


def _parts(source: BufferedReader | gzip.GzipFile) -> Iterator[bytes]:
    """What comes, as it comes; but the first part has the bytes that say what it is."""
    waiting, known = b"", False
    # read1: what is in a pipe now is predicted now.
    while content := source.read1(_TOGETHER):
        waiting += content
        if known := known or len(waiting) >= _START:
            yield waiting
            waiting = b""
    if waiting:
        yield waiting


class _Joined(io.RawIOBase):
    """Parts as one stream again."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        into = memoryview(buffer)
        if not self._rest:
            self._rest = memoryview(next(self._parts, b""))
        taken, self._rest = self._rest[: len(into)], self._rest[len(into) :]
        into[: len(taken)] = taken
        return len(taken)


def _decoder(start: bytes, name: str) -> io.IncrementalNewlineDecoder:
    encoding = "utf-16" if start.startswith(_UTF16) else "utf-8-sig"
    if encoding != "utf-16":
        refuse_binary(start, name)
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    return io.IncrementalNewlineDecoder(decoder, translate=True)


def _joined(lines: list[str], separator: str, closed: bool) -> tuple[list[str], Places, int]:
    """Records, their lines counted from 1, and how many lines at the end may be part of one more.

    Where lines together are no record, each is one: so a quote that never ends costs one line.

    Args:
        lines: without their ends.
        separator: of fields.
        closed: no more will come.
    """
    if '"' not in "".join(lines):
        return lines, np.arange(1, len(lines) + 1), 0
    records, places, first = list[str](), list[int](), 0
    while first < len(lines):
        end = _end(lines, first)
        if end > len(lines) and not closed:
            break
        record = "\n".join(lines[first:end])
        if end > len(lines) or not _is_record(record, separator):
            record, end = lines[first], first + 1
        records.append(record)
        places.append(first + 1)
        first = end
    return records, np.array(places, np.int64), len(lines) - first


def _end(lines: list[str], first: int) -> int:
    """Behind the line that ends the quotes of this one; beyond the last, if it may still come.

    It is the next line, if they end in it or in none of the many that follow.
    """
    quotes = length = 0
    for end in range(first + 1, first + 1 + _MOST_LINES):
        if end > len(lines):
            return end
        quotes += lines[end - 1].count('"')
        length += len(lines[end - 1])
        if quotes % 2 == 0:
            return end
        if length > LONGEST:
            break
    return first + 1


def _is_record(text: str, separator: str) -> bool:
    """Whether all of its line breaks are in quotes."""
    try:
        return "\n" not in text or bool(fields(text, separator))
    except csv.Error:
        return False


def _empty_lines(done: int, count: int) -> Iterator[Block]:
    """So many, in parts: each will be a bad row, and take memory."""
    for start in range(0, count, _EMPTY):
        size = min(_EMPTY, count - start)
        yield Block([""] * size, np.arange(1, size + 1) + done + start)
