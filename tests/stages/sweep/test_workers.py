"""Who does the work makes no difference to the sweep: processes here, or a real Dask cluster."""

import os
from collections.abc import Iterator

import pytest
from distributed import LocalCluster

from octet.errors import OctetError
from stages.cluster import ADDRESS
from stages.params.sweep import Sweep
from stages.point import Point
from stages.sweep import measure, workers
from tests.octet.quantizer.cases import config, digits
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
    return [measure.measure(reference, way) for way in WAYS]


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
        assert workers.each(measure.measure, reference, WAYS, "digits") == expected


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::ResourceWarning")
def test_a_dask_cluster_does_the_same_work(
    reference: measure.Reference, expected: list[Point], cluster: LocalCluster
) -> None:
    with workers.backend("dask"):
        assert workers.each(measure.measure, reference, WAYS, "digits") == expected
        processes = set(workers.each(process, None, [0] * 8, "processes"))
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
