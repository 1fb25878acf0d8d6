"""Data of one's own, written to the folder in which a test runs, and what a reader makes of it."""

import gzip
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pydantic import TypeAdapter

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from stages.dataset import Dataset
from stages.load import readers
from stages.params.data import Data
from stages.params.split import Split
from stages.pinned import digest_of_all

HOW = Split(test_size=0.2, random_state=42)
WHERE = "systems.mine.data"
Texts = dict[str, Sequence[str]]


def parsed(**keys: object) -> Any:
    """What params.yaml says of it, with the digest of the files that are there."""
    adapter = TypeAdapter[Any](Data)
    data = adapter.validate_python({"sha256": "0" * 64, **keys})
    digest = digest_of_all({path: Path(path) for path in data.files})
    return adapter.validate_python({**keys, "sha256": digest})


def read(**keys: object) -> Dataset:
    return readers.read(parsed(**keys), HOW, WHERE)


def refusal(**keys: object) -> str:
    with pytest.raises(OctetError) as caught:
        read(**keys)
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def table(rows: int = 40, seed: int = 0, **columns: Sequence[str]) -> Texts:
    """Age, one of three cities, and a price, as texts; with other columns in their place."""
    rng = np.random.default_rng(seed)
    texts: Texts = {
        "age": [f"{age:.1f}" for age in rng.uniform(18, 90, rows)],
        "city": [("Bern", "Basel", "Chur")[i % 3] for i in range(rows)],
        "price": [f"{price:.3f}" for price in rng.normal(size=rows)],
    }
    return texts | dict(columns)


def csv_text(columns: Mapping[str, Sequence[str]], separator: str = ",") -> str:
    lines = [columns, *zip(*columns.values(), strict=True)]
    return "".join(f"{separator.join(line)}\n" for line in lines)


def write_idx(path: str, array: AnyArray, packed: bool = False) -> None:
    content = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    content += array.tobytes()
    Path(path).write_bytes(gzip.compress(content) if packed else content)


def write_images(
    folder: str,
    classes: Mapping[str, str],
    count: int = 6,
    size: tuple[int, int] = (8, 9),
    suffix: str = "png",
) -> None:
    """So many images of noise for each class, of its mode; each class around its own brightness."""
    rng = np.random.default_rng(0)
    for place, (name, mode) in enumerate(classes.items()):
        (Path(folder) / name).mkdir(parents=True)
        for i in range(count):
            pixels = rng.integers(80 * place, 80 * place + 90, (*size, 3), np.uint8)
            Image.fromarray(pixels).convert(mode).save(Path(folder, name, f"{i}.{suffix}"))
