"""The data sets by name. A new one is a file here, a line below, and its name in params/systems."""

from stages.dataset import Dataset
from stages.load.readers import bundled, california, mnist
from stages.load.readers.data_set import DataSet
from stages.load.readers.sources import fetch
from stages.params.split import Split

DATA_SETS: dict[str, DataSet] = {
    "diabetes": bundled.DIABETES,
    "california_housing": california.CALIFORNIA_HOUSING,
    "wine": bundled.WINE,
    "breast_cancer": bundled.BREAST_CANCER,
    "digits": bundled.DIGITS,
    "mnist": mnist.MNIST,
}


def read(name: str, how: Split) -> Dataset:
    """The data set of this name, a key of `DATA_SETS`, checked and split.

    Raises:
        OctetError: a file is not in reach, or as its reader says.
    """
    data_set = DATA_SETS[name]
    return data_set.read(how, *(fetch(source) for source in data_set.sources))
