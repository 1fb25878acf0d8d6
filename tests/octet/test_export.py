"""Exported models: clean for the checker, and the same codes in ONNX Runtime, layer by layer."""

from dataclasses import replace

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from octet.affine import Grid, asymmetric
from octet.errors import OctetError
from octet.exporters import onnx as export
from octet.layers import Dequantize, Linear, Quantize, Relu, Standardize
from octet.network import Network, gives_probabilities, label
from octet.parameters import Quantized, values
from octet.runtime import floating, integer
from octet.signature import Columns, Input, Numbers, Signature
from tests.octet.modelfiles import GRANULARITIES, weights_only
from tests.octet.networks import (
    KINDS,
    anything,
    images,
    in_array,
    in_float,
    one_output,
    rows,
    table,
    unit,
)

fixed = settings(deadline=None, derandomize=True)
seeds = st.integers(0, 2**32 - 1)


def outputs(network: Network, names: list[str], x: np.ndarray) -> list[np.ndarray]:
    model = export.to_onnx(network, every_layer=integer.is_integer(network))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(names, {export.INPUT: x.astype(np.float64)})


def assert_same_codes(network: Network, x: Input) -> None:
    """ONNX Runtime gives our codes after every layer and, at the end, our reals."""
    trace = [(label(network.layers, i), codes) for i, _, codes in integer.trace(network, x)]
    *theirs, reals = outputs(network, [*(name for name, _ in trace), export.OUTPUT], x)
    for (name, expected), codes in zip(trace, theirs, strict=True):
        assert (codes.dtype, codes.shape) == (expected.dtype, expected.shape), name
        assert np.array_equal(codes, expected), name
    ours = integer.run(network, x)
    assert reals.dtype == np.float64
    if gives_probabilities(network):  # of which the exponential function is another
        np.testing.assert_allclose(reals, ours, rtol=1e-12)
    else:
        assert reals.tobytes() == ours.tobytes()


@settings(fixed, max_examples=200)
@given(seed=seeds, bits=st.integers(2, 8), per_channel=st.booleans(), count=st.integers(0, 40))
def test_whatever_the_layers_onnxruntime_gives_the_same_codes(
    seed: int, bits: int, per_channel: bool, count: int
) -> None:
    network = anything(seed, bits, per_channel)
    assert_same_codes(network, rows(network, count, seed))


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_on_and_half_way_between_codes_and_beyond_them_get_the_same(kind: str) -> None:
    network = KINDS[kind](0)
    grid, scaler = network.layers[1].grid, network.layers[0]
    steps = np.random.default_rng(0).integers(-100, 700, (40, *network.signature.shape)) / 2
    each = (-1, *[1] * (steps.ndim - 2))
    reals = (steps - float(grid.zero_point)) * float(grid.scale)
    assert_same_codes(network, reals * scaler.std.reshape(each) + scaler.mean.reshape(each))


def test_an_array_that_is_no_image_gets_the_same() -> None:
    network = in_array()
    assert_same_codes(network, rows(network, 40))


def test_sums_of_all_that_int32_holds_get_the_same() -> None:
    inputs = 20_000
    rng = np.random.default_rng(0)
    weight = rng.choice([0, 1, 255], inputs)
    network = one_output(weight, unit(0), unit(100, 2.0**22), 2**31 - 1 - inputs * 255 * 128)
    assert 2**30 < network.layers[1].largest_sum(unit(0)) < 2**31
    largest = np.where(weight > 128, 255, 0)
    smallest = 255 - largest
    others = rng.integers(0, 256, (20, inputs))
    assert_same_codes(network, np.vstack([largest, smallest, others]).astype(np.float64))


def test_float_layers_may_stand_in_front_of_the_integers() -> None:
    network = Network(
        (Relu(), Quantize(asymmetric(0, 3, 8)), Relu()),
        Signature(Columns(("a", "b")), Numbers("y", "")),
    )
    assert_same_codes(network, np.random.default_rng(0).normal(size=(20, 2)))


@pytest.mark.parametrize("bits", [2, 8, 16])
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_table_in_float_gives_the_same_bits(granularity: str, bits: int) -> None:
    network = weights_only(granularity, bits, (8, 5, 1))
    x = np.random.default_rng(0).normal(size=(1000, 8)) * 100
    (theirs,) = outputs(network, [export.OUTPUT], x)
    assert (theirs.dtype, theirs.tobytes()) == (np.float64, floating.run(network, x).tobytes())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
