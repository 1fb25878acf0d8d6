"""R of a QR decomposition of more rows than memory holds."""

from collections.abc import Iterable

import numpy as np

from octet.affine import Array


def triangle(parts: Iterable[Array]) -> Array:
    """R with RᵀR = XᵀX of the rows ``(rows, columns)`` of all parts together; one part at least.

    R of those before stands for them (Demmel et al., Communication-optimal parallel and sequential
    QR and LU factorizations, SIAM J. Sci. Comput., 2012): as stable as of all rows at once, which
    Cholesky of XᵀX is not.
    """
    left: Array | None = None
    for part in parts:
        left = np.linalg.qr(part if left is None else np.vstack([left, part])).R
    if left is None:
        raise ValueError("got no rows")
    return left
