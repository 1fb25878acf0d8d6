"""Shapes and parameters of a list of layers are those of the torch module made of it."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.errors import OctetError
from octet.signature import Classes, Columns, Numbers, Shape, Signature
from stages.params.layers import Add, AveragePool, Layer, Pad, Reshape, Sigmoid, Softmax
from stages.params.models import NetworkModel
from stages.train.architecture import Step, plan
from stages.train.module import Module
from tests.stages.train.small import (
    CLASSES,
    COMMITTED,
    WHERE,
    average,
    conv,
    dense,
    digits,
    flat,
    model_of,
    of_images,
    planned,
    pool,
    relu,
)

Image = tuple[int, int, int]


def refusal(*layers: Layer, image: Image = (1, 8, 8), budget: int = 10**6) -> str:
    return refusal_of(model_of(*layers, budget=budget), of_images(image))


def refusal_of(model: NetworkModel, signature: Signature) -> str:
    with pytest.raises(OctetError) as caught:
        plan(model, signature, WHERE)
    message = str(caught.value)
    assert message.splitlines() == [message]
    assert message.startswith(f"params.yaml: {WHERE}.layers")
    return message.removeprefix(f"params.yaml: {WHERE}.layers")


def total(steps: tuple[Step, ...]) -> int:
    return sum(step.parameters for step in steps)


def assert_is_the_module(steps: tuple[Step, ...]) -> None:
    """Each step gives the shape that torch gives, and the parameters are as many."""
    module = Module(steps)
    assert total(steps) == sum(parameter.numel() for parameter in module.parameters())
    for step in steps:
        x = [torch.zeros(2, *shape) for shape in step.entering]
        assert tuple(step.build()(*x).shape[1:]) == step.leaving
    assert tuple(module(torch.zeros(2, *steps[0].entering[0])).shape) == (2, CLASSES)


@pytest.mark.parametrize(
    ("layer", "image", "leaving", "parameters"),
    [
        (conv(5, 3, 1), (1, 8, 8), (5, 8, 8), 5 * 9 + 10),
        (conv(5, 3, 0), (4, 8, 6), (5, 6, 4), 5 * 4 * 9 + 10),
        (conv(2, 3, 2), (1, 1, 1), (2, 3, 3), 2 * 9 + 4),
        (conv(1, 8, 0), (1, 8, 8), (1, 1, 1), 64 + 2),
        (conv(4, 3, 1, stride=(2, 1), groups=2), (2, 8, 8), (4, 4, 8), 4 * 9 + 8),
        (pool(2), (3, 8, 6), (3, 4, 3), 0),
        (pool(3), (3, 8, 4), (3, 2, 1), 0),
        (AveragePool(kind="average_pool", side=(2, 3), stride=1), (3, 8, 6), (3, 7, 4), 0),
        (Pad(kind="pad", padding=(1, 2, 3, 4)), (3, 8, 6), (3, 12, 12), 0),
        (Reshape(kind="reshape", to=(16, 3, 3)), (3, 8, 6), (16, 3, 3), 0),
        (average(), (3, 8, 6), (3,), 0),
        (flat(), (3, 8, 6), (144,), 0),
        (relu(), (3, 8, 6), (3, 8, 6), 0),
    ],
    ids=str,
)
def test_a_layer_gives_the_shape_that_its_kind_gives(
    layer: Layer, image: Image, leaving: Shape, parameters: int
) -> None:
    end = (dense(),) if len(leaving) == 1 else (flat(), dense())
    first = planned(layer, *end, image=image)[0]
    assert first == Step(layer, (-1,), (image,), leaving, parameters)


def test_a_layer_takes_what_the_one_before_it_gives_or_what_it_names() -> None:
    named = conv(4).model_copy(update={"name": "a"}), conv(4).model_copy(update={"name": "b"})
    clipped = relu().model_copy(update={"name": "c"})
    steps = planned(*named, clipped, Add(kind="add", inputs=("a", "c")), flat(), dense())
    assert [step.taken for step in steps] == [(-1,), (0,), (1,), (0, 2), (3,), (4,)]
    assert steps[3].entering == ((4, 8, 8), (4, 8, 8))
    assert_is_the_module(steps)


def test_layers_of_which_none_is_trained_are_refused() -> None:
    with pytest.raises(OctetError, match=r"small\.model\.layers: nothing to train: put a linear"):
        planned(flat(), Softmax(kind="softmax"), image=(1, 2, 5))


@pytest.mark.parametrize(
    "name",
    [n for n, system in COMMITTED.systems.items() if isinstance(system.model, NetworkModel)],
)
def test_the_systems_of_params_are_within_their_budget(name: str) -> None:
    model = COMMITTED.system(name).model
    assert isinstance(model, NetworkModel)
    data = COMMITTED.system(name).data
    signatures = {
        "mnist": of_images((1, 28, 28)),
        "digits": of_images(),
        "wine": Signature(Columns(tuple(map(str, range(13)))), Classes(("a", "b", "c"))),
    }
    assert 0 < total(plan(model, signatures[data], WHERE)) <= model.budget


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
    image: Image, body: list[Layer], head: tuple[Layer, ...]
) -> None:
    try:
        steps = planned(*body, *head, image=image)
    except OctetError as error:
        message = str(error)
        assert message.splitlines() == [message]
        assert message.startswith(f"params.yaml: {WHERE}.layers[")
    else:
        assert_is_the_module(steps)


def test_a_budget_that_is_just_enough_is_enough() -> None:
    layers = conv(4), average(), dense()
    needed = total(planned(*layers))
    plan(model_of(*layers, budget=needed), of_images(), WHERE)
    assert refusal(*layers, budget=needed - 1) == (
        f": got {needed} parameters; allowed are {WHERE}.budget = {needed - 1}: take out channels "
        "or layers"
    )


def test_far_more_parameters_than_memory_are_counted_and_refused() -> None:
    message = refusal(conv(4096, 99, 0), conv(4096, 99, 0), flat(), dense(), image=(1, 999, 999))
    count = int(message.removeprefix(": got ").partition(" ")[0].replace(",", ""))
    assert count > 4096 * 4096 * 99 * 99


@pytest.mark.parametrize(
    ("layers", "start"),
    [
        (
            (conv(4, 9, 0), flat(), dense()),
            "[0] (conv): got shape (1, 8, 8); a window of 9 by 9 with padding (0, 0, 0, 0) takes",
        ),
        (
            (pool(4), conv(4), conv(4, 9, 2), flat(), dense()),
            "[2] (conv): got shape (4, 2, 2); a window of 9 by 9 ",
        ),
        ((pool(9), flat(), dense()), "[0] (max_pool): got shape (1, 8, 8); a window of 9 by 9 "),
        ((dense(),), "[0] (linear): got shape (1, 8, 8); allowed is one axis: put a flatten "),
        ((conv(4), dense()), "[1] (linear): got shape (4, 8, 8); allowed is one axis: "),
        ((flat(), conv(4)), "[1] (conv): got shape (64,); allowed is (channels, height, width)"),
        ((average(), pool()), "[1] (max_pool): got shape (1,); allowed is (channels, height, "),
        ((flat(), average()), "[1] (global_average_pool): got shape (64,); allowed is (channels, "),
        ((conv(3), conv(4, groups=2)), "[1] (conv): groups: got 2; allowed is what divides the 3 "),
        ((Reshape(kind="reshape", to=(3, 5)),), "[0] (reshape): got shape (1, 8, 8), 64 numbers; "),
        (
            (
                conv(4).model_copy(update={"name": "a"}),
                pool().model_copy(update={"name": "b"}),
                Add(kind="add", inputs=("a", "b")),
            ),
            "[2] (add): got shapes (4, 8, 8) and (4, 4, 4); both must be the same",
        ),
    ],
    ids=lambda value: "-".join(layer.kind for layer in value) if isinstance(value, tuple) else "",
)
def test_shapes_that_do_not_meet_are_named_by_layer_and_shape(
    layers: tuple[Layer, ...], start: str
) -> None:
    assert refusal(*layers).startswith(start)


@pytest.mark.parametrize(
    ("layers", "name", "leaving"),
    [
        ((flat(), dense(9)), "[1] (linear)", "(9,)"),
        ((flat(), dense(11)), "[1] (linear)", "(11,)"),
        ((flat(), dense(9), Softmax(kind="softmax")), "[2] (softmax)", "(9,)"),
        ((flat(),), "[0] (flatten)", "(64,)"),
        ((conv(10),), "[0] (conv)", "(10, 8, 8)"),
    ],
    ids=lambda value: "-".join(layer.kind for layer in value) if isinstance(value, tuple) else "",
)
def test_a_last_layer_without_an_output_for_each_class_is_refused(
    layers: tuple[Layer, ...], name: str, leaving: str
) -> None:
    assert refusal(*layers) == (
        f"{name}: gives shape {leaving}; the last layer must give (10,), a number for each class"
    )


def test_a_number_takes_a_last_linear_layer_of_one_output() -> None:
    signature = Signature(Columns(("a", "b")), Numbers("y", ""))
    plan(model_of(dense(4), relu(), dense(1)), signature, WHERE)
    assert refusal_of(model_of(dense(2)), signature) == (
        "[0] (linear): gives shape (2,); the last layer must give (1,), the number that is "
        "predicted"
    )
    assert refusal_of(model_of(dense(1), Sigmoid(kind="sigmoid")), signature) == (
        "[1] (sigmoid): for data whose outputs are numbers, the last is a linear"
    )


def test_the_digits_that_are_loaded_fit_their_system() -> None:
    model = COMMITTED.system("digits").model
    assert isinstance(model, NetworkModel)
    assert plan(model, digits().signature, WHERE)[-1].leaving == (10,)
