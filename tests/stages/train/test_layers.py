"""Every kind of layer that can be trained computes in the library what it computes in torch."""

from typing import Any, get_args

import numpy as np
import pytest
import torch

from octet.runtime import floating
from octet.signature import Shape
from stages.params import layers as specs
from stages.params.models import NetworkModel
from stages.train.layers import KINDS
from stages.train.layers.conv import TrainableConv

IMAGE, ROW = (4, 7, 6), (5,)
# Entries of params.yaml for each kind, and the shapes of one row of what enters.
CASES: dict[str, list[tuple[dict[str, Any], tuple[Shape, ...]]]] = {
    "add": [({"inputs": ("a", "b")}, (IMAGE, IMAGE)), ({"inputs": ("a", "b")}, (ROW, ROW))],
    "average_pool": [
        ({"side": 2}, (IMAGE,)),
        ({"side": (3, 2), "stride": (1, 2)}, (IMAGE,)),
    ],
    "clip": [({}, (IMAGE,)), ({"low": -0.5, "high": 0.25}, (ROW,))],
    "conv": [
        ({"channels": 3, "kernel": 3}, (IMAGE,)),
        ({"channels": 3, "kernel": 3, "padding": 1, "relu": False}, (IMAGE,)),
        ({"channels": 8, "kernel": (3, 2), "groups": 4, "stride": (2, 1)}, (IMAGE,)),
        ({"channels": 2, "kernel": (2, 3), "padding": (1, 0, 0, 2), "groups": 2}, (IMAGE,)),
    ],
    "flatten": [({}, (IMAGE,)), ({}, (ROW,))],
    "global_average_pool": [({}, (IMAGE,))],
    "leaky_relu": [({}, (IMAGE,)), ({"slope": 0.25}, (ROW,))],
    "linear": [({"outputs": 3}, (ROW,))],
    "max_pool": [
        ({"side": 2}, (IMAGE,)),
        ({"side": 3, "stride": 1, "padding": 2}, (IMAGE,)),
        ({"side": (2, 3), "stride": 2, "padding": (0, 1, 1, 2)}, (IMAGE,)),
    ],
    "pad": [({"padding": (0, 1, 2, 3)}, (IMAGE,))],
    "relu": [({}, (IMAGE,)), ({}, (ROW,))],
    "reshape": [({"to": (8, 21)}, (IMAGE,)), ({"to": (1, 5, 1)}, (ROW,))],
    "sigmoid": [({}, (IMAGE,)), ({}, (ROW,))],
    "softmax": [({}, (ROW,))],
    "tanh": [({}, (IMAGE,)), ({}, (ROW,))],
}


def spec_of(kind: str, fields: dict[str, Any]) -> specs.Layer:
    model = NetworkModel.model_validate(
        {
            "kind": "network",
            "budget": 10**6,
            "layers": (
                {"kind": "relu", "name": "a"},
                {"kind": "relu", "name": "b"},
                {"kind": kind, **fields},
            ),
        }
    )
    return model.layers[-1]


def test_every_kind_of_params_can_be_trained_and_has_cases_here() -> None:
    union = get_args(get_args(specs.Layer)[0])
    kinds = {get_args(each.model_fields["kind"].annotation)[0] for each in union}
    assert kinds == set(KINDS) == set(CASES)


@pytest.mark.parametrize(
    ("kind", "fields", "entering"),
    [(kind, *case) for kind, cases in CASES.items() for case in cases],
    ids=str,
)
def test_the_layers_of_the_library_give_what_torch_gives(
    kind: str, fields: dict[str, Any], entering: tuple[Shape, ...]
) -> None:
    torch.manual_seed(0)
    module = KINDS[kind](spec_of(kind, fields), *entering)
    x = [torch.randn(6, *shape) for shape in entering]
    if isinstance(module, TrainableConv):
        with torch.no_grad():
            module(*[10 * each + 3 for each in x])  # so that there are statistics to fold
            module.normalization.weight.uniform_(0.5, 2)
            module.normalization.bias.uniform_(-1, 1)
    with torch.no_grad():
        expected = module.eval().double()(*(each.double() for each in x)).numpy()
    module.float()
    first, *others = module.layers()
    leaving = floating.through(others, first.reals(*(each.double().numpy() for each in x)))
    shape = first.shape(*entering)
    for layer in others:
        shape = layer.shape(shape)
    assert leaving.shape == expected.shape == (6, *shape)
    np.testing.assert_allclose(leaving, expected, rtol=1e-5, atol=1e-5)


def test_what_is_fixed_has_no_numbers_and_the_others_have() -> None:
    for kind, cases in CASES.items():
        fields, entering = cases[0]
        module = KINDS[kind](spec_of(kind, fields), *entering)
        assert bool(list(module.parameters())) == (kind in ("conv", "linear"))


def test_folding_changes_no_module() -> None:
    module = TrainableConv(specs.Conv(kind="conv", channels=2, kernel=3), (1, 5, 5))
    before = {name: tensor.clone() for name, tensor in module.state_dict().items()}
    module.layers()
    after = module.state_dict()
    assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
