"""Run a network as it is meant to run: an integer network in integers, any other in float."""

from octet.affine import Array
from octet.network import Network
from octet.runtime import floating, integer
from octet.signature import Input


def run(network: Network, x: Input) -> Array:
    """Outputs ``(rows, outputs)`` for rows of the network's input; errors as `floating.run`."""
    if integer.is_integer(network):
        return integer.run(network, x)
    return floating.run(network, x)
