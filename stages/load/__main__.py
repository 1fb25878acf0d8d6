"""python -m stages.load SYSTEM: a data set, checked and split, as data/<system>.safetensors."""

from pathlib import Path
from typing import TYPE_CHECKING

from octet.files import Content
from stages import paths
from stages import stage as command
from stages.dataset import stream_dataset
from stages.load import readers

if TYPE_CHECKING:
    from stages.params.file import Params


def load(name: str, params: "Params") -> dict[Path, Content]:
    """The data file of a system."""
    dataset = readers.read(params.system(name).data, params.split, f"systems.{name}.data")
    return {paths.data_path(name): stream_dataset(dataset)}


if __name__ == "__main__":
    command.run(load, "Load, check and split the data set of a system.")
