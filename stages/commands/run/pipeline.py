"""What DVC knows of the stages: which needs which, and which are not up to date."""

import contextlib
import logging
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, replace

from dvc.exceptions import DvcException
from dvc.logger import set_loggers_level
from dvc.repo import Repo, lock_repo
from dvc.repo.reproduce import get_active_graph, plan_repro
from dvc.scm import NoSCM

from octet.errors import OctetError


@dataclass(frozen=True)
class Pipeline:
    """Stages to reproduce.

    Attributes:
        needs: of each stage, those that make its inputs; in the order in which `dvc repro` would
            run them, one after the other.
        stale: those that would run even if no other did.
        autostage: whether DVC is to stage dvc.lock for git.
    """

    needs: Mapping[str, frozenset[str]]
    stale: frozenset[str]
    autostage: bool = False

    def of(self, stages: Collection[str]) -> "Pipeline":
        """These stages alone: what the others make is taken as it is."""
        return replace(
            self,
            needs={
                stage: needs & set(stages) for stage, needs in self.needs.items() if stage in stages
            },
            stale=self.stale & set(stages),
        )

    def upstream(self, stages: Collection[str]) -> set[str]:
        """These stages, and all that they need."""
        wanted = set(stages)
        for stage in reversed([*self.needs]):
            if stage in wanted:
                wanted |= self.needs[stage]
        return wanted


def read() -> Pipeline:
    """Ask DVC, once for all stages; waits while another DVC is writing.

    Raises:
        OctetError: DVC refuses, as when dvc.yaml is wrong or a stage is running elsewhere.
    """
    with dvc_refuses():
        repo = Repo(_wait_for_lock=True)
        with set_loggers_level(logging.CRITICAL), lock_repo(repo):  # else bars on a terminal
            graph = get_active_graph(repo.index.graph)
            plan = plan_repro(graph)
            needs = {
                stage.addressing: frozenset(need.addressing for need in graph.successors(stage))
                for stage in plan
            }
            stale = frozenset(stage.addressing for stage in plan if stage.changed())
    autostage = repo.scm_context.autostage and not isinstance(repo.scm, NoSCM)
    return Pipeline(needs, stale, autostage)


@contextlib.contextmanager
def dvc_refuses() -> Iterator[None]:
    """Inside, what DVC says when it refuses is an OctetError, and so one line."""
    try:
        yield
    except DvcException as error:
        raise OctetError(f"dvc: {' '.join(str(error).split())}") from None
