"""However many rows are looked at together, and wherever: every file has the same bytes."""

import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml
from distributed import LocalCluster

from octet import blocks, files
from octet.errors import OctetError
from octet.quantizer import hessian
from stages import cluster, outputs
from stages.evaluate.__main__ import evaluate
from stages.load.__main__ import load
from stages.load.readers import csv, parquet, tables
from stages.params.file import load_params
from stages.pinned import digest_of_all
from stages.quantize.__main__ import quantize
from stages.train.__main__ import train
from tests import bench_tables
from tests.stages.documents import changed

ROWS, GROUP = 3000, 500
FOLDER, PARQUET, CSV = "parts", "table.parquet", "table.csv"


@pytest.fixture(autouse=True, scope="module")
def _folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """The same table, with gaps and categories, as a file of each kind, and in parts."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.chdir(tmp_path_factory.mktemp("tables"))
        rng = np.random.default_rng(0)
        x = rng.normal(size=(ROWS, 4)) * 10.0 ** rng.integers(-3, 4, 4)
        city = rng.integers(0, 3, ROWS)
        y = x @ (1 / x.std(axis=0)) + city + rng.normal(size=ROWS)
        x[rng.random(x.shape) < 0.05] = np.nan
        columns = {f"x{i}": pyarrow.array(x[:, i], from_pandas=True) for i in range(4)}
        cities = np.array(["Bern", "Chur", "Zug"])[city]
        weights = rng.integers(0, 3, ROWS) * rng.uniform(0.5, 1, ROWS)
        table = pyarrow.table({**columns, "city": cities, "y": y, "w": weights})
        pyarrow.parquet.write_table(table, PARQUET, row_group_size=GROUP)
        pyarrow.csv.write_csv(table, CSV)
        Path(FOLDER).mkdir()
        for i in range(3):
            part = table.slice(i * ROWS // 3, ROWS // 3)
            pyarrow.parquet.write_table(part, Path(FOLDER, f"{i}.parquet"), row_group_size=GROUP)
        yield


def made(path: str, **model: Any) -> dict[str, bytes]:
    """What the four stages write, by path; rows of CSV count alike."""
    kind, weights = ("csv", {"drop": ["w"]}) if path == CSV else ("parquet", {"weights": "w"})
    digest = digest_of_all({path: Path(path)})
    data = {"kind": kind, "path": path, "sha256": digest, "target": "y", "missing": "impute"}
    data |= weights
    system = {"data": data, "model": model, "train": {}, "quant": {}, "gates": {}}
    Path("params.yaml").write_text(yaml.safe_dump(changed({"systems": {"t": system}})))
    params, written = load_params(), dict[str, bytes]()
    for stage in (load, train, quantize, evaluate):
        contents = stage("t", params)
        files.write_all(contents)
        written |= {str(file): file.read_bytes() for file in contents}
    return written


def look_at(rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """So many at once, or nearly; halves of a sum cannot be smaller than NumPy's own."""
    monkeypatch.setattr(blocks, "NUMBERS", 6 * rows)
    monkeypatch.setattr(csv, "BLOCK", 100 * rows)
    monkeypatch.setattr(parquet, "ROWS", rows)
    monkeypatch.setattr(tables, "_TOGETHER", rows)
    monkeypatch.setattr(outputs, "_IMAGES", rows)
    monkeypatch.setattr(outputs, "_NUMBERS", rows)
    monkeypatch.setattr(hessian, "TOGETHER", max(rows, 128))


@pytest.mark.parametrize("path", [PARQUET, CSV])
def test_rows_pass_in_blocks_of_any_size(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    model = {"kind": "linear", "standardize": path == PARQUET}
    look_at(ROWS, monkeypatch)
    whole = made(path, **model)
    for rows in (GROUP, 7):
        look_at(rows, monkeypatch)
        assert made(path, **model) == whole


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_folder_of_parts_is_one_table_also_on_a_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    model = {"kind": "ridge", "standardize": True, "alpha": 0.5}
    look_at(GROUP, monkeypatch)
    whole = made(PARQUET, **model)
    assert made(FOLDER, **model) == whole
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as workers:
        monkeypatch.setenv(cluster.ADDRESS, workers.scheduler_address)
        assert made(FOLDER, **model) == whole


def test_a_cluster_without_dask_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(cluster.ADDRESS, "tcp://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(
        OctetError, match=r"got tcp://127\.0\.0\.1:9, without the package distributed"
    ):
        list(cluster.mapped(abs, [1]))


def test_a_folder_without_parts_is_refused() -> None:
    Path("none").mkdir()
    Path("none/notes.txt").write_text("nothing")
    with pytest.raises(OctetError, match=r"^none: got a folder without a file \.parquet$"):
        made("none", kind="linear", standardize=True)


@pytest.mark.release
def test_ten_million_rows_take_less_than_a_gigabyte_and_a_half(tmp_path: Path) -> None:
    peaks = bench_tables.bench(tmp_path, "csv", 10**7)
    assert max(peaks.values()) < 1.5e9


def test_a_full_disk_is_named_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    expected = r": no room for 24000 bytes of a table \(No space left on device\); set TMPDIR to "
    with pytest.raises(OctetError, match=expected):
        made(PARQUET, kind="linear", standardize=True)
