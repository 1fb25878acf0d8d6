"""C files give the codes of Octet's runtime: every kind of layer, and networks of any of them."""

import subprocess
from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from octet.affine import asymmetric
from octet.errors import OctetError
from octet.exporters.c import Options, Selftest, export, proof
from octet.exporters.c.plan import Leaving
from octet.layers import (
    KINDS,
    Add,
    Clip,
    Conv2d,
    Dequantize,
    Linear,
    MaxPool,
    Quantize,
    Relu,
    Softmax,
    Tanh,
)
from octet.layers.integers import requantize
from octet.network import Network
from octet.parameters import Quantized
from octet.runtime import floating
from octet.signature import Arrays, Classes, Columns, Images, Numbers, Signature
from tests.octet.exporters.compiled import Compiled, codes_of, compiled, needs, run_selftests
from tests.octet.layers.cases import CASES, integers, rows
from tests.octet.modelfiles import GRANULARITIES, weights_only
from tests.octet.networks import activation, anything, images, one_output, table, unit, weighted
from tests.octet.networks import rows as any_rows

SEEDS = range(2)
CODED = [case for case in CASES if case.coded]


def of_reals(network: Network) -> Network:
    """The network, of arrays in the place of images: pixels would be few of the numbers."""
    signature = Signature(Arrays(network.signature.shape), network.signature.outputs)
    return replace(network, signature=signature)


LAYERS = [of_reals(integers(case, np.random.default_rng(s))) for case in CODED for s in SEEDS]
# What has no form in codes stands in front of them or behind, and is not in the C file.
NOT_IN_CODES = {"softmax", "standardize"}


def test_every_kind_is_compiled_or_said_to_be_left_out() -> None:
    assert {case.layer.kind for case in CODED} | NOT_IN_CODES == KINDS.keys()


INTEGERS = [f"-DN{i}_INTEGERS=1" for i in range(len(LAYERS))]
TARGETS = {
    "small": ("small", []),
    "small, integers": ("small", INTEGERS),
    "x86, any machine's": ("x86", []),
    "x86, AVX2": ("x86", ["-mavx2"]),
    "x86, this machine's": ("x86", ["-march=native"]),
}


