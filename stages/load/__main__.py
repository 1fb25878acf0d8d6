"""python -m stages.load SYSTEM: a data set, checked and split, as data/<system>.safetensors."""

from pathlib import Path

from stages import command, tracked
from stages.load import tables
from stages.params import Params


def load(name: str, params: Params) -> dict[Path, bytes]:
    """The data file of a system."""
    table = tables.load(params.system(name).data)
    return {tracked.data_path(name): tracked.dump_dataset(tables.split(table, params.split))}


if __name__ == "__main__":
    command.run(load, "Load, check and split the data set of a system.")
