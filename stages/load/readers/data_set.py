"""What a reader makes known of a data set."""

from collections.abc import Callable
from dataclasses import dataclass

from stages.dataset import Dataset
from stages.load.readers.sources import Source


@dataclass(frozen=True)
class DataSet:
    """Where the files of a data set come from, and how to read, check and split them.

    ``read`` takes the `Split` of params.yaml (of which a data set with test rows of its own makes
    no use) and the path of each source, in order. It raises an OctetError for a file that is not
    what its name says, or holds other values than published.
    """

    sources: tuple[Source, ...]
    read: Callable[..., Dataset]
