"""python -m tests.bench_exact: how long exact rounding takes, on inputs of growing correlation."""

import statistics
import time

import numpy as np

from octet import affine
from octet.affine import Array
from octet.quantizer.hessian import second_moments
from octet.quantizer.proof.exact import exact
from octet.quantizer.rounding import lattice

WIDTHS = range(2, 17)
TRIALS = 20
COLUMNS = 8


def inputs(rng: np.random.Generator, correlation: float) -> Array:
    """1,000 rows of 8 standardized features, every pair with this correlation."""
    common = rng.normal(size=(1000, 1))
    own = rng.normal(size=(1000, COLUMNS))
    return np.asarray(np.sqrt(correlation) * common + np.sqrt(1 - correlation) * own)


def main() -> None:
    """Print milliseconds and nodes for 8 weights and a bias, min-max range, by width."""
    print("correlation | bits | median ms | worst ms | worst nodes | proven")
    for correlation in (0.0, 0.9, 0.99, 0.999):
        rng = np.random.default_rng(0)
        for bits in WIDTHS:
            times, nodes, proven = [], [], 0
            for _ in range(TRIALS):
                hessian = second_moments(inputs(rng, correlation))
                weight, bias = rng.normal(size=(1, COLUMNS)), rng.normal(size=1)
                grid = affine.asymmetric(weight.min(), weight.max(), bits)
                rows = lattice(weight, grid, bias, affine.asymmetric(bias[0], bias[0], 8))
                start = time.perf_counter()
                _, (certificate,) = exact(rows, hessian)
                times.append(1000 * (time.perf_counter() - start))
                nodes.append(certificate.nodes)
                proven += certificate.proven
            print(
                f"{correlation:11} | {bits:4} | {statistics.median(times):9.1f} | "
                f"{max(times):8.1f} | {max(nodes):11} | {proven}/{TRIALS}"
            )


if __name__ == "__main__":
    main()
