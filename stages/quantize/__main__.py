"""python -m stages.quantize SYSTEM: a float network in codes, as quantized.safetensors."""

from pathlib import Path

from octet import storage
from stages import command, tracked
from stages.params import FLOAT_BITS, Params
from stages.quantize.network import quantize_network


def quantize(name: str, params: Params) -> dict[Path, bytes]:
    """The quantized model of a system; the float one where bits is 32."""
    network = storage.load_network(tracked.float_path(name))
    quant = params.quant_of(name)
    if quant.bits != FLOAT_BITS:
        network = quantize_network(network, tracked.load_dataset(name).x_train, quant)
    return {tracked.quantized_path(name): storage.dump_network(network)}


if __name__ == "__main__":
    command.run(quantize, "Quantize the network of a system.")
