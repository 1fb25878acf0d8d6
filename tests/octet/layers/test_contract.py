"""What must hold of every kind of layer that is registered, in float and in codes."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch

from octet.affine import Array, dequantize
from octet.errors import OctetError
from octet.exporters import onnx as export
from octet.layers import KINDS, Gridded, Signal
from octet.modelfile.storage import dump_network, load_network
from octet.network import Network, label, signals
from octet.parameters import Quantized
from octet.runtime import floating, integer
from octet.signature import Shape
from tests.octet.layers.cases import (
    CASES,
    Case,
    in_codes,
    integers,
    network,
    rows,
    signature,
    some_grid,
)

LEVELS = {
    name: getattr(onnxruntime.GraphOptimizationLevel, name)
    for name in ("ORT_DISABLE_ALL", "ORT_ENABLE_BASIC", "ORT_ENABLE_EXTENDED", "ORT_ENABLE_ALL")
}
every_case = pytest.mark.parametrize("case", CASES, ids=str)
every_coded_case = pytest.mark.parametrize("case", [c for c in CASES if c.coded], ids=str)


def test_every_kind_has_a_case() -> None:
    assert {case.layer.kind for case in CASES} == KINDS.keys()


@every_case
@pytest.mark.parametrize("seed", [None, 0, 1])
def test_a_file_gives_back_the_layer(case: Case, seed: int | None, tmp_path: Path) -> None:
    if seed is not None and not case.coded:
        return
    # In float a Dequantize has nothing to do, and a file with one is refused.
    if seed is None and case.layer.kind == "dequantize":
        return
    written = network(case) if seed is None else integers(case, np.random.default_rng(seed))
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump_network(written))
    read = load_network(path)
    assert dump_network(read) == path.read_bytes()
    x = rows(case.entering[0], 3, np.random.default_rng(1))
    assert floating.run(read, x).tobytes() == floating.run(written, x).tobytes()
    for first, second in zip(written.layers, read.layers, strict=True):
        assert (type(first), first.name, first.inputs) == (type(second), second.name, second.inputs)


@every_case
def test_the_shape_rule_says_what_comes_out(case: Case) -> None:
    rng = np.random.default_rng(2)
    x = [rows(shape, 3, rng) for shape in case.entering]
    assert case.layer.reals(*x).shape[1:] == case.layer.shape(*case.entering)
    assert case.layer.reals(*x).dtype == np.float64
    assert case.layer.numbers(*case.entering) >= np.prod(case.layer.shape(*case.entering))


@every_case
def test_in_float_it_is_what_torch_computes(case: Case) -> None:
    rng = np.random.default_rng(3)
    x = [rows(shape, 5, rng) for shape in case.entering]
    expected = case.torch(*map(torch.from_numpy, x)).numpy()
    # Convolutions keep some 22 bits of each factor.
    largest = float(np.max(np.abs(expected)))
    np.testing.assert_allclose(case.layer.reals(*x), expected, rtol=0, atol=1e-6 * largest)


@every_case
def test_in_float_onnx_runtime_computes_the_same(case: Case) -> None:
    if case.layer.kind == "dequantize":
        return
    model = network(case)
    x = rows(case.entering[0], 5, np.random.default_rng(4))
    (ours,) = outputs(model, [export.OUTPUT], x, "ORT_ENABLE_ALL")
    np.testing.assert_allclose(floating.run(model, x), ours, rtol=1e-5, atol=1e-5)


def outputs(model: Network, names: list[str], x: Array, level: str) -> list[np.ndarray]:
    """What ONNX Runtime gives at an optimization level."""
    proto = export.to_onnx(model, every_layer=integer.is_integer(model))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.graph_optimization_level = LEVELS[level]
    session = onnxruntime.InferenceSession(
        proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return list(session.run(names, {export.INPUT: x}))


@every_coded_case
@pytest.mark.parametrize("level", LEVELS)
def test_in_codes_onnx_runtime_gives_the_same_ones(case: Case, level: str) -> None:
    for seed in range(8):
        rng = np.random.default_rng(seed)
        model = integers(case, rng)
        x = rows(case.entering[0], 20, rng)
        grids = [signal.grid for signal in signals(model)]
        names = [label(model.layers, i) for i, grid in enumerate(grids) if grid]
        *theirs, reals = outputs(model, [*names, export.OUTPUT], x, level)
        ours = [codes for _, _, codes in integer.trace(model, x)]
        for name, expected, codes in zip(names, ours, theirs, strict=True):
            assert codes.dtype == expected.dtype, name
            assert np.array_equal(codes, expected), name
        assert reals.tobytes() == integer.run(model, x).tobytes()


@every_coded_case
def test_codes_stand_for_what_the_layer_gives_in_reals(case: Case) -> None:
    rng = np.random.default_rng(5)
    for _ in range(5):
        *_, layer = integers(case, rng).layers
        entering = [some_grid(rng) for _ in case.entering]
        layer = in_codes(case, entering, rng)
        if layer.kind in ("quantize", "dequantize"):
            return
        x = [
            Quantized(rng.integers(0, 256, (9, *shape)).astype(np.uint8), grid)
            for shape, grid in zip(case.entering, entering, strict=True)
        ]
        y = layer.codes(*x)
        signal = layer.signal(*map(Signal, case.entering, entering))
        assert (y.codes.dtype, y.codes.shape[1:]) == (np.uint8, signal.shape)
        assert signal.grid is y.grid
        levels = [dequantize(each.codes, each.grid) for each in x]
        exact = layer.unrounded(*levels) if isinstance(layer, Gridded) else layer.reals(*levels)
        first, last = dequantize(np.array([0, y.grid.top]), y.grid)
        off = np.abs(dequantize(y.codes, y.grid) - np.clip(exact, first, last))
        # Half a step; and what float32 makes of sums and multipliers.
        assert np.max(off) <= float(y.grid.scale) * 0.501


@pytest.mark.parametrize("case", [c for c in CASES if not c.coded], ids=str)
def test_what_has_no_form_in_codes_says_so(case: Case) -> None:
    codes = np.zeros((1, *case.entering[0]), np.uint8)
    with pytest.raises(OctetError, match=case.layer.kind):
        case.layer.codes(Quantized(codes, some_grid(np.random.default_rng(0))))


@pytest.mark.parametrize(
    ("case", "shapes"),
    [(case, shapes) for case in CASES for shapes in case.refused],
    ids=str,
)
def test_a_wrong_shape_is_refused_by_name(
    case: Case, shapes: tuple[Shape, ...], tmp_path: Path
) -> None:
    with pytest.raises(OctetError, match="got shape"):
        case.layer.shape(*shapes)
    if len(shapes) == 2 or len(shapes[0]) == 2:
        return  # no signature has such rows
    model = Network((case.layer,), signature(shapes[0]))
    path = tmp_path / "model.safetensors"
    path.write_bytes(dump_network(model))
    with pytest.raises(OctetError, match=rf"layer 0 \({case.layer.kind}\): .*got"):
        load_network(path)
