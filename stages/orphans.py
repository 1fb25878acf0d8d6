"""Stages whose DVC was killed: they end, and write nothing."""

import os

from octet.errors import OctetError


def refuse_to_outlive(parent: int) -> None:
    """End here if the DVC that started this stage is gone.

    Killing ``dvc repro`` leaves its stage running. What such an orphan makes belongs to a run
    that is over, and may come late enough to replace the output of the next one.

    Args:
        parent: the process that started this one, see `stages.PARENT`.

    Raises:
        OctetError: another process has adopted this one.
    """
    if os.getppid() != parent:
        raise OctetError("the process that started this stage has ended; nothing was written")
