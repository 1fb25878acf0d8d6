"""Which features tell nothing that those before them have not told."""

import numpy as np
from scipy.linalg import solve_triangular

from octet.affine import Array
from octet.blocks import blocks
from octet.errors import OctetError
from stages.train.features import Scaling, rounding
from stages.train.triangle import triangle

# A feature that gives less than this share of another is not named as what determines it.
_SHARE = 1e-6
_MOST_NAMES = 5


def refuse_determined(x: Array, counts: Array, names: tuple[str, ...], scaling: Scaling) -> None:
    """Refuse a feature that is a sum of multiples of others and a constant, but for rounding.

    Least squares has no single answer then, and near it one of huge coefficients that cancel each
    other in the training rows alone. scikit-learn gives the answer of least norm; we do not. What
    is of which rank is a matter of the last bits, and so of the CPU, and coefficients that nothing
    determines are not for quantizing or reading.

    A feature is determined if what those before it and a constant leave of it, in the root mean
    square over the rows, is within the rounding of the terms: of its own size and of the size of
    each multiple. That is |R[j,j]| in the QR decomposition of the centred columns (Golub & Van
    Loan, Matrix Computations, 5.4). So units have no say, and an offset only by its rounding.

    Args:
        x: features ``(rows, features)`` in any units, all finite, none constant.
        counts: how much each row counts ``(rows,)``, above 0.
        names: of the features.
        scaling: of theirs.

    Raises:
        OctetError: a feature is determined, or there are not more rows than features.
    """
    rows, features = x.shape
    if rows <= features:
        raise OctetError(
            f"got {rows} training rows for {features} features; their coefficients take at least "
            f"{features + 1}: leave features out, or train on more rows"
        )
    within = rounding(rows)
    centre = scaling.mean / scaling.power / scaling.size
    left = triangle(
        (block / scaling.size - centre) / np.sqrt(scaling.total / count)
        for block, count in blocks(x, counts[:, None])
    )
    spreads = np.linalg.norm(left, axis=0)
    for j, name in enumerate(names):
        multiples: Array = solve_triangular(left[:j, :j], left[:j, j])
        if abs(left[j, j]) <= within * (1 + np.sum(np.abs(multiples))):
            shares = np.abs(multiples) * spreads[:j]
            others = [names[i] for i in np.flatnonzero(shares > _SHARE * spreads[j])]
            raise OctetError(
                f"feature {name}: {_listed(others)} and a constant determine it in every training "
                "row, so that no coefficient of theirs is the right one: leave it out"
            )


def _listed(names: list[str]) -> str:
    more = [f"{len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    return ", ".join(names[:_MOST_NAMES] + more)
