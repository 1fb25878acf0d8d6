"""Whole networks in C: every row of their data gives the codes of Octet's runtime."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from octet.exporters.c import Options, export
from octet.importers import onnx as importer
from octet.modelfile.arrays import load_arrays
from octet.modelfile.storage import load_network
from octet.network import Network
from octet.quantizer import Calibration, Config, quantize
from octet.signature import Arrays, Classes, Images, Input, Signature
from tests.conftest import ROOT
from tests.octet.exporters.compiled import codes_of, compiled, run_selftests, selftest
from tests.octet.networks import anything, flattened
from tests.octet.networks import rows as any_rows

TINY = Path(os.environ.get("OCTET_DATA", ""), "mlperf-tiny")
OUTPUTS = {"kws-dscnn": 12, "cifar-resnet8": 10, "vww-mobilenet": 2}
ROWS = {"kws-dscnn": 1000, "cifar-resnet8": 60, "vww-mobilenet": 8}
WIDTHS = (8, 4, 3, 2)
SANITIZED = ("-g", "-fsanitize=address,undefined,float-cast-overflow", "-fno-sanitize-recover")
# What compilers may do: nothing, what is right, and more than that. In integers too.
INTEGERS = [f"-DN{i}_INTEGERS=1" for i in range(len(WIDTHS))]
NATIVE = ("-O3", "-march=native", "-ffp-contract=fast")
COMPILERS = [
    ("small", "gcc", "-O0"),
    ("small", "gcc", "-Os", *INTEGERS),
    ("small", "gcc", *NATIVE),
    ("small", "clang", "-O2"),
    ("small", "clang", *NATIVE),
    ("x86", "gcc", "-O0"),
    ("x86", "gcc", "-Os", "-mavx2"),
    ("x86", "gcc", *NATIVE),
    ("x86", "clang", "-O2"),
    ("x86", "clang", "-O3", "-mavx2"),
    ("x86", "clang", *NATIVE),
]


def imported(name: str) -> tuple[Network, Input]:
    """A network of MLPerf Tiny in float, and rows: its own, or random pixels."""
    file = TINY / f"{name}.onnx"
    if not file.exists():
        pytest.skip("needs the networks of MLPerf Tiny")
    layers, shape = importer.load(file)
    classes = Classes(tuple(map(str, range(OUTPUTS[name]))))
    if name == "kws-dscnn":
        x = np.load(TINY / "kws01.npz")["x"].astype(np.float64)
        return Network(layers, Signature(Arrays(shape), classes)), x
    channels, height, width = shape
    signature = Signature(Images((channels, height, width), 255), classes)
    pixels = np.random.default_rng(0).integers(0, 256, (ROWS[name], *shape)).astype(np.uint8)
    return Network(layers, signature), pixels


def in_codes(network: Network, x: Input, bits: int) -> Network:
    config = Config(
        bits=bits,
        scheme="symmetric",
        granularity="per_channel",
        range="minmax",
        rounding="nearest",
        activations="uint8",
        calibration=Calibration(rows=8, range="minmax"),
    )
    return quantize(network, x, config)


def assert_same_codes(networks: list[Network], x: Input, folder: Path) -> None:
    """Whatever compiles them, for this machine and for one with x87; and nothing undefined is done.

    All rows at 8 bits, a tenth at the other widths.
    """
    parts = [x if i == 0 else x[: max(8, len(x) // 10)] for i in range(len(networks))]
    expected = [codes_of(*each) for each in zip(networks, parts, strict=True)]
    for target, compiler, *options in COMPILERS:
        if shutil.which(compiler) is None:
            continue
        together = compiled(networks, folder, *options, compiler=compiler, target=target)
        for i, codes in enumerate(expected):
            assert np.array_equal(together.codes(i, parts[i]), codes), (
                target,
                compiler,
                options,
                i,
            )
    reals = isinstance(networks[0].signature.inputs, Arrays)
    for target in ("small", "x86"):
        texts = [
            export(network, Options(f"n{i}", target), selftest(network, x[:3])).c
            for i, network in enumerate(networks)
        ]
        run_selftests(texts, folder, "-O1", *SANITIZED, "-march=native")
        if shutil.which("i686-linux-gnu-gcc"):
            float64 = ("-msse2", "-mfpmath=sse") if reals else ()
            i686 = "i686-linux-gnu-gcc"
            run_selftests(texts, folder, "-O2", "-static", *float64, compiler=i686)


@pytest.mark.release
@pytest.mark.parametrize("name", OUTPUTS)
def test_a_network_of_mlperf_tiny_gives_the_same_codes(name: str, tmp_path: Path) -> None:
    network, x = imported(name)
    assert_same_codes([in_codes(network, x, bits) for bits in WIDTHS], x, tmp_path)


@pytest.mark.release
@pytest.mark.parametrize("system", ["digits", "mnist-7k", "mnist-25k"])
def test_a_system_gives_the_same_codes(system: str, tmp_path: Path) -> None:
    models = ROOT / "models" / system
    if not (models / "quantized.safetensors").exists():
        pytest.skip(f"needs {system}, reproduced")
    _, arrays = load_arrays(ROOT / "data" / f"{system}.safetensors")
    network, x = load_network(models / "float.safetensors"), arrays["x_train"]
    others = [in_codes(network, x, bits) for bits in WIDTHS[1:]]
    own = load_network(models / "quantized.safetensors")
    assert_same_codes([own, *others], arrays["x_test"], tmp_path)


@pytest.mark.parametrize(
    ("target", "options"),
    [("small", ()), ("small", ("INTEGERS=1",)), ("x86", ())],
    ids=["small", "integers", "x86"],
)
def test_nothing_is_out_of_bounds_or_undefined(
    target: str, options: tuple[str, ...], tmp_path: Path
) -> None:
    networks = [anything(seed, (2, 4, 7, 8)[seed % 4], seed % 2 == 0) for seed in range(12)]
    texts = []
    # The only kernel of the first is as large as its image.
    for i, network in enumerate([flattened(0), *networks]):
        check = selftest(network, any_rows(network, 3, i))
        texts.append(export(network, Options(f"n{i}", target), check).c)
    flags = [f"-DN{i}_{flag}" for flag in options for i in range(len(texts))]
    machine = ["-march=native"] if target == "x86" else []
    run_selftests(texts, tmp_path, *SANITIZED, *flags, *machine)
