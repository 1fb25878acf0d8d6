"""From float networks to codes: `quantize(network, rows, Config(bits=8))`.

Takes networks, arrays and a `Config`, and imports NumPy alone.
"""

from octet.quantizer.config import Bias, Calibration, Config
from octet.quantizer.network import (
    Calibrated,
    calibrate,
    quantize,
    quantize_apart,
    quantize_calibrated,
)

__all__ = [
    "Bias",
    "Calibrated",
    "Calibration",
    "Config",
    "calibrate",
    "quantize",
    "quantize_apart",
    "quantize_calibrated",
]
