"""Networks for rows, and what comes out for those of a file."""

from pathlib import Path

import numpy as np

from octet.affine import Array
from octet.errors import OctetError
from octet.layers import Linear, Standardize
from octet.network import Network
from octet.rows.csv import CSV, Dialect
from octet.runtime import inference
from octet.runtime.predict import opened, predict
from octet.signature import Classes, Columns, Numbers, Signature

TABLE = Network(
    (
        Standardize(np.array([1.0, -2.0, 0.5]), np.array([2.0, 0.25, 3.0])),
        Linear(np.array([[0.5, -1.5, 2.0]]), np.array([0.125])),
    ),
    Signature(Columns(("a", "b", "c")), Numbers("price", "USD")),
)
X = np.array([[1.0, 2.0, 3.0], [-4.5, 0.0, 1e-3], [1e6, -7.0, 2.5]])
FLOWERS = Network(
    (Linear(np.array([[0.5, -1.5, 2.0], [1.0, 0.0, -1.0]]), np.array([0.125, 0.0])),),
    Signature(Columns(("a", "b", "c")), Classes(("iris, blue", "rose"))),
)


def expected(x: Array, network: Network = TABLE) -> list[list[float]]:
    return inference.run(network, x).tolist()


def predicted(
    path: Path, network: Network = TABLE, skip: bool = False, dialect: Dialect = CSV
) -> tuple[list[list[float]], str]:
    """The outputs for the rows of a file, and what is said of the first that has none."""
    outputs: list[list[float]] = []
    try:
        with opened(path, network.signature, with_truth=False, dialect=dialect) as rows:
            for some in predict(network, rows, skip):
                outputs += some.outputs.tolist()
    except OctetError as error:
        message = str(error)
        assert message.splitlines() == [message]
        return outputs, message.removeprefix(f"{path}: ")
    return outputs, ""
