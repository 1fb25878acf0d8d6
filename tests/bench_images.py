"""python -m tests.bench_images: images per second, memory and bytes of every runtime, in one run.

One core, from pixels to outputs; each runtime in a process of its own, after one warm-up. Seconds
are those of the processor, so that what else runs on a machine counts less.
"""

import ctypes
import importlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from octet.cli.command import keep_memory
from octet.layers import Conv2d, Flatten, GlobalAveragePool, Linear, MaxPool, Relu, Standardize
from octet.modelfile import storage
from octet.network import Network, signals
from octet.parameters import values
from octet.runtime import floating, inference, integer
from stages import paths
from stages.dataset import load_dataset
from stages.params.file import load_params

BATCHES = (1, 32, 64, 1000)
REPEATS = 9
SECONDS = 0.2  # that one repeat takes at least
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

Run = Callable[[np.ndarray], np.ndarray]


def octet_float(reference: Network, _: Network) -> Run:
    keep_memory()  # as the command does
    return lambda x: floating.run(reference, x)


def octet_uint8(_: Network, quantized: Network) -> Run:
    keep_memory()
    return lambda x: integer.run(quantized, x)


def torch_float(reference: Network, _: Network) -> Run:
    import torch
    from torch.nn import functional

    torch.set_num_threads(1)

    def tensors(layer: Linear | Conv2d) -> list[torch.Tensor]:
        return [torch.tensor(values(p), dtype=torch.float32) for p in (layer.weight, layer.bias)]

    weights = [tensors(x) if isinstance(x, Linear | Conv2d) else [] for x in reference.layers]

    @torch.inference_mode()
    def run(images: np.ndarray) -> np.ndarray:
        x = torch.from_numpy(images).float()
        for layer, arrays in zip(reference.layers, weights, strict=True):
            match layer:
                case Standardize():
                    x = (x - float(layer.mean[0])) / float(layer.std[0])
                case Conv2d():
                    x = functional.conv2d(x, *arrays, padding=layer.padding[:2])
                case Linear():
                    x = functional.linear(x, *arrays)
                case Relu():
                    x = functional.relu(x)
                case MaxPool():
                    x = functional.max_pool2d(x, layer.side)
                case GlobalAveragePool():
                    x = x.mean((2, 3))
                case Flatten():
                    x = x.flatten(1)
        return x.numpy()

    return run


def onnxruntime_float(reference: Network, _: Network) -> Run:
    return by_onnxruntime(reference)


def onnxruntime_uint8(_: Network, quantized: Network) -> Run:
    return by_onnxruntime(quantized)


def by_onnxruntime(network: Network) -> Run:
    import onnxruntime

    from octet.exporters import onnx as export

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        export.to_onnx(network).SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda x: session.run(None, {export.INPUT: x.astype(np.float64)})[0]


def by_c(target: str, *flags: str) -> Callable[[Network, Network], Run]:
    """The C file of the integer network, by the compiler that CC names, or gcc."""

    def make(_: Network, quantized: Network) -> Run:
        from octet.exporters.c import Options, export

        folder = Path(tempfile.mkdtemp(prefix="octet-bench-"))
        source, library = folder / "net.c", folder / "net.so"
        source.write_text(export(quantized, Options("net", target)).c + LOOP)
        command = [os.environ.get("CC", "gcc"), "-std=c99", "-O3", *flags, "-shared", "-fPIC"]
        subprocess.run([*command, str(source), "-o", str(library)], check=True)
        function = ctypes.CDLL(str(library)).all_of_them
        state, outputs = ctypes.create_string_buffer(2**20), signals(quantized)[-1].shape[0]

        def run(x: np.ndarray) -> np.ndarray:
            codes = np.empty((len(x), outputs), np.uint8)
            pointers = (ctypes.c_void_p(array.ctypes.data) for array in (x, codes))
            function(state, *pointers, len(x))
            return codes

        return run

    return make


