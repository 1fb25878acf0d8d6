"""Where the files lie in which the stages meet."""

from pathlib import Path

PLOTS = Path("plots")
METRICS = Path("metrics")
# The widths for which quantize writes each layer as if it were the only one quantized.
APART_BITS = (8, 4)


def data_path(system: str) -> Path:
    """What load writes."""
    return Path("data", f"{system}.safetensors")


def float_path(system: str) -> Path:
    """What train writes."""
    return Path("models", system, "float.safetensors")


def quantized_path(system: str) -> Path:
    """What quantize writes."""
    return Path("models", system, "quantized.safetensors")


def apart_path(system: str, bits: int) -> Path:
    """Where quantize writes the network with each layer quantized as if it were the only one."""
    return Path("models", system, "apart", f"{bits}.safetensors")


def metrics_path(system: str) -> Path:
    """What evaluate writes for `dvc metrics`: what is known of a whole system."""
    return METRICS / f"{system}.json"


def plot_path(system: str, file: str) -> Path:
    """A file of what there is to draw; a stage has fixed ones, the same for all systems.

    (Not folders: where a picture of dvc.yaml's is in one that is not in the cache, as in a fresh
    clone, `dvc exp run` fails.)
    """
    return PLOTS / system / file


def layers_path(system: str) -> Path:
    """What evaluate writes of single layers."""
    return plot_path(system, "layers.json")
