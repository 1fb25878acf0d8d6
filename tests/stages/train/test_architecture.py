"""Shapes and parameters of a list of layers are those of the torch module made of it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from octet.signature import Shape
from stages.params.layers import Layer
from stages.params.models import NetworkModel
from stages.train.architecture import Step, plan
from stages.train.cnn import build
from tests.stages.train.small import (
    CLASSES,
    COMMITTED,
    WHERE,
    average,
    cnn_of,
    committed,
    conv,
    dense,
    flat,
    planned,
    pool,
)

SIDES = {"digits": 8, "mnist": 28}
SYSTEMS = [
    name for name, system in COMMITTED.systems.items() if isinstance(system.model, NetworkModel)
]


def refusal(*layers: Layer, image: Shape = (1, 8, 8), budget: int = 10**6) -> str:
    with pytest.raises(OctetError) as caught:
        plan(cnn_of(*layers, budget=budget), image, CLASSES, WHERE)
    message = str(caught.value)
    assert message.splitlines() == [message]
    return message


def total(steps: tuple[Step, ...]) -> int:
    return sum(step.parameters for step in steps)


def assert_is_the_module(steps: tuple[Step, ...]) -> None:
    """Each step gives the shape that torch gives, and the parameters are as many."""
    module = build(steps)
    assert total(steps) == sum(parameter.numel() for parameter in module.parameters())
    for step in steps:
        x = torch.zeros(2, *step.got)
        assert tuple(build((step,))(x).shape[1:]) == step.given
    assert tuple(module(torch.zeros(2, *steps[0].got)).shape) == (2, CLASSES)


@pytest.mark.parametrize(
    ("layer", "image", "given", "parameters"),
    [
        (conv(5, 3, 1), (1, 8, 8), (5, 8, 8), 5 * 9 + 10),
        (conv(5, 3, 0), (4, 8, 6), (5, 6, 4), 5 * 4 * 9 + 10),
        (conv(2, 3, 2), (1, 1, 1), (2, 3, 3), 2 * 9 + 4),
        (conv(7, 1, 0), (3, 2, 5), (7, 2, 5), 7 * 3 + 14),
        (conv(1, 8, 0), (1, 8, 8), (1, 1, 1), 64 + 2),
        (pool(2), (3, 8, 6), (3, 4, 3), 0),
        (pool(4), (3, 8, 4), (3, 2, 1), 0),
        (average(), (3, 8, 6), (3,), 0),
        (flat(), (3, 8, 6), (144,), 0),
    ],
    ids=str,
)
def test_a_layer_gives_the_shape_that_its_kind_gives(
    layer: Layer, image: Shape, given: Shape, parameters: int
) -> None:
    end = (dense(),) if len(given) == 1 else (flat(), dense())
    first = plan(cnn_of(layer, *end), image, CLASSES, WHERE)[0]
    assert first == Step(layer, image, given, parameters)


def test_a_linear_layer_has_a_weight_for_each_pair_and_a_bias_for_each_output() -> None:
    steps = planned(flat(), dense(7), dense())
    assert [(step.got, step.given) for step in steps[1:]] == [((64,), (7,)), ((7,), (10,))]
    assert [step.parameters for step in steps] == [0, 7 * 65, 10 * 8]


def test_a_step_gets_what_the_one_before_it_gives() -> None:
    steps = planned(conv(4), pool(), conv(6, 3, 0), flat(), dense())
    shapes = [(1, 8, 8), (4, 8, 8), (4, 4, 4), (6, 2, 2), (24,), (10,)]
    assert [step.got for step in steps] == shapes[:-1]
    assert [step.given for step in steps] == shapes[1:]


@pytest.mark.parametrize("name", SYSTEMS)
def test_the_systems_of_params_have_as_many_parameters_as_their_modules(name: str) -> None:
    side = SIDES[COMMITTED.system(name).data]
    model = committed(name)
    steps = plan(model, (1, side, side), CLASSES, WHERE)
    assert_is_the_module(steps)
    assert total(steps) <= model.budget


def test_every_image_data_set_has_a_system_in_params() -> None:
    assert {COMMITTED.system(name).data for name in SYSTEMS} == set(SIDES)


@pytest.mark.parametrize(
    "layers",
    [
        (flat(), dense()),
        (average(), dense()),
        (conv(10), average()),
        (conv(10, 8, 0), flat()),
        (conv(3), conv(4, 1, 0), pool(4), flat(), dense(5), dense()),
        (pool(), pool(), pool(), flat(), dense()),
        (conv(2, 5, 4), conv(3, 5, 0), average(), dense()),
    ],
    ids=lambda layers: "-".join(layer.kind for layer in layers),
)
def test_any_kinds_in_any_order_have_as_many_parameters_as_their_module(
    layers: tuple[Layer, ...],
) -> None:
    assert_is_the_module(planned(*layers))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    image=st.tuples(st.integers(1, 3), st.integers(1, 9), st.integers(1, 9)),
    body=st.lists(
        st.builds(pool, st.integers(2, 3))
        | st.integers(1, 5).flatmap(
            lambda kernel: st.builds(
                conv, st.integers(1, 4), st.just(kernel), st.integers(0, kernel - 1)
            )
        ),
        max_size=4,
    ),
    head=st.sampled_from([(average(), dense()), (flat(), dense()), (flat(), dense(3), dense())]),
)
def test_what_can_be_planned_can_be_built_and_what_cannot_is_one_line(
    image: tuple[int, int, int], body: list[Layer], head: tuple[Layer, ...]
) -> None:
    try:
        steps = planned(*body, *head, image=image)
    except OctetError as error:
        assert_names_a_layer(str(error))
    else:
        assert_is_the_module(steps)


def assert_names_a_layer(message: str) -> None:
    assert message.splitlines() == [message]
    assert message.startswith(f"params.yaml: {WHERE}.layers[")


def test_a_budget_that_is_just_enough_is_enough() -> None:
    layers = conv(4), average(), dense()
    needed = total(planned(*layers))
    plan(cnn_of(*layers, budget=needed), (1, 8, 8), CLASSES, WHERE)
    message = refusal(*layers, budget=needed - 1)
    assert message == (
        f"params.yaml: {WHERE}.layers: got {needed} parameters; allowed are {WHERE}.budget = "
        f"{needed - 1}: take out channels or layers"
    )


def test_many_parameters_are_written_with_commas() -> None:
    message = refusal(flat(), dense(4096), dense(), budget=25_000)
    assert "got 307,210 parameters" in message
    assert "budget = 25,000" in message


@pytest.mark.parametrize(
    ("layers", "start"),
    [
        (
            (conv(4, 3, 0), pool(4), flat(), dense()),
            "[1] (max_pool): got shape (4, 6, 6); height and width must be multiples of 4",
        ),
        (
            (conv(4, 4, 1), pool(), flat(), dense()),
            "[1] (max_pool): got shape (4, 7, 7); height and width must be multiples of 2",
        ),
        (
            (conv(4, 9, 0), flat(), dense()),
            "[0] (conv): got shape (1, 8, 8); a kernel of 9 with padding 0 takes images from 9 by",
        ),
        (
            (pool(4), conv(4), conv(4, 9, 2), flat(), dense()),
            "[2] (conv): got shape (4, 2, 2); a kernel of 9 with padding 2 takes images from 5 by",
        ),
        ((dense(),), "[0] (linear): got shape (1, 8, 8); allowed is (features,): flatten first"),
        (
            (conv(4), dense()),
            "[1] (linear): got shape (4, 8, 8); allowed is (features,): flatten first",
        ),
        (
            (flat(), conv(4), flat(), dense()),
            "[1] (conv): got shape (64,); allowed is (channels, height, width)",
        ),
        (
            (average(), pool(), dense()),
            "[1] (max_pool): got shape (1,); allowed is (channels, height, width)",
        ),
        (
            (flat(), average(), dense()),
            "[1] (global_average_pool): got shape (64,); allowed is (channels, height, width)",
        ),
        (
            (flat(), flat(), dense()),
            "[1] (flatten): got shape (64,); allowed is (channels, height, width)",
        ),
    ],
    ids=lambda value: "-".join(layer.kind for layer in value) if isinstance(value, tuple) else "",
)
def test_shapes_that_do_not_meet_are_named_by_layer_and_shape(
    layers: tuple[Layer, ...], start: str
) -> None:
    assert refusal(*layers).startswith(f"params.yaml: {WHERE}.layers{start}")


@pytest.mark.parametrize("image", [(1, 7, 8), (1, 8, 7)])
def test_one_odd_side_is_enough_to_refuse_a_pool(image: Shape) -> None:
    message = refusal(pool(), flat(), dense(), image=image)
    assert f".layers[0] (max_pool): got shape {image}; " in message


@pytest.mark.parametrize("image", [(1, 2, 8), (1, 8, 2)])
def test_one_short_side_is_enough_to_refuse_a_kernel(image: Shape) -> None:
    message = refusal(conv(4, 3, 0), flat(), dense(), image=image)
    assert f".layers[0] (conv): got shape {image}; " in message


@pytest.mark.parametrize(
    ("layers", "name", "given"),
    [
        ((flat(), dense(9)), "[1] (linear)", "(9,)"),
        ((flat(), dense(11)), "[1] (linear)", "(11,)"),
        ((flat(),), "[0] (flatten)", "(64,)"),
        ((average(),), "[0] (global_average_pool)", "(1,)"),
        ((conv(10),), "[0] (conv)", "(10, 8, 8)"),
        ((conv(10, 8, 0),), "[0] (conv)", "(10, 1, 1)"),
    ],
    ids=lambda value: "-".join(layer.kind for layer in value) if isinstance(value, tuple) else "",
)
def test_a_last_layer_without_an_output_for_each_class_is_refused(
    layers: tuple[Layer, ...], name: str, given: str
) -> None:
    assert refusal(*layers) == (
        f"params.yaml: {WHERE}.layers{name}: gives shape {given}; the last layer must give (10,), "
        "a number for each class"
    )