def test_a_float_network_gives_the_same_to_float32_accuracy(
    kind: str, dtype: type[np.floating]
) -> None:
    network = in_float(KINDS[kind](0), dtype)
    x = rows(network, 50)
    ours = floating.run(network, x)
    (theirs,) = outputs(network, [export.OUTPUT], x)
    assert np.max(np.abs(ours - theirs)) < 1e-5 * np.max(np.abs(ours))


def test_a_standardize_may_stand_behind_other_layers() -> None:
    first = Linear(np.array([[2.0]]), np.array([1.0]))
    scaler = Standardize(np.array([0.1]), np.array([0.3]))
    for between in ((Relu(),), (first,), ()):
        network = Network((*between, scaler, first), Signature(Columns(("a",)), Numbers("y", "")))
        x = np.linspace(-1, 1, 9)[:, None]
        (theirs,) = outputs(network, [export.OUTPUT], x)
        assert np.allclose(floating.run(network, x), theirs, rtol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("make", [lambda network: network, in_float], ids=["integers", "reals"])
def test_one_model_takes_any_number_of_rows_and_no_external_data(kind: str, make: object) -> None:
    network = make(KINDS[kind](0))
    x = rows(network, 33)
    (together,) = outputs(network, [export.OUTPUT], x)
    (alone,) = outputs(network, [export.OUTPUT], x[7:8])
    (none,) = outputs(network, [export.OUTPUT], x[:0])
    assert none.shape == (0, together.shape[1])
    assert np.allclose(alone[0], together[7], rtol=1e-5)
    for every_layer in (False, True):
        model = onnx.load_from_string(export.to_onnx(network, every_layer).SerializeToString())
        onnx.checker.check_model(model, full_check=True)
        for tensor in model.graph.initializer:
            assert tensor.data_location == onnx.TensorProto.DEFAULT
            assert not tensor.external_data


def test_the_model_takes_reals_by_row_and_gives_reals_by_row_alone() -> None:
    graph = export.to_onnx(images(0)).graph
    (taken,), (returned,) = graph.input, graph.output
    for value, name, shape in (
        (taken, export.INPUT, [2, 8, 8]),
        (returned, export.OUTPUT, [3]),
    ):
        batch, *sides = value.type.tensor_type.shape.dim
        assert (value.name, value.type.tensor_type.elem_type) == (name, onnx.TensorProto.DOUBLE)
        assert batch.dim_param == "rows"
        assert [side.dim_value for side in sides] == shape


def test_codes_are_named_for_the_layers_of_the_float_network() -> None:
    network = images(0)
    reals = in_float(network).layers
    codes = [output.name for output in export.to_onnx(network, every_layer=True).graph.output]
    expected = [label(reals, i) for i in range(1, len(reals))]
    assert codes == [export.OUTPUT, "1_quantize", *expected]


def narrow(zero_point: int, bits: int) -> Grid:
    return replace(unit(zero_point), bits=bits)


def last_changed(**fields: object) -> Network:
    *layers, last = table(0).layers
    return replace(table(0), layers=(*layers, replace(last, **fields)))


def several_zero_points() -> Quantized:
    weight = table(0).layers[-1].weight
    zero_point = np.arange(2, dtype=np.uint8).reshape(weight.grid.zero_point.shape)
    return Quantized(weight.codes, replace(weight.grid, zero_point=zero_point))


CODES = np.array([200, 30, 129])


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (one_output(CODES, narrow(3, 7), unit(1)), "got activations of 7 bits"),
        (one_output(CODES, unit(3), narrow(1, 2)), "got activations of 2 bits"),
        (last_changed(weight=several_zero_points()), "one zero point for all weights"),
        (last_changed(weight=values(table(0).layers[-1].weight)), "its weight in float"),
        (last_changed(output=None), "no grid of its output"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_onnx_would_not_compute_alike_is_refused(network: Network, message: str) -> None:
    with pytest.raises(OctetError, match=message):
        export.to_onnx(network)


def test_a_network_may_quantize_twice() -> None:
    grids = asymmetric(-1, 1, 8), asymmetric(-0.5, 2, 8)
    layers = Quantize(grids[0]), Dequantize(), Quantize(grids[1]), Relu()
    network = Network(layers, Signature(Columns(("a", "b")), Numbers("y", "")))
    x = np.random.default_rng(0).normal(size=(20, 2))
    (reals,) = outputs(network, [export.OUTPUT], x)
    assert reals.tobytes() == integer.run(network, x).tobytes()
