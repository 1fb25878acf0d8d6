"""python -m tests.bench_predict: rows of a table per second, against scikit-learn and from CSV.

Seconds are those of the processor, so that what else runs on a machine counts less.
"""

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from octet.cli import answers
from octet.cli.command import keep_memory
from octet.layers import Linear, Standardize
from octet.network import Network
from octet.runtime import inference, predict
from octet.signature import Columns, Numbers, Signature

ROWS, FEATURES, REPEATS = 1_000_000, 8, 9


def main() -> None:
    """Print medians (least … most) of nine repeats, in one process."""
    keep_memory()  # as the command does
    rng = np.random.default_rng(0)
    x = rng.normal(size=(ROWS, FEATURES))
    theirs = make_pipeline(StandardScaler(), LinearRegression())
    theirs.fit(x[:1000], x[:1000] @ rng.normal(size=FEATURES))
    scaler, regression = theirs[0], theirs[1]
    layers = (
        Standardize(scaler.mean_, scaler.scale_),
        Linear(regression.coef_[None], np.array([regression.intercept_])),
    )
    names = tuple(f"x{i}" for i in range(FEATURES))
    network = Network(layers, Signature(Columns(names), Numbers("y", "")))
    np.testing.assert_allclose(inference.run(network, x)[:, 0], theirs.predict(x), rtol=1e-9)
    folder = tempfile.TemporaryDirectory()
    file, out = Path(folder.name, "rows.csv"), Path(folder.name, "predictions.csv")
    lines = [names, *(map(repr, row) for row in x[:300_000].tolist())]
    file.write_text("".join(",".join(line) + "\n" for line in lines))

    def from_csv() -> None:
        with predict.opened(file, network.signature, False) as rows, out.open("w") as target:
            for predicted in predict.predict(network, rows, skip=False):
                answers.answers_of(network).write(predicted, target, numbered=False)

    print(f"rows of {FEATURES} columns per second, median (least … most) of {REPEATS}\n")
    print("| what | rows per second |\n|---|---|")
    print(f"| scikit-learn, in memory | {speed(lambda: theirs.predict(x), ROWS)} |")
    print(f"| octet, in memory | {speed(lambda: inference.run(network, x), ROWS)} |")
    print(f"| octet predict, CSV to CSV | {speed(from_csv, 300_000)} |")
    seconds = [float(importing()) for _ in range(REPEATS)]
    print(f"\nstart of octet predict: {statistics.median(seconds):.3f} s")


def speed(work: Callable[[], object], count: int) -> str:
    work()
    found = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        found.append(count / (time.process_time() - start))
    return f"{statistics.median(found):,.0f} ({min(found):,.0f} … {max(found):,.0f})"


def importing() -> str:
    code = """
import time
start = time.perf_counter()
import octet.__main__, octet.cli.predict
print(time.perf_counter() - start)
"""
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


if __name__ == "__main__":
    main()
