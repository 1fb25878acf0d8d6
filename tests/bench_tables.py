"""python -m tests.bench_tables: tables longer than memory through the four stages of a system."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import yaml

from stages.pinned import digest_of

ROOT = Path(__file__).parents[1]
ROWS, FEATURES, TOGETHER = (10**6, 10**7), 8, 10**5
STAGES = "load", "train", "quantize", "evaluate"
# Not getrusage's peak: that begins with what the process was that started this one.
RUN = """
import atexit, os, re, runpy, sys
from pathlib import Path

def used():
    status = Path("/proc/self/status").read_text()
    print(sum(os.times()[:4]), re.search(r"VmHWM:\\s+(\\d+) kB", status)[1])

atexit.register(used)
del sys.argv[0]
runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
"""
WRITERS = {"parquet": pyarrow.parquet.ParquetWriter, "csv": pyarrow.csv.CSVWriter}


def main() -> None:
    """Print seconds, rows a second and the peak of resident memory of each stage."""
    rows_of = [int(float(rows)) for rows in sys.argv[1:]] or ROWS
    print(f"tables of {FEATURES} features and a target, linear regression\n")
    print("| rows | file | stage | seconds | of CPU | rows per second of CPU | peak RSS, MB |")
    print("|---|---|---|---|---|---|---|")
    for rows in rows_of:
        for kind in WRITERS:
            with tempfile.TemporaryDirectory() as folder:
                bench(Path(folder), kind, rows)


def bench(folder: Path, kind: str, rows: int) -> dict[str, int]:
    """Print it for one table; the peak of each stage, in bytes."""
    file = folder / f"table.{kind}"
    write(file, kind, rows)
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    data = {"kind": kind, "path": file.name, "sha256": digest_of(file), "target": "y"}
    model = {"kind": "linear", "standardize": True}
    params["systems"] = {
        "table": {"data": data, "model": model, "train": {}, "quant": {}, "gates": {}}
    }
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    peaks = {}
    for stage in STAGES:
        seconds, processor, peak = measured(folder, stage)
        peaks[stage] = peak
        size = f"{rows:,} | {kind}, {file.stat().st_size / 1e6:,.0f} MB"
        speed = f"{seconds:.1f} | {processor:.1f} | {rows / processor:,.0f} | {peak / 1e6:,.0f}"
        print(f"| {size} | {stage} | {speed} |", flush=True)
    return peaks


def write(file: Path, kind: str, rows: int) -> None:
    """A linear target with noise, of a seed, block by block."""
    rng = np.random.default_rng(0)
    weight = rng.normal(size=FEATURES)
    names = [*(f"x{i}" for i in range(FEATURES)), "y"]
    schema = pyarrow.schema([(name, pyarrow.float64()) for name in names])
    with WRITERS[kind](str(file), schema) as writer:
        for start in range(0, rows, TOGETHER):
            x = rng.normal(size=(min(TOGETHER, rows - start), FEATURES))
            y = x @ weight + rng.normal(size=len(x))
            writer.write_table(pyarrow.table([*x.T, y], schema=schema))


def measured(folder: Path, stage: str) -> tuple[float, float, int]:
    """How many seconds a stage takes, of the clock and of the processor, and bytes at its peak."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", RUN, f"stages.{stage}", "table"],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    seconds = time.perf_counter() - start
    processor, peak = done.stdout.split()[-2:]
    return seconds, float(processor), 1024 * int(peak)


if __name__ == "__main__":
    main()
