"""``quant`` of params.yaml as the quantizer takes it."""

from octet.errors import OctetError
from octet.quantizer import Bias, Calibration, Config
from stages.params.quant import Quant
from stages.params.section import PATH


def config_of(quant: Quant, bits: int | None = None) -> Config:
    """The same choices, at another width where one is given.

    Raises:
        OctetError: a range is too narrow or too wide for a scale at its width.
    """
    chosen = quant.model_dump() | {
        "bits": quant.bits if bits is None else bits,
        "bias": Bias(bits=quant.bias.bits, range=quant.bias.range),
        "calibration": Calibration(
            rows=quant.calibration.rows,
            seed=quant.calibration.seed,
            range=quant.calibration.range,
        ),
    }
    try:
        return Config(**chosen)
    except OctetError as error:
        raise OctetError(f"{PATH}: quant.{error}") from None
