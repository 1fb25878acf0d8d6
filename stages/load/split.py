"""Which rows are held out to test on."""

import math

import numpy as np
import numpy.typing as npt
from sklearn.model_selection import train_test_split

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.signature import Signature
from stages.dataset import Dataset
from stages.params.split import Split

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
    train, test = train_test_split(
        np.arange(rows), test_size=how.test_size, random_state=how.random_state, stratify=labels
    )
    return train, test