LOOP = """
void all_of_them(net_state *state, const uint8_t *images, uint8_t *codes, int count);
void all_of_them(net_state *state, const uint8_t *images, uint8_t *codes, int count)
{
    const int size = NET_CHANNELS * NET_HEIGHT * NET_WIDTH;
    int i;
    for (i = 0; i < count; i++)
        net(state, images + i * size, codes + i * NET_OUTPUTS);
}
"""
RUNTIMES = {
    "octet float": octet_float,
    "octet uint8": octet_uint8,
    "torch float": torch_float,
    "ONNX Runtime float": onnxruntime_float,
    "ONNX Runtime uint8": onnxruntime_uint8,
    "C for PCs, this machine's": by_c("x86", "-march=native"),
    "C for PCs, AVX2": by_c("x86", "-mavx2"),
    "C for PCs, any machine's": by_c("x86"),
    "C for devices, this machine's": by_c("small", "-march=native"),
}


def main() -> None:
    """Print a table for each MNIST system, and what pinned kernels cost in training."""
    for name, system in load_params().systems.items():
        if system.data == "mnist":
            print(f"\n{name}: images per second of one core, median (least … most) of {REPEATS}\n")
            print("| runtime |" + "".join(f" batch {b} |" for b in BATCHES) + " peak MB | file |")
            print("|---|" + "---|" * (len(BATCHES) + 2))
            for runtime in RUNTIMES:
                print(f"| {runtime} | {' | '.join(in_a_process(runtime, name))} |", flush=True)
            seconds, megabytes = json.loads(child("whole", name, {}))
            print(f"\n10,000 test images in uint8, two cores: {seconds:.1f} s, {megabytes:.0f} MB")
    default, pinned = (float(child("train", how, {})) for how in ("default", "pinned"))
    print(f"\ntraining, 200 steps of mnist-7k: default kernels {default:.1f} s, ", end="")
    print(f"the same on every CPU {pinned:.1f} s: {pinned / default:.2f} times as long")


def in_a_process(runtime: str, name: str) -> list[str]:
    speeds, megabytes = json.loads(child(runtime, name, ONE_THREAD))
    float_file = runtime.endswith("float")
    path = paths.float_path(name) if float_file else paths.quantized_path(name)
    cells = [f"{statistics.median(s):,.0f} ({min(s):,.0f} … {max(s):,.0f})" for s in speeds]
    return [*cells, f"{megabytes:.0f}", f"{path.stat().st_size:,}"]


def child(what: str, name: str, environment: dict[str, str]) -> str:
    return subprocess.run(
        [sys.executable, "-m", "tests.bench_images", what, name],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout


def measure(runtime: str, name: str) -> tuple[list[list[float]], float]:
    """Images per second for each batch size and repeat, and the peak memory of this process."""
    networks = load(paths.float_path(name)), load(paths.quantized_path(name))
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    run = RUNTIMES[runtime](*networks)
    images = load_dataset(name).x_test[: max(BATCHES)].copy()
    speeds = []
    for batch in BATCHES:
        x = images[:batch]
        run(x)
        speeds.append([speed(run, x) for _ in range(REPEATS)])
    return speeds, peak_megabytes()


def speed(run: Run, x: np.ndarray) -> float:
    done, start = 0, time.process_time()
    while time.process_time() - start < SECONDS:
        run(x)
        done += len(x)
    return done / (time.process_time() - start)


def whole(name: str) -> tuple[float, float]:
    """Seconds and peak memory of the integer runtime on all test images."""
    network, images = load(paths.quantized_path(name)), load_dataset(name).x_test
    start = time.perf_counter()
    inference.run(network, images)
    return time.perf_counter() - start, peak_megabytes()


def train(how: str) -> float:
    """Seconds for 200 steps, with torch's own kernels or the pinned ones."""
    # What stages.train sets, torch finds only if it is imported after that.
    importlib.import_module("torch" if how == "default" else "stages.train")
    import torch

    from stages.train import kernels, network

    checked = load_params()
    recipe = checked.train_of("mnist-7k")
    data = load_dataset("mnist-7k")
    count = 200 * recipe.batch
    data = replace(data, x_train=data.x_train[:count], y_train=data.y_train[:count])
    torch.set_num_threads(1)
    if how == "default":
        kernels.pin = lambda: None
    start = time.perf_counter()
    network.fit(data, checked.systems["mnist-7k"].model, recipe, "mnist-7k")
    return time.perf_counter() - start


def load(path: Path) -> Network:
    return storage.load_network(path)


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    match sys.argv[1:]:
        case []:
            main()
        case ["train", how]:
            print(train(how))
        case ["whole", name]:
            print(json.dumps(whole(name)))
        case [runtime, name]:
            print(json.dumps(measure(runtime, name)))
