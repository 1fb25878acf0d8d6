"""Whether metrics are of the parameters in params.yaml: dvc.lock knows of which they are.

Numbers of another run say something of another model, whatever gate they pass.
"""

import hashlib
import reprlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stages import lock
from stages.params.file import parse
from stages.params.section import PATH
from stages.paths import metrics_path

# The gates are no part of a run: whoever holds metrics against them reads them anew.
_GATES = "gates"
_MOST = 3
_MISSING = object()


@dataclass(frozen=True)
class Project:
    """What stages ran with, and what they would run with now.

    Attributes:
        stages: by name, what dvc.lock says of each.
        params: params.yaml, unchecked.
    """

    stages: Mapping[str, Any]
    params: Any

    @classmethod
    def read(cls) -> "Project":
        """From the files in the workspace; errors as `parse`, or one is missing."""
        return cls.parse(*map(lock.read, (lock.PIPELINE, lock.PATH, PATH)))

    @classmethod
    def parse(cls, pipeline: bytes, locked: bytes, params: bytes) -> "Project":
        """From the content of dvc.yaml, dvc.lock and params.yaml.

        Raises:
            OctetError: one of them is not what it should be.
        """
        names = lock.parse(pipeline, lock.PIPELINE)
        stages = lock.parse(locked, lock.PATH)
        of_names = {stage: stages[stage] for stage in stages if stage.partition("@")[0] in names}
        return cls(of_names, parse(params))

    def stale(self, system: str, metrics: bytes) -> str:
        """What makes the metrics of a system others than `dvc repro` would; "" if nothing does.

        Args:
            system: its name.
            metrics: the content of its file.

        Raises:
            OctetError: dvc.lock is not DVC's.
        """
        try:
            reasons = list(dict.fromkeys(self._reasons(system, metrics)))
        except (KeyError, TypeError, AttributeError):
            raise lock.not_dvcs(lock.PATH) from None
        more = [f"{len(reasons) - _MOST} more"] if len(reasons) > _MOST else []
        return "; ".join(reasons[:_MOST] + more)

    def _reasons(self, system: str, metrics: bytes) -> Iterator[str]:
        """All of them, from evaluate up to load."""
        digests = {
            out["path"]: (out["md5"], stage)
            for stage, entry in self.stages.items()
            for out in entry.get("outs", ())
        }
        path = metrics_path(system).as_posix()
        if path not in digests:
            yield f"no stage in {lock.PATH} has written {path}"
            return
        if hashlib.md5(metrics, usedforsecurity=False).hexdigest() != digests[path][0]:
            yield f"{path} is not that of {lock.PATH}"
        upstream = [digests[path][1]]
        for stage in upstream:
            entry = self.stages[stage]
            for key, then in entry.get("params", {}).get(str(PATH), {}).items():
                if _GATES not in (key.partition(".")[0], key.rpartition(".")[2]):
                    yield from _changes(key, _value(self.params, key), then)
            for dep in entry["deps"]:
                digest, source = digests.get(dep["path"], (dep["md5"], stage))
                if digest != dep["md5"]:
                    yield f"{stage} ran before {source}"
                if source not in upstream:
                    upstream.append(source)


def _value(params: Any, key: str) -> Any:
    """What is at a key of DVC's, names with dots between them."""
    for name in key.split("."):
        params = params.get(name, _MISSING) if isinstance(params, dict) else _MISSING
    return params


def _changes(key: str, now: Any, then: Any) -> Iterator[str]:
    """What differs at a key or below it; == is what DVC asks."""
    if isinstance(now, dict) and isinstance(then, dict):
        for name in then | now:
            inner = now.get(name, _MISSING), then.get(name, _MISSING)
            yield from _changes(f"{key}.{name}", *inner)
    elif now != then:
        yield f"{key}: {_shown(now)} in {PATH}, {_shown(then)} in {lock.PATH}"


def _shown(value: Any) -> str:
    return "missing" if value is _MISSING else reprlib.repr(value)
