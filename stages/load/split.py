"""Which rows are held out to test on, and that they are others than those to train on."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.signature import Signature
from stages.dataset import Dataset
from stages.params.split import Split
from stages.pinned import digest_of

Places = npt.NDArray[np.int64]


def split(x: AnyArray, y: AnyArray, signature: Signature, how: Split) -> Dataset:
    """Shuffle rows with a seed and hold some out.

    Raises:
        OctetError: as `hold_out`.
    """
    train, test = hold_out(len(y), how)
    return Dataset(x[train], y[train], x[test], y[test], signature)


def hold_out(rows: int, how: Split, labels: AnyArray | None = None) -> tuple[Places, Places]:
    """The places of the rows to train on and of those to test on, shuffled with a seed.

    Args:
        rows: how many there are.
        how: the share to test on, and the seed.
        labels: ``(rows,)``; if given, each, of which there are two rows or more, is held out in its
            share: the split is stratified.

    Raises:
        OctetError: too few rows are left for one of the two parts, or to show each label in both.
    """
    held_out = math.ceil(how.test_size * rows)
    least = 2 if labels is None else max(2, len(np.unique(labels)))
    if not least <= held_out <= rows - least:
        raise OctetError(
            f"params.yaml: split.test_size: got {how.test_size}, which holds out {held_out} of "
            f"{rows} rows; allowed is what leaves {least} at least to test on and to train on"
        )
    from sklearn.model_selection import train_test_split

    train, test = train_test_split(
        np.arange(rows), test_size=how.test_size, random_state=how.random_state, stratify=labels
    )
    return train, test


def refuse_shared(train: Sequence[Path], test: Sequence[Path]) -> None:
    """Refuse a file of test rows that is one of the training rows, by whatever name, or a copy.

    Raises:
        OctetError: it names both.
    """
    # Copies are as long: of what is read later anyway, most need not be read here.
    lengths = {_length(path) for path in train} & {_length(path) for path in test}
    known = {digest_of(path): path for path in train if _length(path) in lengths}
    for path in test:
        if _length(path) in lengths and (other := known.get(digest_of(path))):
            raise OctetError(
                f"{path}: got the same bytes to test on as to train on, in {other}; take the file "
                "out of one of the two, or test on a share of the rows by `split.test_size`"
            )


def _length(path: Path) -> int:
    return path.stat().st_size
