"""What training draws: CSV that reads back, a PNG of the right size, the same bytes each time."""

import csv
import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import pytest
from PIL import Image

from octet.affine import Array
from octet.signature import Pixels
from stages.params.train import Augment
from stages.train import network as training
from stages.train import plots
from stages.train.plots import History
from tests.stages.train.small import COMMITTED, strengths

AUGMENT = COMMITTED.train.augment
SAMPLES, ENLARGED = 12, 3
COURSE = History((100, 200, 250), (2.302585092994046, 0.1, 1e-12), (0.125, 2 / 3, 1.0))


def rows_of(content: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(content.decode("ascii"), newline="")))


def test_the_history_has_a_row_for_each_entry_with_nine_digits() -> None:
    assert plots.history(COURSE).decode() == (
        "step,loss,accuracy\n100,2.30258509,0.125\n200,0.1,0.666666667\n250,1e-12,1\n"
    )


def test_the_history_reads_back() -> None:
    found = rows_of(plots.history(COURSE))
    assert [int(row["step"]) for row in found] == list(COURSE.step)
    for key in ("loss", "accuracy"):
        numbers = [float(row[key]) for row in found]
        np.testing.assert_allclose(numbers, getattr(COURSE, key), rtol=1e-8)


def test_a_regression_has_one_step() -> None:
    assert plots.history(History((1,), (1 / 3,))) == b"step,loss\n1,0.333333333\n"


def test_rows_of_a_table_are_lines_of_cells_from_black_to_white() -> None:
    x = np.array([[0.0, 5.0, 7.0], [1.0, 3.0, 7.0], [0.5, 4.0, 7.0]])
    content = plots.row_sheet(x)
    with Image.open(io.BytesIO(content)) as opened:
        found = np.asarray(opened)
    assert found.shape == (3 * 24, 3 * 24)
    np.testing.assert_array_equal(found[12::24, 12::24], [[0, 255, 0], [255, 0, 0], [128, 128, 0]])


def test_of_a_wide_table_the_first_columns_are_shown() -> None:
    x = np.random.default_rng(0).normal(size=(12, 300))
    assert plots.row_sheet(x) == plots.row_sheet(x[:, :256]) != plots.row_sheet(x[:, :255])


def pixels(rows: int = 20, side: int = 8, white: int = 16) -> Pixels:
    return np.random.default_rng(0).integers(0, white + 1, (rows, 1, side, side), np.uint8)


def sheet(
    images: Pixels, white: int = 16, augment: Augment = AUGMENT, seed: int = 0
) -> tuple[bytes, Pixels]:
    """A contact sheet, and what Pillow makes of it."""
    content = training.contact_sheet(images, white, augment, seed)
    with Image.open(io.BytesIO(content)) as opened:
        opened.load()
        assert opened.format == "PNG"
        assert opened.mode == "L"
        return content, np.asarray(opened)


def shown(images: Pixels, white: int) -> Array:
    """The images side by side, as large as on a sheet, from 0 to 255."""
    row = np.concatenate(list(images[:SAMPLES, 0]), axis=1) * (255 / white)
    return row.repeat(ENLARGED, axis=0).repeat(ENLARGED, axis=1)


@pytest.mark.parametrize(("side", "white"), [(8, 16), (28, 255)])
def test_a_sheet_is_twelve_images_over_their_views(side: int, white: int) -> None:
    images = pixels(side=side, white=white)
    _, found = sheet(images, white)
    assert found.shape == (2 * side * ENLARGED, SAMPLES * side * ENLARGED)
    above, below = np.split(found.astype(np.float64), 2)
    np.testing.assert_allclose(above, shown(images, white), atol=0.51)
    assert np.abs(below - above).mean() > 1


def test_views_of_no_strength_show_the_images_again() -> None:
    above, below = np.split(sheet(pixels(), augment=strengths())[1].astype(np.float64), 2)
    np.testing.assert_allclose(below, above, atol=1)


def test_fewer_images_make_a_narrower_sheet() -> None:
    assert sheet(pixels(rows=5))[1].shape == (2 * 8 * ENLARGED, 5 * 8 * ENLARGED)


def test_black_is_black_and_white_is_white() -> None:
    images = np.zeros((2, 1, 8, 8), np.uint8)
    images[1] = 16
    above = sheet(images)[1][: 8 * ENLARGED]
    assert set(above[:, : 8 * ENLARGED].ravel().tolist()) == {0}
    assert set(above[:, 8 * ENLARGED :].ravel().tolist()) == {255}


def test_a_sheet_is_the_same_bytes_every_time_and_a_seed_gives_other_views() -> None:
    assert sheet(pixels())[0] == sheet(pixels())[0]
    first, other = sheet(pixels())[1], sheet(pixels(), seed=1)[1]
    half = len(first) // 2
    np.testing.assert_array_equal(first[:half], other[:half])
    assert not np.array_equal(first[half:], other[half:])


def test_a_sheet_shows_views_whatever_share_of_a_batch_has_them() -> None:
    none, all_of_them = (AUGMENT.model_copy(update={"share": share}) for share in (0, 1))
    assert sheet(pixels(), augment=none)[0] == sheet(pixels(), augment=all_of_them)[0]


def chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and data of each chunk of a PNG."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    place = 8
    while place < len(content):
        (length,) = struct.unpack_from(">I", content, place)
        yield content[place + 4 : place + 8], content[place + 8 : place + 8 + length]
        place += 12 + length


def test_a_sheet_holds_nothing_but_size_and_pixels() -> None:
    kinds = [kind for kind, _ in chunks(sheet(pixels())[0])]
    assert kinds[0] == b"IHDR"
    assert set(kinds[1:-1]) == {b"IDAT"}
    assert kinds[-1] == b"IEND"


@pytest.mark.parametrize(("side", "white"), [(8, 16), (28, 255)])
def test_no_block_of_a_sheet_is_compressed(side: int, white: int) -> None:
    """What zlib makes of the same pixels depends on the processor; what it stores does not."""
    content, found = sheet(pixels(side=side, white=white), white)
    stream = b"".join(data for kind, data in chunks(content) if kind == b"IDAT")
    stored, place, last = b"", 2, 0
    while not last:
        block = stream[place]
        last, kind = block & 1, block >> 1 & 3
        assert kind == 0
        length, complement = struct.unpack_from("<HH", stream, place + 1)
        assert length ^ complement == 0xFFFF
        stored += stream[place + 5 : place + 5 + length]
        place += 5 + length
    assert stream[place:] == struct.pack(">I", zlib.adler32(stored))
    lines = np.frombuffer(stored, np.uint8).reshape(len(found), -1)
    assert lines.shape[1] == found.shape[1] + 1  # a filter, then a line of pixels
