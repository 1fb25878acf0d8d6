"""Which rows are held out to test on."""

import math

from sklearn.model_selection import train_test_split

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray
from octet.signature import Signature
from stages.dataset import Dataset
from stages.params.split import Split


def split(x: AnyArray, y: AnyArray, signature: Signature, how: Split) -> Dataset:
    """Shuffle rows with a seed and hold some out.

    Raises:
        OctetError: too few rows are left for one of the two parts.
    """
    rows = len(y)
    held_out = math.ceil(how.test_size * rows)
    if not 2 <= held_out <= rows - 2:
        raise OctetError(
            f"params.yaml: split.test_size: got {how.test_size}, which holds out {held_out} of "
            f"{rows} rows; allowed is what leaves at least two to test on and two to train on"
        )
    x_train, x_test, y_train, y_test = train_test_split(
        x, y, test_size=how.test_size, random_state=how.random_state
    )
    return Dataset(x_train, y_train, x_test, y_test, signature)
