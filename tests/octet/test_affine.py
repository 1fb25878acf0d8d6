"""The definitions of scale and zero point, and ONNX Runtime as the oracle of what codes mean."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from octet.affine import (
    Codes,
    Floats,
    Grid,
    asymmetric,
    code_dtype,
    dequantize,
    quantize,
    symmetric,
)
from octet.errors import OctetError

fixed = settings(deadline=None, derandomize=True)

SMALLEST_NORMAL = float(np.finfo(np.float32).smallest_normal)
LARGEST = float(np.finfo(np.float32).max)

widths = st.integers(2, 16)


@st.composite
def ranges(draw: st.DrawFn) -> tuple[float, float]:
    """lo ≤ hi of any sign and magnitude that a float32 scale can serve, nothing included."""
    ends = st.floats(-1, 1, allow_subnormal=False)
    lo, hi = sorted((draw(ends), draw(ends)))
    unit = 2.0 ** draw(st.integers(-160, 120))
    return lo * unit, hi * unit


def allowed_steps(bits: int, dtype: type[np.floating]) -> float:
    """How many steps a value inside the range may be away from what its code stands for.

    Half a step for rounding. But scale is hi - lo over n rounded to float32: with s the rounded
    and t the true one, |t/s - 1| ≤ 2⁻²⁴, so the n steps of the grid may end n·2⁻²⁴ steps short of
    the range, and the last code is that much farther away. Float64 adds five roundings of 2⁻⁵³
    each, of at most n steps; a float32 x is divided in float32, one more rounding of 2⁻²⁴.
    """
    top = 2**bits - 1
    divided = 2.0**-24 if dtype is np.float32 else 0.0
    return 0.5 + top * (2.0**-24 + 5 * 2.0**-53 + divided)


@fixed
@given(ends=ranges(), bits=widths)
def test_zero_is_exact(ends: tuple[float, float], bits: int) -> None:
    for make in (asymmetric, symmetric):
        grid = make(*ends, bits)
        assert quantize(np.array(0.0), grid) == grid.zero_point
        assert dequantize(grid.zero_point, grid) == 0


@pytest.mark.parametrize(
    ("given_range", "spanned", "zero_point"),
    [
        ((1.0, 3.0), (0.0, 3.0), 0),
        ((-3.0, -1.0), (-3.0, 0.0), 15),
        ((-3.0, 12.0), (-3.0, 12.0), 3),
    ],
)
def test_a_range_is_extended_to_hold_zero(
    given_range: tuple[float, float], spanned: tuple[float, float], zero_point: int
) -> None:
    grid = asymmetric(*given_range, 4)
    assert grid.scale == np.float32((spanned[1] - spanned[0]) / 15)
    assert grid.zero_point == zero_point
    assert dequantize(np.array([0, 15]), grid) == pytest.approx(spanned, rel=2**-24, abs=0)


@fixed
@given(ends=ranges(), bits=widths)
def test_the_scale_is_the_extent_over_n_in_float64_rounded_once(
    ends: tuple[float, float], bits: int
) -> None:
    lo, hi = min(*ends, 0.0), max(*ends, 0.0)
    wanted = np.float32((hi - lo) / (2**bits - 1))
    grid = asymmetric(*ends, bits)
    assert grid.scale.dtype == np.float32
    assert grid.scale == (wanted if wanted >= SMALLEST_NORMAL else 1)


@pytest.mark.parametrize(
    ("lo", "hi", "zero_point"), [(-0.5, 2.5, 0), (-1.5, 1.5, 2), (-2.5, 0.5, 2)]
)
def test_a_zero_point_between_two_codes_is_the_even_one(
    lo: float, hi: float, zero_point: int
) -> None:
    grid = asymmetric(lo, hi, 2)
    assert grid.scale == 1
    assert grid.zero_point == zero_point


@fixed
@given(ends=ranges(), bits=widths)
def test_codes_and_zero_points_fit_their_width(ends: tuple[float, float], bits: int) -> None:
    dtype = np.uint8 if bits <= 8 else np.uint16
    lo, hi = ends
    for make in (asymmetric, symmetric):
        grid = make(lo, hi, bits)
        codes = quantize(np.array([3 * lo, lo, hi, 3 * hi, -1e300, 1e300]), grid)
        assert (grid.zero_point.dtype, codes.dtype) == (dtype, dtype)
        assert grid.top == 2**bits - 1
        assert grid.zero_point <= grid.top
        assert codes.max() <= grid.top
        assert codes[-2:].tolist() == [0, grid.top]


@fixed
@given(
    ends=ranges(),
    bits=widths,
    dtype=st.sampled_from([np.float32, np.float64]),
    seed=st.integers(0, 999),
)
def test_inside_the_range_a_value_is_half_a_step_from_its_code(
    ends: tuple[float, float], bits: int, dtype: type[np.floating], seed: int
) -> None:
    lo, hi = min(*ends, 0.0), max(*ends, 0.0)
    rng = np.random.default_rng(seed)
    for make, below, above in (
        (asymmetric, lo, hi),
        (symmetric, -max(-lo, hi), max(-lo, hi)),
    ):
        grid = make(*ends, bits)
        steps = rng.integers(-grid.top, grid.top, 50) + 0.5  # ties
        inside = np.concatenate(
            [below + rng.random(50) * (above - below), [below, above], steps * float(grid.scale)]
        ).astype(dtype)
        inside = inside[(inside >= below) & (inside <= above)]
        away = np.abs(inside.astype(np.float64) - dequantize(quantize(inside, grid), grid))
        assert np.max(away, initial=0) <= float(grid.scale) * allowed_steps(bits, dtype)


def test_the_last_code_may_be_farther_away_by_the_rounding_of_the_scale() -> None:
    lo, hi = -1.95, 85193.55
    grid = asymmetric(lo, hi, 16)
    away = abs(hi - float(dequantize(quantize(np.array(hi), grid), grid))) / float(grid.scale)
    assert 0.502 < away <= allowed_steps(16, np.float64)


def test_a_range_without_extent_has_scale_one_and_zero_point_zero() -> None:
    subnormal = SMALLEST_NORMAL * (1 - 2.0**-20)
    for bits in range(2, 17):
        end = subnormal * (2**bits - 1)
        for lo, hi in ((0.0, 0.0), (0.0, end), (-end, 0.0), (0.0, 5e-324)):
            grid = asymmetric(lo, hi, bits)
            assert (grid.scale, grid.zero_point) == (1, 0)
            assert quantize(np.array([lo, hi]), grid).tolist() == [0, 0]
        smallest = asymmetric(-SMALLEST_NORMAL * (2**bits - 1), 0, bits)
        assert (smallest.scale, smallest.zero_point) == (SMALLEST_NORMAL, 2**bits - 1)


@fixed
@given(ends=ranges(), bits=widths)
def test_symmetric_puts_zero_in_the_middle_and_the_larger_end_on_a_code(
    ends: tuple[float, float], bits: int
) -> None:
    middle = 2 ** (bits - 1)
    grid = symmetric(*ends, bits)
    wanted = np.float32(max(map(abs, ends)) / (middle - 1))
    assert grid.zero_point == middle
    assert grid.scale == (wanted if wanted >= SMALLEST_NORMAL else 1)
    x = np.array([*ends, *np.linspace(*ends, 9)])
    assert dequantize(quantize(x, grid), grid).tolist() == (
        (-dequantize(quantize(-x, grid), grid)).tolist()
    )


@pytest.mark.parametrize("make", [asymmetric, symmetric])
def test_each_row_of_a_range_gets_the_grid_that_it_would_get_alone(make: Any) -> None:
    lo, hi = np.array([[-1.0], [0.0], [2.0], [-7.5]]), np.array([[1.0], [0.0], [3.0], [-7.0]])
    x = np.linspace(-8, 3, 40).reshape(4, 10)
    grid = make(lo, hi, 5)
    assert grid.scale.shape == grid.zero_point.shape == (4, 1)
    for i in range(4):
        alone = make(lo[i, 0], hi[i, 0], 5)
        assert (grid.scale[i, 0], grid.zero_point[i, 0]) == (alone.scale, alone.zero_point)
        assert quantize(x, grid)[i].tolist() == quantize(x[i], alone).tolist()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_error_names_the_tensor_and_the_place_of_what_is_not_finite(
    bad: float, dtype: type[np.floating]
) -> None:
    x = np.zeros((2, 3), dtype)
    x[1, 2] = bad
    message = rf"^layer 4: weight: got {bad} at index \[1, 2\]; every value must be finite$"
    with pytest.raises(OctetError, match=message):
        quantize(x, asymmetric(0, 1, 8), "layer 4: weight")
    with pytest.raises(OctetError, match=rf"^bias: got {bad} at index \[0\]"):
        quantize(x[1, 2], asymmetric(0, 1, 8), "bias")


@pytest.mark.parametrize("make", [asymmetric, symmetric])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_a_range_that_is_not_finite_is_refused_by_its_end(make: Any, bad: float) -> None:
    lower = make is symmetric or not bad > 0
    upper = make is symmetric or not bad < 0
    if lower:
        with pytest.raises(OctetError, match=rf"^lower end of the range: got {bad} "):
            make(np.array([-1.0, bad]), np.array([1.0, 1.0]), 8)
    if upper:
        with pytest.raises(OctetError, match=rf"^upper end of the range: got {bad} "):
            make(np.array([-1.0, -1.0]), np.array([1.0, bad]), 8)


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_a_range_is_refused_where_its_scale_leaves_float32_and_not_before(bits: int) -> None:
    for make, codes in ((asymmetric, 2**bits - 1), (symmetric, 2 ** (bits - 1) - 1)):
        assert make(0.0, LARGEST * codes, bits).scale == LARGEST
        for too_wide in (LARGEST * codes * (1 + 2.0**-24), 1.7e308):
            with pytest.raises(OctetError, match=r"^range \[.*\]: too wide for a float32 scale;"):
                make(-too_wide, too_wide, bits)


@cache
def onnx_session(operator: str, dtype: type[Codes], per_row: bool) -> Any:
    """QuantizeLinear or DequantizeLinear of opset 21 in ONNX Runtime, for matrices."""
    code = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    kinds = {"QuantizeLinear": (TensorProto.FLOAT, code)}.get(operator, (code, TensorProto.FLOAT))
    shape = ["rows"] if per_row else []
    graph = helper.make_graph(
        [helper.make_node(operator, ["x", "scale", "zero_point"], ["y"], axis=0)],
        operator,
        [
            helper.make_tensor_value_info("x", kinds[0], ["rows", "columns"]),
            helper.make_tensor_value_info("scale", TensorProto.FLOAT, shape),
            helper.make_tensor_value_info("zero_point", code, shape),
        ],
        [helper.make_tensor_value_info("y", kinds[1], ["rows", "columns"])],
    )
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10
    ).SerializeToString()
    return onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])


def onnx(operator: str, x: npt.NDArray[Any], grid: Grid) -> npt.NDArray[Any]:
    """What ONNX Runtime makes of x, with one scale or, for a column of scales, one a row."""
    per_row = grid.scale.ndim > 0
    session = onnx_session(operator, code_dtype(grid.bits), per_row)
    shape = (-1,) if per_row else ()
    scale, zero_point = grid.scale.reshape(shape), grid.zero_point.reshape(shape)
    return session.run(None, {"x": x, "scale": scale, "zero_point": zero_point})[0]


def steep(scale: npt.NDArray[np.float32], bits: int, rng: np.random.Generator) -> Floats:
    """float32 rows in which roundings go wrong: ties, neighbours of ties, huge and tiny values."""
    top, step = 2**bits - 1, scale.astype(np.float64)
    ties = (rng.integers(-top, top, (len(scale), 500)) + 0.5) * step
    beside = ties * (1 + rng.integers(-2, 3, ties.shape) * 2.0**-23)
    anywhere = rng.uniform(-top, top, ties.shape) * step
    sizes = np.exp2(rng.uniform(-149, 127.99, ties.shape)) * rng.choice([-1, 1], ties.shape)
    ends = np.broadcast_to([0.0, -0.0, LARGEST, -LARGEST, 1e-45], (len(scale), 5))
    columns = np.concatenate([ties, beside, anywhere, sizes, ends], axis=1)
    return np.clip(columns, -LARGEST, LARGEST).astype(np.float32)


def scales(rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """A column of scales: the smallest, the largest, powers of two (exact ties) and others."""
    ends = [SMALLEST_NORMAL, LARGEST]
    powers = np.exp2(rng.integers(-20, 20, 4))
    others = np.exp2(rng.uniform(-100, 100, 4))
    return np.concatenate([ends, powers, others]).astype(np.float32)[:, None]


@pytest.mark.parametrize("bits", [8, 16])
@settings(fixed, max_examples=30)
@given(seed=st.integers(0, 2**32 - 1))
def test_quantize_is_onnx_quantize_linear_bit_for_bit(bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    top, scale = 2**bits - 1, scales(rng)
    zero_point = rng.permutation([0, 1, top, top // 2, *rng.integers(0, top, 6)])
    grid = Grid(scale, zero_point.astype(code_dtype(bits))[:, None], bits)
    x = steep(scale, bits, rng)
    assert np.array_equal(quantize(x, grid), onnx("QuantizeLinear", x, grid))
    for i in range(len(scale)):
        shared = Grid(grid.scale[i, 0, ...], grid.zero_point[i, 0, ...], bits)
        row = x[i : i + 1]
        assert np.array_equal(quantize(row, shared), onnx("QuantizeLinear", row, shared))


@pytest.mark.parametrize("bits", [8, 16])
def test_no_other_order_of_operations_is_onnx_quantize_linear(bits: int) -> None:
    rng = np.random.default_rng(0)
    top, scale = 2**bits - 1, scales(rng)[2:]
    grid = Grid(scale, np.full(scale.shape, top // 2, code_dtype(bits)), bits)
    x = np.clip(steep(scale, bits, rng), -top * scale, top * scale)
    zero_point, half = np.float32(top // 2), np.float32(0.5)
    others = {
        "multiply by the reciprocal": np.rint(x * (1 / scale)) + zero_point,
        "add the zero point first": np.rint(x / scale + zero_point),
        "ties away from zero": np.trunc(x / scale + np.copysign(half, x)) + zero_point,
    }
    expected = onnx("QuantizeLinear", x, grid)
    for name, codes in others.items():
        assert np.any(np.clip(codes, 0, top) != expected), name


@pytest.mark.parametrize("bits", [8, 16])
def test_dequantize_rounded_to_float32_is_onnx_dequantize_linear_bit_for_bit(bits: int) -> None:
    rng = np.random.default_rng(0)
    top, scale = 2**bits - 1, scales(rng)
    zero_point = rng.permutation([0, 1, top, top // 2, *rng.integers(0, top, 6)])
    grid = Grid(scale, zero_point.astype(code_dtype(bits))[:, None], bits)
    codes = np.tile(np.arange(top + 1, dtype=code_dtype(bits)), (len(scale), 1))
    with np.errstate(over="ignore"):  # to infinity, as ONNX Runtime does
        rounded = dequantize(codes, grid).astype(np.float32)
    expected = onnx("DequantizeLinear", codes, grid)
    assert np.array_equal(rounded.view(np.uint32), expected.view(np.uint32))
