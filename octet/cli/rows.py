"""The rows of a file for a command that needs them together, not as they come."""

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.rows.batches import Batch, Rows
from octet.rows.csv import Dialect
from octet.rows.npz import read_npz
from octet.runtime.predict import opened, unusable
from octet.signature import Input, Signature


def read_rows(path: Path, signature: Signature, how: Dialect, most: int = sys.maxsize) -> Input:
    """All rows of a file, or the first ``most``.

    Raises:
        OctetError: there is none, or one of them cannot be used.
    """
    parts, count = list[AnyArray](), 0
    with _opened(path, signature, how) as rows:
        for batch in rows.batches:
            if bad := {**unusable(batch, signature), **batch.bad}:
                place = min(bad)
                if count + np.sum(batch.places < place) < most:
                    raise OctetError(f"{rows.named(place)}: {bad[place]}")
            parts.append(batch.x)
            count += len(batch.x)
            if count >= most:
                break
    if not count:
        raise OctetError(f"{path}: got no rows; allowed are one or more")
    return np.concatenate(parts)[:most]


@contextlib.contextmanager
def _opened(path: Path, signature: Signature, how: Dialect) -> Iterator[Rows]:
    """As `opened`, and the rows of an .npz archive, all at once."""
    if path.suffix.lower() == ".npz":
        x = read_npz(path, signature)
        yield Rows(str(path), "row", iter([Batch(np.arange(len(x)), x, None, {}, None)]))
    else:
        with opened(path, signature, with_truth=False, dialect=how) as rows:
            yield rows
