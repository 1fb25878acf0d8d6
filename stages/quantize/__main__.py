"""python -m stages.quantize SYSTEM: a float network in codes, as quantized.safetensors."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from octet import quantizer
from octet.layers import Weighted
from octet.modelfile import storage
from octet.monitor.reference import take_reference
from octet.network import Network
from stages import paths
from stages import stage as command
from stages.dataset import load_dataset
from stages.params.quant import FLOAT_BITS, Quant

if TYPE_CHECKING:
    from stages.params.file import Params


def quantize(name: str, params: "Params") -> dict[Path, bytes]:
    """The quantized model of a system, the float one where bits is 32; and its layers apart."""
    network = storage.load_network(paths.float_path(name))
    quant, data = params.quant_of(name), load_dataset(name)
    rows, reference = data.x_train, None
    models, widths = {paths.quantized_path(name): network}, paths.APART_BITS
    passes = len(widths) + (quant.bits != FLOAT_BITS)
    layers = sum(isinstance(layer, Weighted) for layer in network.layers)
    with tqdm(total=passes * layers, desc=name, unit=" layers", disable=None) as bar:

        def show(label: str) -> None:
            bar.set_postfix_str(label)
            bar.update()

        if quant.bits != FLOAT_BITS:
            quantized = quantizer.quantize(network, rows, quant.config(), show)
            models[paths.quantized_path(name)] = _signed(quantized, quant)
            trained, held_out = (data.x_train, data.y_train), (data.x_test, data.y_test)
            reference = take_reference(quantized, trained, held_out, network)
        config = quant.config(max(widths))
        apart = quantizer.quantize_apart(network, rows, config, widths, show)
    models |= {paths.apart_path(name, bits): apart[bits] for bits in widths}
    counted = {paths.quantized_path(name): reference}
    return {path: storage.dump_network(each, counted.get(path)) for path, each in models.items()}


def _signed(network: Network, quant: Quant) -> Network:
    """The network with what it was quantized by among the parameters that had a say."""
    origin = network.provenance
    used = origin.get("params", {}) | {"quant": quant.model_dump(mode="json")}
    return replace(network, provenance={**origin, "params": used})


if __name__ == "__main__":
    command.run(quantize, "Quantize the network of a system.")
