"""Who does the work makes no difference to the sweep: processes here, or a real Dask cluster."""

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from threading import get_ident

import joblib
import pytest
from distributed import LocalCluster

from octet.errors import OctetError
from octet.modelfile import storage
from octet.runtime import threads
from stages import paths
from stages.cluster import ADDRESS
from stages.dataset import dump_dataset
from stages.params.sweep import Sweep
from stages.point import Point
from stages.sweep import measure, workers
from stages.sweep.__main__ import sweep
from tests.octet.quantizer.cases import config, digits
from tests.stages import documents
from tests.stages.small import TABLE, systems
from tests.stages.tasks.test_tasks import GATES

WAYS = measure.ways(
    config(activations="uint8", granularity="per_channel"),
    Sweep(bits=(3, 8), roundings=("nearest", "gptq"), backend="loky"),
)


@pytest.fixture(scope="module")
def reference() -> measure.Reference:
    return measure.prepare(*digits(), WAYS[0], GATES)


@pytest.fixture(scope="module")
def expected(reference: measure.Reference) -> list[Point]:
    return measure.measure(reference, WAYS)


def process(_: None, __: int) -> int:
    return os.getpid()


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        monkeypatch.setenv(ADDRESS, cluster.scheduler_address)
        yield cluster


def test_processes_of_this_machine_give_every_point_in_order(
    reference: measure.Reference, expected: list[Point]
) -> None:
    with workers.backend("loky"):
        points = workers.each(measure.measure, reference, [[way] for way in WAYS], "digits")
    assert list(chain(*points)) == expected


def test_a_system_has_the_same_csv_whether_it_is_quick_or_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = systems()[TABLE]
    params = documents.load(tmp_path, documents.changed({"sweep.bits": [2, 4]}))
    monkeypatch.chdir(tmp_path)
    for path, content in (
        (paths.float_path(TABLE), storage.dump_network(system.network)),
        (paths.data_path(TABLE), dump_dataset(system.data)),
    ):
        path.parent.mkdir(parents=True)
        path.write_bytes(content)
    files = []
    for quick in (0, 2**62):
        monkeypatch.setattr(measure, "_QUICK", quick)
        files.append(sweep(TABLE, params))
    assert files[0] == files[1]


@pytest.mark.parametrize("backend", ["loky", workers.HERE])
def test_who_shares_the_cores_with_other_workers_starts_no_threads(backend: str) -> None:
    # A function in a function goes to a worker as it is: no worker imports this file.
    def starts_threads(_: None, __: int) -> bool:
        return set(threads.each(lambda _: get_ident(), range(4))) != {get_ident()}

    with joblib.parallel_config(backend, n_jobs=2):
        started = workers.each(starts_threads, None, [0] * 4, "threads")
    assert started == [backend == workers.HERE] * 4


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_dask_cluster_does_the_same_work(
    reference: measure.Reference, expected: list[Point], cluster: LocalCluster
) -> None:
    with workers.backend("dask"):
        points = workers.each(measure.measure, reference, [[way] for way in WAYS], "digits")
        processes = set(workers.each(process, None, [0] * 8, "processes"))
    assert list(chain(*points)) == expected
    assert processes <= {nanny.process.pid for nanny in cluster.workers.values()}


def test_dask_without_an_address_says_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ADDRESS, raising=False)
    with (
        pytest.raises(OctetError, match="DASK_SCHEDULER_ADDRESS; set it to"),
        workers.backend("dask"),
    ):
        pass


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_an_address_where_nobody_answers_is_named(
    monkeypatch: pytest.MonkeyPatch, address: str
) -> None:
    monkeypatch.setenv(ADDRESS, address)
    monkeypatch.setattr("stages.cluster._SECONDS", 1)
    with pytest.raises(OctetError, match=f"got {address}, where no"), workers.backend("dask"):
        pass
