"""Networks with branches: any graph gives ONNX Runtime's codes, and wrong wires are refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Grid
from octet.errors import OctetError
from octet.exporters import onnx as export
from octet.layers import (
    Add,
    AveragePool,
    Clip,
    Conv2d,
    Dequantize,
    GlobalAveragePool,
    Layer,
    LeakyRelu,
    Linear,
    MaxPool,
    Pad,
    Quantize,
    Relu,
    Softmax,
    Tanh,
)
from octet.modelfile.storage import dump_network, load_network
from octet.network import Network, label, most_numbers, signals, sources
from octet.runtime import floating, inference, integer
from octet.signature import Classes, Images, Numbers, Shape, Signature
from tests.octet.layers.cases import Case, in_codes, rows, some_grid
from tests.octet.layers.test_contract import outputs

SIGNATURE = Signature(Images((3, 6, 5), 255), Classes(("a", "b", "c", "d")))


class AnyGraph:
    """Integer layers of any kind, each taking the outputs of any before it."""

    def __init__(self, seed: int) -> None:
        self.rng = np.random.default_rng(seed)
        self.layers: list[Layer] = []
        self.ends: list[tuple[str, Shape, Grid]] = []
        start = some_grid(self.rng)
        self._take(Quantize(start), SIGNATURE.shape, start)

    def grow(self) -> None:
        """One layer more, on some image; an Add where there are two of one shape."""
        name, shape, _ = self._pick()
        others = [end for end in self.ends if end[1] == shape and end[0] != name]
        kinds = [
            self._conv(shape),
            AveragePool((1, 2), 1),
            Clip(-1, 1),
            LeakyRelu(),
            Relu(),
            Tanh(),
        ]
        kinds += [MaxPool(2, 1, (1, 1, 0, 0)), Pad((1, 0, 0, 1)), Relu(), Tanh()]
        if others:
            kinds += [Add()] * 6
        layer = kinds[self.rng.integers(len(kinds))]
        taken = [name] if layer.arity == 1 else [name, others[self.rng.integers(len(others))][0]]
        self.add(layer, *taken)

    def add(self, layer: Layer, *taken: str) -> None:
        """A layer, put on grids, that takes the outputs of these."""
        ends = [next(end for end in self.ends if end[0] == name) for name in taken]
        shapes, grids = [end[1] for end in ends], [end[2] for end in ends]
        coded = in_codes(Case(layer, tuple(shapes), None), grids, self.rng)
        grid = getattr(coded, "output", None) or grids[0]
        self._take(replace(coded, inputs=taken), coded.shape(*shapes), grid)

    def finish(self) -> Network:
        """A head of four probabilities behind the last layer."""
        name, shape, _ = self.ends[-1]
        self.add(GlobalAveragePool(), name)
        weight = self.rng.normal(size=(4, shape[0])).astype(np.float32)
        self.add(Linear(weight, np.zeros(4, np.float32)), self.ends[-1][0])
        layers = (*self.layers, Dequantize(), Softmax())
        return Network(layers, SIGNATURE)

    def _conv(self, shape: Shape) -> Conv2d:
        groups = int(self.rng.choice([n for n in (1, shape[0]) if shape[0] % n == 0]))
        count = groups * int(self.rng.integers(1, 3))
        weight = self.rng.normal(size=(count, shape[0] // groups, 3, 2)).astype(np.float32)
        return Conv2d(weight, np.zeros(count, np.float32), (1, 0, 1, 1), 1, groups)

    def _pick(self) -> tuple[str, Shape, Grid]:
        images = [end for end in self.ends if len(end[1]) == 3 and min(end[1][1:]) > 1]
        return images[self.rng.integers(max(0, len(images) - 4), len(images))]

    def _take(self, layer: Layer, shape: Shape, grid: Grid) -> None:
        name = f"n{len(self.layers)}"
        self.layers.append(replace(layer, name=name))
        self.ends.append((name, shape, grid))


@settings(deadline=None, derandomize=True, max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), count=st.integers(0, 12))
def test_whatever_the_graph_onnx_runtime_gives_the_same_codes(seed: int, count: int) -> None:
    graph = AnyGraph(seed)
    for _ in range(count):
        graph.grow()
    network = graph.finish()
    x = rows(SIGNATURE.shape, 5, np.random.default_rng(seed))
    grids = [signal.grid for signal in signals(network)]
    names = [label(network.layers, i) for i, grid in enumerate(grids) if grid]
    *theirs, probabilities = outputs(network, [*names, export.OUTPUT], x, "ORT_ENABLE_ALL")
    ours = [codes for _, _, codes in integer.trace(network, x)]
    for name, expected, codes in zip(names, ours, theirs, strict=True):
        assert np.array_equal(codes, expected), name
    np.testing.assert_allclose(inference.run(network, x), probabilities, atol=1e-12)


def test_a_graph_comes_back_from_its_file(tmp_path: Path) -> None:
    graph = AnyGraph(1)
    for _ in range(9):
        graph.grow()
    network = graph.finish()
    assert any(layer.kind == "add" for layer in network.layers)
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump_network(network))
    read = load_network(path)
    x = rows(SIGNATURE.shape, 3, np.random.default_rng(0))
    assert sources(read.layers) == sources(network.layers)
    assert inference.run(read, x).tobytes() == inference.run(network, x).tobytes()


def test_a_branch_may_begin_at_the_input() -> None:
    network = Network((Relu(name="a"), Add(inputs=("a", "input"))), SIGNATURE)
    x = rows(SIGNATURE.shape, 3, np.random.default_rng(0))
    assert np.array_equal(floating.run(network, x), np.maximum(x, 0) + x)


@pytest.mark.parametrize(
    ("layers", "problem"),
    [
        ((Relu(), Relu(inputs=("stem",))), r"layer 1 \(relu\): inputs: got 'stem'.*input"),
        ((Relu(inputs=("a",)), Relu(name="a")), r"layer 0 \(relu\): inputs: got 'a'"),
        ((Relu(name="a"), Relu(name="a")), r"layer 1 \(relu\): name: got 'a', which is taken"),
        ((Relu(name="input"),), r"layer 0 \(relu\): name: got 'input'"),
        ((Relu(), Add()), r"layer 1 \(add\): inputs: got 1; it takes 2"),
        ((Relu(inputs=("input", "input")),), r"layer 0 \(relu\): inputs: got 2; it takes 1"),
        (
            (MaxPool(2, name="a"), Add(inputs=("a", "input"))),
            r"layer 1 \(add\): got shapes \(3, 3, 2\) and \(3, 6, 5\)",
        ),
    ],
)
def test_wrong_wires_are_refused_by_name(
    layers: tuple[Layer, ...], problem: str, tmp_path: Path
) -> None:
    network = Network(layers, SIGNATURE)
    with pytest.raises(OctetError, match=problem):
        signals(network)
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump_network(network))
    with pytest.raises(OctetError, match=f"model.safetensors: {problem}"):
        load_network(path)


@pytest.mark.parametrize(("branches", "taken"), [(3, True), (9, False)])
def test_what_waits_in_memory_for_layers_further_on_is_bounded(
    branches: int, taken: bool, tmp_path: Path
) -> None:
    """Each branch is small enough by itself; only the last layers need them all."""
    large = Pad((0, 0, 130_000, 0))
    pads = [replace(large, name=f"p{i}", inputs=("input",)) for i in range(branches)]
    sums = [Add(name="s1", inputs=("p0", "p1"))]
    sums += [Add(name=f"s{i}", inputs=(f"s{i - 1}", f"p{i}")) for i in range(2, branches)]
    numbers = Signature(SIGNATURE.inputs, Numbers("y", ""))
    network = Network((*pads, *sums), numbers)
    size = 3 * 130_006 * 5
    # At the first sum: the branches, and what it holds itself; the input has gone.
    assert most_numbers(network) == (branches + 1) * size
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump_network(network))
    if taken:
        assert len(load_network(path).layers) == len(network.layers)
        return
    with pytest.raises(OctetError, match=rf"hold {10 * size} numbers of a row at once; allowed"):
        load_network(path)


def test_a_pad_takes_nothing_away() -> None:
    with pytest.raises(OctetError, match=r"got padding \(0, -1, 0, 0\); allowed are integers from"):
        Pad((0, -1, 0, 0))


@pytest.mark.parametrize("kind", [Linear, Conv2d])
@pytest.mark.parametrize("count", [1, 4])
def test_there_is_one_bias_for_each_output(kind: type[Linear] | type[Conv2d], count: int) -> None:
    weight = np.zeros((3, 2, 1, 1) if kind is Conv2d else (3, 2), np.float32)
    with pytest.raises(OctetError, match=rf"got a bias of shape \({count},\) for .* is \(3,\)"):
        kind(weight, np.zeros(count, np.float32))
