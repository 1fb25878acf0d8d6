"""python -m tests.bench_c: networks in C against ONNX Runtime, and on a Cortex-M4F, in one run.

Images per second of one thread's CPU time, from pixels to codes; everything in turn, medians. What
C computes is compared with Octet's runtime first.
"""

import ctypes
import math
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from octet.exporters.c import Options, export
from octet.exporters.c.lowering import lower
from octet.exporters.c.plan import Sums
from octet.network import Network
from octet.signature import Input
from stages import paths
from stages.dataset import load_dataset
from tests.bench_images import by_onnxruntime, load
from tests.octet.exporters.compiled import codes_of, selftest
from tests.octet.exporters.test_c_devices import BOARDS, on_board
from tests.octet.exporters.test_c_networks import imported, in_codes

REPEATS, SECONDS = 7, 0.2
BATCHES = (1, 32, 1000)
MACHINES = {"VNNI": ("-march=native",), "AVX2": ("-mavx2",), "portable": ()}
WIDTHS = (8, 4, 2)
M4F = BOARDS["cortex-m4f"]
LOOP = """
void all_of_them(net_state *state, const NUMBER *rows, uint8_t *codes, int count);
void all_of_them(net_state *state, const NUMBER *rows, uint8_t *codes, int count)
{
    int i;
    for (i = 0; i < count; i++)
        net(state, rows + i * NET_CHANNELS * NET_HEIGHT * NET_WIDTH, codes + i * NET_OUTPUTS);
}
"""
# Products of registers alone, as many chains of sums as hide how long one takes.
PEAK = """
#include <immintrin.h>
#include <stdint.h>
int32_t peak(int64_t rounds);
int32_t peak(int64_t rounds)
{
    __m256i a = _mm256_setzero_si256(), b = a, c = a, d = a, e = a;
    __m256i f = a, g = a, h = a, i = a, j = a;
    __m256i x = _mm256_set1_epi32((int)rounds);
    for (; rounds > 0; rounds--) {
#define ONE(sum) ADD; __asm__ volatile("" : "+x"(sum), "+x"(x))
        ONE(a); ONE(b); ONE(c); ONE(d); ONE(e); ONE(f); ONE(g); ONE(h); ONE(i); ONE(j);
    }
    a = a + b + c + d + e + f + g + h + i + j;
    return _mm256_extract_epi32(a, 0);
}
"""
PEAKS = {
    "VNNI": ("sum = _mm256_dpbusd_epi32(sum, x, x)", 32),
    "AVX2": ("sum = _mm256_add_epi32(sum, _mm256_madd_epi16(x, x))", 16),
}

Run = Callable[[], object]


def main() -> None:
    """Print a table for each network, and one of a microcontroller."""
    folder = Path(tempfile.mkdtemp(prefix="octet-bench-c-"))
    peaks = {machine: peak(machine, folder) for machine in PEAKS}
    for machine, products in peaks.items():
        print(f"{machine}: {products / 1e9:,.1f} billion products a second, in registers alone")
    for name, (reference, quantized, rows) in networks().items():
        print(f"\n{name}: rows per second, medians of {REPEATS}\n")
        runs = theirs(reference, quantized, rows) | ours(quantized, rows, folder)
        print_speeds(in_turn(runs), products_of(quantized), peaks)
        on_a_device(name, reference, quantized, rows, folder)


def networks() -> dict[str, tuple[Network, Network, Input]]:
    """In float and in 8 bits, and rows."""
    named = {}
    for name in ("mnist-7k", "mnist-25k"):
        pair = load(paths.float_path(name)), load(paths.quantized_path(name))
        named[name] = (*pair, load_dataset(name).x_test[: max(BATCHES)].copy())
    reference, rows = imported("kws-dscnn")
    named["kws"] = (reference, in_codes(reference, rows, 8), rows[: max(BATCHES)])
    return named


def theirs(reference: Network, quantized: Network, rows: Input) -> dict[str, tuple[Run, int]]:
    """ONNX Runtime's, and how many rows a call does."""
    runs: dict[str, tuple[Run, int]] = {}
    for kind, network in (("float", reference), ("uint8", quantized)):
        run = by_onnxruntime(network)
        for batch in BATCHES:
            part = rows[:batch]
            runs[f"ONNX Runtime {kind}, batch {batch}"] = (lambda r=run, x=part: r(x), batch)
    return runs


