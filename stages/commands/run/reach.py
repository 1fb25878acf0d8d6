"""Systems whose data is not to be had here."""

import json
from collections.abc import Iterable

from octet.errors import OctetError
from stages import dvc
from stages.load import readers
from stages.params.data import Data
from stages.params.file import Params
from stages.paths import data_path
from stages.pinned import OutOfReachError


def out_of_reach(names: Iterable[str], checked: Params) -> dict[str, str]:
    """Those of these systems whose data is neither in DVC's cache nor to be had, and why.

    Raises:
        OctetError: data that is there but damaged; or DVC cannot say, as when a stage is running
            elsewhere.
    """
    reasons: dict[str, str] = {}
    missing: dict[Data, str] = {}
    for name in names:
        system = checked.system(name)
        try:
            if system.data not in missing:
                readers.refuse_out_of_reach(system.data, f"systems.{name}.data")
                continue
        except OutOfReachError as error:
            missing[system.data] = str(error)
        if not _is_in_cache(name):
            reasons[name] = missing[system.data]
    return reasons


def _is_in_cache(name: str) -> bool:
    """Whether DVC has the data as it should be; from here on, so has the folder."""
    dvc.run("--wait-for-lock", "checkout", str(data_path(name)), quiet=True)
    # With --quiet, one that has changed and a DVC that fails have the same exit status.
    status = dvc.captured("--wait-for-lock", "status", "--json", f"load@{name}")
    if status.returncode:
        raise OctetError(f"dvc status load@{name}: {' '.join(status.stderr.decode().split())}")
    return not json.loads(status.stdout)
