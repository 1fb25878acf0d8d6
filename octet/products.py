"""Products of matrices whose sums are exact, so that the order in which a BLAS adds is free."""

from typing import TypeVar

import numpy as np
import numpy.typing as npt

Number = TypeVar("Number", bound=np.number)


def multiply(
    a: npt.NDArray[Number], b: npt.NDArray[Number], out: npt.NDArray[Number] | None = None
) -> npt.NDArray[Number]:
    """`numpy.matmul` of finite numbers, of a type that holds all sums without rounding.

    A BLAS may compute with whatever stands behind the end of a matrix, and throw the result away.
    The processor's flags stay, and NumPy would report an overflow that is in none of these sums.
    """
    with np.errstate(all="ignore"):
        return np.asarray(np.matmul(a, b, out=out))