def ours(network: Network, rows: Input, folder: Path) -> dict[str, tuple[Run, int]]:
    """The C file of PCs, by both compilers, for each machine."""
    expected, rows = codes_of(network, rows), np.ascontiguousarray(rows)
    runs: dict[str, tuple[Run, int]] = {}
    for machine, flags in MACHINES.items():
        for compiler in filter(shutil.which, ("gcc", "clang")):
            codes = np.zeros(expected.shape, np.uint8)
            run = in_c(network, rows, codes, folder / f"{machine}-{compiler}.c", compiler, *flags)
            run()
            assert np.array_equal(codes, expected), (machine, compiler)
            runs[f"C, {machine}, {compiler}"] = (run, len(rows))
    return runs


def in_c(
    network: Network, rows: Input, codes: np.ndarray, source: Path, compiler: str, *flags: str
) -> Run:
    """What fills the codes."""
    number = "double" if rows.dtype == np.float64 else "uint8_t"
    source.write_text(export(network, Options("net", "x86")).c + LOOP.replace("NUMBER", number))
    function = shared(source, compiler, *flags).all_of_them
    state = ctypes.create_string_buffer(2**20)
    return lambda: function(
        state, ctypes.c_void_p(rows.ctypes.data), ctypes.c_void_p(codes.ctypes.data), len(rows)
    )


def shared(source: Path, compiler: str, *flags: str) -> ctypes.CDLL:
    """Compiled, in a file that no other has."""
    with tempfile.NamedTemporaryFile(dir=source.parent, suffix=".so", delete=False) as library:
        command = [compiler, "-std=gnu99", "-O3", *flags, "-shared", "-fPIC", str(source)]
        subprocess.run([*command, "-o", library.name], check=True)
        return ctypes.CDLL(library.name)


def in_turn(runs: dict[str, tuple[Run, int]]) -> dict[str, float]:
    """Rows per second of CPU."""
    speeds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(REPEATS):
        for name, (run, count) in runs.items():
            done, start = 0, time.process_time()
            while time.process_time() - start < SECONDS:
                run()
                done += count
            speeds[name].append(done / (time.process_time() - start))
    return {name: statistics.median(each) for name, each in speeds.items()}


def print_speeds(speeds: dict[str, float], products: int, peaks: dict[str, float]) -> None:
    best = max(speed for name, speed in speeds.items() if name.startswith("ONNX"))
    print("| | rows per second | of ONNX Runtime's best | of the peak |\n|---|---|---|---|")
    for name, speed in speeds.items():
        peak_of = next((p for machine, p in peaks.items() if f"C, {machine}" in name), math.inf)
        share = speed * products / peak_of
        of_peak = f"{share:.0%}" if share else ""
        print(f"| {name} | {speed:,.0f} | {speed / best:.2f} | {of_peak} |")


def peak(machine: str, folder: Path) -> float:
    """Products a second."""
    instruction, products = PEAKS[machine]
    source = folder / f"peak-{machine}.c"
    source.write_text(PEAK.replace("ADD;", f"{instruction};"))
    function = shared(source, "gcc", *MACHINES[machine]).peak
    rounds = 10_000_000
    call = (lambda: function(ctypes.c_int64(rounds)), 10 * products * rounds)
    return in_turn({machine: call})[machine]


def products_of(network: Network) -> int:
    """How many products an image takes."""
    steps = [step for step in lower(network).steps if isinstance(step, Sums)]
    return sum(step.length * math.prod(step.image) for step in steps)


def on_a_device(
    name: str, reference: Network, quantized: Network, rows: Input, folder: Path
) -> None:
    """Print what a Cortex-M4F takes, at some widths."""
    print(f"\n{name} on a Cortex-M4F, -O2\n")
    print("| bits | flash | RAM | instructions |\n|---|---|---|---|")
    for bits, network in in_widths(reference, quantized, rows):
        source = export(network, Options("net"))
        printed = on_board(
            export(network, Options("net"), selftest(network, rows[:2])).c, M4F, folder
        )
        assert "wrong 0" in printed
        instructions = printed.split("instructions ")[1].split()[0]
        size = flash(source.c, folder)
        print(f"| {bits} | {size:,} | {source.state_bytes:,} | {int(instructions):,} |")


def in_widths(reference: Network, quantized: Network, rows: Input) -> Iterator[tuple[int, Network]]:
    for bits in WIDTHS:
        yield bits, quantized if bits == 8 else in_codes(reference, rows, bits)


def flash(text: str, folder: Path) -> int:
    """Bytes of code and of constants of the object file."""
    source, file = folder / "size.c", folder / "size.o"
    source.write_text(text)
    command = ["arm-none-eabi-gcc", "-std=c99", "-O2", "-mthumb", *M4F.flags, "-c", str(source)]
    subprocess.run([*command, "-o", str(file)], check=True)
    done = subprocess.run(
        ["arm-none-eabi-size", str(file)], check=True, capture_output=True, text=True
    )
    return sum(map(int, done.stdout.splitlines()[1].split()[:2]))


if __name__ == "__main__":
    main()
