"""The digests that params.yaml has of files."""

from typing import Any

from stages.params.models import GivenModel, OnnxModel
from stages.params.systems import System
from stages.pinned import digest_of, digest_of_all, find


def paths_of(system: System) -> list[str]:
    """Of data and model, those that are the user's own."""
    own = [] if isinstance(system.data, str) else [*system.data.files]
    return [
        *own,
        *([system.model.path] if isinstance(system.model, OnnxModel | GivenModel) else []),
    ]


def renewed(part: Any, where: str) -> tuple[str, str] | None:
    """The digest that is pinned of data or a model, and that of what is there; None if it has none.

    Raises:
        OutOfReachError: a file is nowhere.
    """
    if isinstance(part, OnnxModel | GivenModel):
        return part.sha256, digest_of(find(part.path, where))
    if hasattr(part, "files"):
        return part.sha256, digest_of_all({path: find(path, where) for path in part.files})
    return None
