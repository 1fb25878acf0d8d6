"""How long each stage took the last time on this machine: no file that git or DVC tracks."""

import json
import statistics
from collections.abc import Mapping
from pathlib import Path

from octet import files

PATH = Path(".dvc/tmp/octet-times.json")
_UNKNOWN = 1.0


class Times:
    """Seconds of each stage, of the last time that it ran and was good."""

    def __init__(self, seconds: Mapping[str, float]) -> None:
        self._seconds = dict(seconds)

    def __bool__(self) -> bool:
        return bool(self._seconds)

    def __contains__(self, stage: str) -> bool:
        return stage in self._seconds

    def of(self, stage: str) -> float:
        """Of one that never ran, what the others of its kind took."""
        if stage in self._seconds:
            return self._seconds[stage]
        kind = stage.partition("@")[0]
        like = [took for name, took in self._seconds.items() if name.partition("@")[0] == kind]
        return statistics.median(like) if like else _UNKNOWN

    def keep(self, stage: str, seconds: float) -> None:
        """Remember one, in the file too, for this run may be killed."""
        self._seconds[stage] = round(seconds, 1)
        files.write(PATH, json.dumps(self._seconds, indent=1).encode())


def read() -> Times:
    """Those of the last run; none if there was none, or its file is no more what was written."""
    try:
        content = json.loads(PATH.read_bytes())
        return Times({str(stage): float(took) for stage, took in content.items()})
    except (OSError, ValueError, AttributeError, TypeError):
        return Times({})
