"""Systems whose data is not to be had here."""

from collections.abc import Iterable

from stages import dvc
from stages.load import readers
from stages.params.data import Data
from stages.params.file import Params
from stages.paths import data_path
from stages.pinned import OutOfReachError


def out_of_reach(names: Iterable[str], checked: Params) -> dict[str, str]:
    """Those of these systems whose data is neither in DVC's cache nor to be had, and why.

    Raises:
        OctetError: data that is there but damaged.
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
        dvc.run("checkout", str(data_path(name)), quiet=True)
        if dvc.run("status", "--quiet", f"load@{name}", quiet=True):
            reasons[name] = missing[system.data]
    return reasons
