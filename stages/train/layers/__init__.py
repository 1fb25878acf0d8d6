"""The kinds of layers that can be trained, a file each, and the registry of them by kind."""

from stages.train.layers.add import TrainableAdd
from stages.train.layers.average_pool import TrainableAveragePool
from stages.train.layers.clip import TrainableClip
from stages.train.layers.conv import TrainableConv
from stages.train.layers.flatten import TrainableFlatten
from stages.train.layers.global_average_pool import TrainableGlobalAveragePool
from stages.train.layers.leaky_relu import TrainableLeakyRelu
from stages.train.layers.linear import TrainableLinear
from stages.train.layers.max_pool import TrainableMaxPool
from stages.train.layers.pad import TrainablePad
from stages.train.layers.relu import TrainableRelu
from stages.train.layers.reshape import TrainableReshape
from stages.train.layers.sigmoid import TrainableSigmoid
from stages.train.layers.softmax import TrainableSoftmax
from stages.train.layers.tanh import TrainableTanh
from stages.train.layers.trainable import Trainable

__all__ = ["KINDS", "Trainable"]

KINDS: dict[str, type[Trainable]] = {
    "add": TrainableAdd,
    "average_pool": TrainableAveragePool,
    "clip": TrainableClip,
    "conv": TrainableConv,
    "flatten": TrainableFlatten,
    "global_average_pool": TrainableGlobalAveragePool,
    "leaky_relu": TrainableLeakyRelu,
    "linear": TrainableLinear,
    "max_pool": TrainableMaxPool,
    "pad": TrainablePad,
    "relu": TrainableRelu,
    "reshape": TrainableReshape,
    "sigmoid": TrainableSigmoid,
    "softmax": TrainableSoftmax,
    "tanh": TrainableTanh,
}
