"""The operators of ONNX that Octet knows: each a function from a node to layers."""

from octet.importers.operators import affine, functions, ml, shapes, sums, windows
from octet.importers.operators.node import OPERATORS, Node

__all__ = ["OPERATORS", "Node", "affine", "functions", "ml", "shapes", "sums", "windows"]
