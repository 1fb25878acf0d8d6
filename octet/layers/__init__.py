"""The kinds of layers, a file each, and the registry of them by name."""

from octet.layers.add import Add
from octet.layers.average_pool import AveragePool
from octet.layers.clip import Clip
from octet.layers.conv2d import Conv2d
from octet.layers.dequantize import Dequantize
from octet.layers.flatten import Flatten
from octet.layers.global_average_pool import GlobalAveragePool
from octet.layers.layer import Gridded, Layer, Signal, Value, in_reals
from octet.layers.leaky_relu import LeakyRelu
from octet.layers.linear import Linear
from octet.layers.max_pool import MaxPool
from octet.layers.pad import Pad
from octet.layers.quantize import Quantize
from octet.layers.relu import Relu
from octet.layers.reshape import Reshape
from octet.layers.sigmoid import Sigmoid
from octet.layers.softmax import Softmax
from octet.layers.standardize import Standardize
from octet.layers.tanh import Tanh
from octet.layers.weighted import Weighted

__all__ = [
    "KINDS",
    "Add",
    "AveragePool",
    "Clip",
    "Conv2d",
    "Dequantize",
    "Flatten",
    "GlobalAveragePool",
    "Gridded",
    "Layer",
    "LeakyRelu",
    "Linear",
    "MaxPool",
    "Pad",
    "Quantize",
    "Relu",
    "Reshape",
    "Sigmoid",
    "Signal",
    "Softmax",
    "Standardize",
    "Tanh",
    "Value",
    "Weighted",
    "in_reals",
]

KINDS: dict[str, type[Layer]] = {
    layer.kind: layer
    for layer in (
        Add,
        AveragePool,
        Clip,
        Conv2d,
        Dequantize,
        Flatten,
        GlobalAveragePool,
        LeakyRelu,
        Linear,
        MaxPool,
        Pad,
        Quantize,
        Relu,
        Reshape,
        Sigmoid,
        Softmax,
        Standardize,
        Tanh,
    )
}
