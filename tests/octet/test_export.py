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
from octet.layers import Conv2d, Linear, Quantize, Relu, Standardize
from octet.network import Network, label
from octet.parameters import values
from octet.runtime import floating, integer
from octet.signature import Columns, Input, Numbers, Signature
from tests.octet.modelfiles import GRANULARITIES, weights_only
from tests.octet.networks import (
    KINDS,
    absolute,
    anything,
    images,
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
    names = export.labels(network.layers)
    *codes, reals = outputs(network, [*names, export.OUTPUT], x)
    start = integer.encode(network, x)
    ours = [start, *(made for _, _, made in integer.trace(network, start))]
    for name, expected, got in zip(names, ours, codes, strict=True):
        assert (got.dtype, got.shape) == (expected.dtype, expected.shape), name
        assert np.array_equal(got, expected), name
    assert (reals.dtype, reals.tobytes()) == (np.float64, integer.run(network, x).tobytes())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bits", range(2, 9))
def test_onnxruntime_gives_the_same_codes_after_every_layer(
    kind: str, per_channel: bool, bits: int
) -> None:
    for seed in range(3):
        network = KINDS[kind](seed, bits, per_channel)
        assert_same_codes(network, rows(network, 50, seed))


@settings(fixed, max_examples=200)
@given(seed=seeds, bits=st.integers(2, 8), per_channel=st.booleans(), count=st.integers(1, 40))
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


def test_sums_of_all_that_int32_holds_get_the_same() -> None:
    inputs = 20_000
    rng = np.random.default_rng(0)
    weight = rng.choice([0, 1, 255], inputs)
    network = one_output(weight, unit(0), unit(100, 2.0**22), 2**31 - 1 - inputs * 255 * 128)
    layer = network.layers[1]
    assert 2**30 < integer.largest_sum(layer, unit(0)) < 2**31
    largest = np.where(weight > 128, 255, 0)
    smallest = 255 - largest
    others = rng.integers(0, 256, (20, inputs))
    assert_same_codes(network, np.vstack([largest, smallest, others]).astype(np.float64))


@pytest.mark.parametrize("bits", [2, 5, 7])
def test_activations_of_fewer_bits_which_onnx_would_not_clip_are_refused(bits: int) -> None:
    codes = np.array([200, 30, 129])
    for grids in (narrow(3, bits), unit(1)), (unit(3), narrow(1, bits)):
        with pytest.raises(OctetError, match=f"got activations of {bits} bits"):
            export.to_onnx(one_output(codes, *grids))


def narrow(zero_point: int, bits: int, scale: float = 1.0) -> Grid:
    return replace(unit(zero_point, scale), bits=bits)


@pytest.mark.parametrize("bits", [2, 8, 16])
@pytest.mark.parametrize("granularity", GRANULARITIES)
def test_a_table_in_float_gives_the_same_bits(granularity: str, bits: int) -> None:
    network = weights_only(granularity, bits, (8, 5, 1))
    x = np.random.default_rng(0).normal(size=(1000, 8)) * 100
    (theirs,) = outputs(network, [export.OUTPUT], x)
    assert (theirs.dtype, theirs.tobytes()) == (np.float64, floating.run(network, x).tobytes())


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@fixed
@given(seed=seeds)
def test_a_float_network_gives_the_same_to_float32_accuracy(
    dtype: type[np.floating], seed: int
) -> None:
    network = in_float(anything(seed, 8, per_channel=False), dtype)
    x = rows(network, 5, seed)
    (theirs,) = outputs(network, [export.OUTPUT], x)
    ours = floating.run(network, x)
    assert (theirs.dtype, theirs.shape) == (np.float64, ours.shape)
    magnitude = floating.run(absolute(network), np.abs(x))
    # Sums of up to 216 products, in six layers at most, each rounded to 24 bits.
    assert np.all(np.abs(ours - theirs) <= 6 * 216 * 2.0**-24 * np.max(magnitude))


@pytest.mark.parametrize("kind", KINDS)
def test_a_usual_float_network_gives_the_same_to_float32_accuracy(kind: str) -> None:
    network = in_float(KINDS[kind](0))
    x = rows(network, 50)
    ours = floating.run(network, x)
    (theirs,) = outputs(network, [export.OUTPUT], x)
    assert np.max(np.abs(ours - theirs)) < 1e-5 * np.max(np.abs(ours))


@pytest.mark.parametrize("kind", KINDS)
def test_one_model_takes_any_number_of_rows(kind: str) -> None:
    for network in (KINDS[kind](0), in_float(KINDS[kind](0))):
        x = rows(network, 33)
        (together,) = outputs(network, [export.OUTPUT], x)
        (alone,) = outputs(network, [export.OUTPUT], x[7:8])
        (none,) = outputs(network, [export.OUTPUT], x[:0])
        assert none.shape == (0, together.shape[1])
        assert np.allclose(alone[0], together[7], rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("every_layer", [False, True])
def test_the_model_has_no_external_data_and_passes_the_checker(
    kind: str, every_layer: bool
) -> None:
    for network in (KINDS[kind](0), in_float(KINDS[kind](0))):
        model = onnx.load_from_string(export.to_onnx(network, every_layer).SerializeToString())
        onnx.checker.check_model(model, full_check=True)
        for tensor in model.graph.initializer:
            assert tensor.data_location == onnx.TensorProto.DEFAULT
            assert not tensor.external_data


def test_the_model_takes_reals_by_row_and_gives_reals_by_row() -> None:
    (taken,) = export.to_onnx(images(0)).graph.input
    (given_back,) = export.to_onnx(images(0)).graph.output
    for value, name, kind, shape in (
        (taken, export.INPUT, onnx.TensorProto.DOUBLE, [2, 8, 8]),
        (given_back, export.OUTPUT, onnx.TensorProto.DOUBLE, [3]),
    ):
        batch, *sides = value.type.tensor_type.shape.dim
        assert (value.name, value.type.tensor_type.elem_type) == (name, kind)
        assert batch.dim_param == "rows"
        assert [side.dim_value for side in sides] == shape


def test_codes_are_named_for_the_layers_of_the_float_network() -> None:
    network = images(0)
    reals = in_float(network)
    names = export.labels(network.layers)
    assert names[0] == "1_quantize"
    assert names[1:] == [label(reals.layers, i) for i in range(1, len(reals.layers))]


def test_only_asked_for_are_the_codes_of_every_layer_outputs() -> None:
    assert [o.name for o in export.to_onnx(images(0)).graph.output] == [export.OUTPUT]


def test_zero_points_that_differ_within_a_layer_are_refused() -> None:
    network = images(0)
    layer = network.layers[2]
    assert isinstance(layer, Conv2d)
    grid = layer.weight.grid
    zero_point = np.arange(4, dtype=np.uint8).reshape(grid.zero_point.shape)
    broken = replace(layer.weight, grid=Grid(grid.scale, zero_point, grid.bits))
    layers = [*network.layers]
    layers[2] = replace(layer, weight=broken)
    with pytest.raises(OctetError, match="one zero point for all weights"):
        export.to_onnx(replace(network, layers=tuple(layers)))


def test_a_float_layer_among_integers_is_refused() -> None:
    network = images(0)
    last = network.layers[-1]
    assert isinstance(last, Linear)
    layers = (*network.layers[:-1], replace(last, weight=values(last.weight)))
    with pytest.raises(OctetError, match="no integer layer"):
        export.to_onnx(replace(network, layers=layers))


def test_a_layer_without_a_grid_of_its_output_is_refused() -> None:
    network = table(0)
    layers = (*network.layers[:-1], replace(network.layers[-1], output=None))
    with pytest.raises(OctetError, match=r"^layer 3_linear.*: it has no grid of its output$"):
        export.to_onnx(replace(network, layers=layers))


def test_a_standardize_may_stand_behind_other_layers() -> None:
    first = Linear(np.array([[2.0]]), np.array([1.0]))
    scaler = Standardize(np.array([0.1]), np.array([0.3]))
    for between in ((Relu(),), (first,), ()):
        network = Network((*between, scaler, first), Signature(Columns(("a",)), Numbers("y", "")))
        x = np.linspace(-1, 1, 9)[:, None]
        (theirs,) = outputs(network, [export.OUTPUT], x)
        assert np.allclose(floating.run(network, x), theirs, rtol=1e-6)


def test_float_layers_may_stand_in_front_of_the_integers() -> None:
    network = Network(
        (Relu(), Quantize(asymmetric(0, 3, 8)), Relu()),
        Signature(Columns(("a", "b")), Numbers("y", "")),
    )
    assert_same_codes(network, np.random.default_rng(0).normal(size=(20, 2)))