@pytest.fixture(scope="module", params=TARGETS.values(), ids=TARGETS)
def layers(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Compiled:
    target, flags = request.param
    return compiled(LAYERS, tmp_path_factory.mktemp("c"), "-O1", *flags, target=target)


def test_every_kind_of_layer_gives_the_same_codes(layers: Compiled) -> None:
    for i, network in enumerate(LAYERS):
        x = rows(network.signature.shape, 20, np.random.default_rng(i))
        case = f"{CODED[i // len(SEEDS)]}, seed {i % len(SEEDS)}"
        assert np.array_equal(layers.codes(i, x), codes_of(network, x)), case


@pytest.mark.parametrize(("bits", "target"), [(2, "small"), (3, "x86"), (5, "small"), (8, "x86")])
def test_networks_of_any_layers_give_the_same_codes(bits: int, target: str, tmp_path: Path) -> None:
    networks = [anything(seed, bits, seed % 2 == 0) for seed in range(20)]
    together = compiled(networks, tmp_path, "-O1", "-march=native", target=target)
    for i, network in enumerate(networks):
        x = any_rows(network, 20, i)
        assert np.array_equal(together.codes(i, x), codes_of(network, x)), i


# Channels, sides, stride and padding: more rows than are multiplied at once, channels that fill no
# register, and weights that do not fit int8.
DEPTHWISE = [
    (33, (5, 2), (1, 1), (2, 0, 1, 1), True),
    (64, (3, 3), (2, 2), (1, 1, 1, 1), True),
    (70, (4, 1), (1, 3), (0, 0, 0, 0), False),
    (8, (1, 4), (2, 1), (0, 3, 0, 2), False),
]


def depthwise(
    channels: int,
    sides: tuple[int, int],
    stride: tuple[int, int],
    padding: tuple[int, int, int, int],
    per_channel: bool,
) -> Network:
    rng = np.random.default_rng(channels)
    start, between, end = (activation(rng) for _ in range(3))
    first = weighted(rng, (channels, 2, 1, 1), start, 8, per_channel)
    each = weighted(rng, (channels, 1, *sides), between, 8, per_channel)
    last = weighted(rng, (3, channels, 3, 3), end, 8, per_channel)
    layers = (
        Quantize(start),
        Conv2d(*first, output=between),
        Conv2d(*each, padding, stride, channels, output=end),
        # Of an odd number of channels it has a border, which nothing that is stored may be left in.
        *([Conv2d(*last, (1, 1, 1, 1), output=activation(rng))] if channels % 2 else []),
    )
    return Network(layers, Signature(Images((2, 7, 11), 255), Classes(("a", "b"))))


@pytest.mark.parametrize("option", ["-mavx2", "-march=native"])
def test_channels_share_registers_as_they_fit(option: str, tmp_path: Path) -> None:
    networks = [depthwise(*case) for case in DEPTHWISE]
    together = compiled(networks, tmp_path, "-O1", option, target="x86")
    for i, network in enumerate(networks):
        x = any_rows(network, 10, i)
        assert np.array_equal(together.codes(i, x), codes_of(network, x)), DEPTHWISE[i]


@pytest.mark.parametrize("compiler", ["gcc", "clang"])
def test_machines_with_vnni_but_short_registers_are_compiled_for(
    compiler: str, tmp_path: Path
) -> None:
    networks = [depthwise(*DEPTHWISE[0])]
    compiled(networks, tmp_path, "-O1", "-mavx2", "-mavxvnni", compiler=compiler, target="x86")


@pytest.mark.parametrize("target", ["small", "x86"])
def test_zero_points_may_differ_in_one_layer_alone(target: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    start, between, end = (activation(rng) for _ in range(3))
    weight, bias = weighted(rng, (4, 2, 3, 3), start, 8, True)
    zeros = rng.integers(0, 256, (4, 1, 1, 1)).astype(np.uint8)
    first = Conv2d(Quantized(weight.codes, replace(weight.grid, zero_point=zeros)), bias)
    second = Conv2d(*weighted(rng, (3, 4, 3, 3), between, 8, True), output=end)
    layers = (Quantize(start), replace(first, output=between), second)
    network = Network(layers, Signature(Images((2, 8, 8), 255), Classes(("a", "b", "c"))))
    x = any_rows(network, 20)
    together = compiled([network], tmp_path, "-O1", target=target)
    assert np.array_equal(together.codes(0, x), codes_of(network, x))


def test_a_table_in_float_gives_the_same_bits(tmp_path: Path) -> None:
    texts = []
    for i, (granularity, bits) in enumerate(product(GRANULARITIES, (2, 8, 16))):
        scaler, first, second = weights_only(granularity, bits, (8, 5, 2)).layers
        layers = (scaler, first, (Relu(), Clip(-0.5, 1.25))[i % 2], second)
        network = replace(weights_only(granularity, bits, (8, 5, 2)), layers=layers)
        x = 100 * np.random.default_rng(i).normal(size=(50, 8))
        text = export(network, Options(f"n{i}"), Selftest(x, floating.run(network, x))).c
        # As where int has 16 bits: differences of what is unsigned and as wide as int wrap.
        texts.append(text.replace("uint16_t", "uint32_t") if i % 2 else text)
    run_selftests(texts, tmp_path, "-O3", "-march=native", "-ffp-contract=fast")


ADDED = next(n for n in LAYERS if any(isinstance(layer, Add) for layer in n.layers))
DIVIDING = {
    "reals": (of_reals(images(0)), "codes by division", "Numbers become codes in IEEE float64"),
    "sums": (ADDED, "Images are added by division", "Numbers become codes in IEEE float64"),
    "float": (weights_only("unified", 4, (3, 1)), "adds and divides in order", "IEEE float64"),
    "pixels": (images(0), None, None),
}


@pytest.mark.parametrize(("network", "fast", "short"), DIVIDING.values(), ids=DIVIDING)
def test_no_compiler_may_divide_otherwise(
    network: Network, fast: str | None, short: str | None, tmp_path: Path
) -> None:
    needs("gcc")
    source = tmp_path / "n.c"
    text = export(network, Options("n")).c
    avr = text.replace("DBL_MANT_DIG", "FLT_MANT_DIG")
    for content, flag, message in ((text, "-ffast-math", fast), (avr, "-O1", short)):
        source.write_text(content)
        command = ["gcc", "-std=c99", "-fsyntax-only", flag, str(source)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == (message is not None)
        assert (message or "") in done.stderr


@pytest.mark.parametrize("m", [1e-30, 2.0**-40, 3e-7, 1 / 3, 1.0, 511.0, 1e6, 3e38])
def test_a_factor_in_integers_gives_the_codes_of_formula_3(m: float) -> None:
    factors = np.array([m], np.float32)
    leaving = Leaving(100, 3, 250)
    assert proof.differing_channel(factors, leaving) is None
    rng = np.random.default_rng(0)
    near = proof.thresholds(factors, leaving).reshape(-1, 1) + np.arange(-2, 3)
    sums = np.concatenate([rng.integers(-(2**31), 2**31, 10_000), near.reshape(-1)])
    sums = sums[(sums >= -(2**31)) & (sums < 2**31)]
    scaled = proof.scaled_in_integers(sums, proof.factor(factors))
    codes = np.clip(scaled + leaving.zero_point, leaving.low, leaving.high)
    expected = requantize(sums.astype(np.int32), factors, unit(leaving.zero_point))
    assert np.array_equal(codes, np.clip(expected, leaving.low, leaving.high))


def test_a_proof_can_fail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof, "_EXPONENT", 149)
    with pytest.raises(OctetError, match="layer 0_linear: no proof that output 0 is the same"):
        export(one_output(np.array([1, 2]), unit(3), unit(1)), Options())


NUMBER = Numbers("y", "")
ROW = Signature(Columns(("a", "b")), NUMBER)
LAYER = Linear(np.ones((2, 2), np.float32), np.zeros(2, np.float32))
CONV = Conv2d(np.ones((1, 1, 1, 1), np.float32), np.zeros(1, np.float32))
GRID = asymmetric(-1, 1, 8)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (Network((LAYER, Softmax()), ROW), "layer 1_softmax: a softmax in float has no form in C"),
        (Network((Tanh(),), ROW), "a tanh in float"),
        (Network((CONV,), Signature(Images((1, 2, 2), 255), NUMBER)), "0_conv2d: a conv2d in"),
        (Network((Relu(),), Signature(Arrays((1, 2, 2)), NUMBER)), "images in float"),
        (Network((Relu(name="a"), LAYER, Relu(inputs=("a",))), ROW), "branches in float"),
        (Network((Relu(), Quantize(GRID)), ROW), "0_relu: in front of quantize C takes one"),
        (Network((Quantize(GRID), Dequantize(), LAYER), ROW), "0_linear: a linear in float behind"),
        (
            Network((Quantize(GRID, name="q"), Relu(), Dequantize(inputs=("q",))), ROW),
            "1_dequantize: behind dequantize C takes what the layer before gives",
        ),
        (
            Network((Quantize(GRID, name="q"), Add(inputs=("input", "q"), output=GRID)), ROW),
            "0_add: it takes what is in front of quantize",
        ),
        (
            one_output(np.full(40_000, 255), unit(128), unit(0)),
            "0_linear: sums up to 2611200000 on the way do not fit int32",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_has_no_form_in_c_is_refused_by_name(network: Network, message: str) -> None:
    with pytest.raises(OctetError, match=message) as caught:
        export(network, Options())
    assert len(str(caught.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["", "int", "memcpy", "a-b", "1a", "_a", "a b", "é", "a" * 41])
def test_a_name_that_c_does_not_take_is_refused(name: str) -> None:
    with pytest.raises(OctetError, match="--name: got"):
        export(table(0), Options(name))


def test_no_word_of_a_model_breaks_out_of_a_comment_or_a_string(tmp_path: Path) -> None:
    words = ("*/ int x; /*", '";int y;"', "\\", "??/", "%s\n", "a\n*/", "µ\u2028", "\0", "//\\")
    hostile = tuple(f"{word}{i}" for i, word in enumerate(words))
    features = Signature(Columns(hostile[:5]), Numbers("*/ #error", ""))
    classes = Signature(images(0).signature.inputs, Classes(hostile[:3], "*/ #error"))
    texts = []
    for i, network in enumerate(
        (replace(table(0), signature=features), replace(images(0), signature=classes))
    ):
        origin = ["*/ #error", "/* ??/", "\\", "*\\\n/ #error"]
        x = any_rows(network, 2)
        test = Selftest(x.reshape(2, -1), codes_of(network, x))
        texts.append(export(network, Options(f"n{i}", origin=origin), test).c)
    run_selftests(texts, tmp_path, "-trigraphs", "-DN0_LABELS", "-DN1_LABELS")


def wide(outputs: int, width: int) -> Network:
    """Two convolutions with more outputs than are computed at once."""
    rng = np.random.default_rng(outputs)
    start, between, last = (activation(rng) for _ in range(3))
    first = weighted(rng, (outputs, 3, 3, 3), start, 8, per_channel=True)
    second = weighted(rng, (outputs, outputs, 2, 3), between, 8, per_channel=True)
    layers = (
        Quantize(start),
        Conv2d(*first, padding=1, output=between),
        Conv2d(*second, stride=(1, 2), output=last),
    )
    return Network(layers, Signature(Images((3, 6, width), 255), NUMBER))


def pooled(outputs: int, width: int) -> Network:
    """Two convolutions whose largest sums are wanted; weights of the second fill no byte."""
    quantize, first, second = wide(outputs, width + 4).layers
    assert isinstance(second, Conv2d)
    assert isinstance(second.weight, Quantized)
    grid = second.weight.grid
    far = replace(second.weight, grid=replace(grid, zero_point=grid.zero_point // 16))
    # Between windows that are apart there are rows that none of them sees.
    pool = MaxPool(2, stride=3 if width > 3 else 2)
    layers = (quantize, first, pool, replace(second, weight=far, padding=1), MaxPool(2))
    return replace(wide(outputs, width + 4), layers=layers)


@pytest.mark.parametrize(
    ("target", "machine"),
    [("small", "native"), ("x86", "native"), ("x86", "haswell"), ("x86", "x86-64")],
)
def test_layers_with_many_outputs_give_the_same_codes(
    target: str, machine: str, tmp_path: Path
) -> None:
    shapes = [(outputs, width) for outputs in (7, 9, 16, 17) for width in (3, 19)]
    networks = [make(*shape) for make in (wide, pooled) for shape in shapes]
    together = compiled(networks, tmp_path, "-O1", f"-march={machine}", target=target)
    for i, network in enumerate(networks):
        x = any_rows(network, 5, i)
        assert np.array_equal(together.codes(i, x), codes_of(network, x)), i


def test_a_layer_whose_output_another_takes_is_not_clipped_in_place(tmp_path: Path) -> None:
    quantize, linear = one_output(np.array([200, 30]), unit(100), unit(128, 50.0)).layers
    network = Network(
        (
            quantize,
            replace(linear, name="sum"),
            Relu(name="clipped"),
            Add(inputs=("sum", "clipped"), output=unit(100, 70.0)),
        ),
        ROW,
    )
    x = np.random.default_rng(0).integers(-100, 156, (200, 2)).astype(np.float64)
    assert np.array_equal(compiled([network], tmp_path).codes(0, x), codes_of(network, x))
