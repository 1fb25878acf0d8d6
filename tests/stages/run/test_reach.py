"""What DVC says of a system whose source is out of reach."""

from pathlib import Path

import pytest

from octet.errors import OctetError
from stages.commands.run import reach
from stages.load import readers
from stages.params.file import load_params
from stages.pinned import OutOfReachError


def test_a_dvc_that_cannot_say_leaves_no_system_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OutOfReachError("no network")

    monkeypatch.setattr(readers, "refuse_out_of_reach", refuse)
    checked = load_params()
    monkeypatch.chdir(tmp_path)  # no project of DVC's
    with pytest.raises(OctetError, match="dvc status load@wine: ERROR: you are not inside"):
        reach.out_of_reach(["wine"], checked)
