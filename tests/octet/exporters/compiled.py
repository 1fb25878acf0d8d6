"""C files of networks, compiled together into one library and called from Python."""

import ctypes
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import pytest

from octet.exporters.c import Options, Selftest, export
from octet.layers import Dequantize
from octet.network import Network, flow
from octet.parameters import Quantized
from octet.signature import Input

STRICT = ("-std=c99", "-Wall", "-Wextra", "-Wconversion", "-pedantic", "-Werror")
_NUMBERS = count()


def needs(*programs: str) -> None:
    """Skip the test where one is not there."""
    missing = [program for program in programs if shutil.which(program) is None]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}")


@dataclass(frozen=True)
class Compiled:
    """Functions of one library, one for each network."""

    functions: ctypes.CDLL
    networks: Sequence[Network]

    def codes(self, i: int, x: Input) -> np.ndarray:
        """What network i gives for rows, ``(rows, outputs)``."""
        outputs = codes_of(self.networks[i], x[:1]).shape[1]
        state = ctypes.create_string_buffer(2**20)
        rows = np.ascontiguousarray(x)
        codes = np.zeros((len(x), outputs), np.uint8)
        function = self.functions[f"n{i}"]
        for row, out in zip(rows, codes, strict=True):
            function(state, ctypes.c_void_p(row.ctypes.data), ctypes.c_void_p(out.ctypes.data))
        return codes


def compiled(
    networks: Sequence[Network],
    folder: Path,
    *options: str,
    compiler: str = "gcc",
    target: str = "small",
) -> Compiled:
    """All of them in one library.

    Args:
        networks: to export.
        folder: for files.
        options: of the compiler, beside `STRICT`.
        compiler: which.
        target: of the exporter.
    """
    needs(compiler)
    texts = [export(n, Options(f"n{i}", target)).c for i, n in enumerate(networks)]
    source, library = (folder / f"networks{next(_NUMBERS)}{end}" for end in (".c", ".so"))
    source.write_text("\n".join(texts))
    command = [compiler, *STRICT, "-shared", "-fPIC", *options, str(source), "-o", str(library)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return Compiled(ctypes.CDLL(str(library)), networks)


def codes_of(network: Network, x: Input) -> np.ndarray:
    """The codes of Octet's runtime in front of what is in float again, ``(rows, outputs)``."""
    layers = list(network.layers)
    end = next((i for i, layer in enumerate(layers) if isinstance(layer, Dequantize)), len(layers))
    parts = [x[i : i + 256] for i in range(0, len(x), 256)]
    codes = []
    for part in parts:
        *_, (_, value) = flow(layers[:end], part.astype(np.float64), lambda f, *x: f.forward(*x))
        assert isinstance(value, Quantized)
        codes.append(value.codes.reshape(len(part), -1))
    return np.concatenate(codes)


def selftest(network: Network, x: Input) -> Selftest:
    """Rows and their codes."""
    return Selftest(x.reshape(len(x), -1), codes_of(network, x))


def run_selftests(texts: Sequence[str], folder: Path, *options: str, compiler: str = "gcc") -> None:
    """Compile files of networks ``n0``, ``n1`` … into one program, and fail if one says no."""
    needs(compiler)
    names = [f"n{i}" for i in range(len(texts))]
    calls = " + ".join(f"{name}_wrong()" for name in names)
    file, program = folder / "all.c", folder / "all"
    file.write_text("\n".join([*texts, f"int main(void) {{ return {calls}; }}"]))
    flags = [f"-D{name.upper()}_SELFTEST=0" for name in names]
    command = [compiler, *STRICT, *options, *flags, str(file), "-o", str(program)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    done = subprocess.run([program], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
