"""What cannot be quantized is refused by its name, in one line."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from octet.errors import OctetError
from octet.layers import Linear, Standardize
from octet.network import Network
from octet.quantizer import Calibration, Config, quantize, quantize_apart
from octet.quantizer.config import Activations
from octet.signature import Columns, Input, Numbers, Signature
from tests.octet.quantizer.cases import (
    ROUNDINGS,
    config,
)
from tests.octet.quantizer.networks import (
    ROWS,
    images,
    integers,
    table,
)


def damaged(part: str, value: float) -> Callable[[Network, Input], tuple[Network, Input]]:
    """Every weight of the last layer, or one number of it, is this."""

    def damage(network: Network, x: Input) -> tuple[Network, Input]:
        last = network.layers[-1]
        assert isinstance(last, Linear)
        tensor = getattr(last, part).copy()
        tensor[tuple(slice(None) if np.isfinite(value) else -1 for _ in tensor.shape)] = value
        return replace(network, layers=(*network.layers[:-1], replace(last, **{part: tensor}))), x

    return damage


def with_row(value: float, column: int = -1) -> Callable[[Network, Input], tuple[Network, Input]]:
    def damage(network: Network, x: Input) -> tuple[Network, Input]:
        x = x.copy()
        x[-1, column] = value
        return network, x

    return damage


REFUSED = {
    r"^layer 2_linear: weight: got 0 for every one of 6": damaged("weight", 0.0),
    r"^layer 2_linear: weight: got 0\.7 for every": damaged("weight", 0.7),
    r"^layer 2_linear: weight: got nan at index \[1, 2\]": damaged("weight", np.nan),
    r"^layer 2_linear: bias: got inf at index \[1\]": damaged("bias", np.inf),
    r"^input: got nan at index \[59, 3\]": with_row(np.nan),
    r"^input: got -inf at index": with_row(-np.inf),
    r"^input: got shape \(60, 3\); allowed is \(rows, 4\)": lambda network, x: (network, x[:, 1:]),
    r"quantized already": lambda network, x: (quantize(network, x, config()), x),
}


@pytest.mark.parametrize("activations", ["uint8", "none"])
@pytest.mark.parametrize("message", REFUSED)
def test_what_cannot_be_quantized_is_refused_by_name(message: str, activations: str) -> None:
    network, x = REFUSED[message](*table())
    for work in (quantize, lambda *given: quantize_apart(*given, (8,))):
        with pytest.raises(OctetError, match=message):
            work(network, x, integers(activations=activations))


def test_a_layer_that_has_no_form_in_integers_is_refused_where_it_would_need_one() -> None:
    network, x = table()
    scaler, first, last = network.layers
    twice = replace(network, layers=(scaler, first, Standardize(np.ones(3), np.ones(3)), last))
    with pytest.raises(OctetError, match=r"^layer 2_standardize: got a standardize among integer"):
        quantize(twice, x, integers())
    quantize(twice, x, config())


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_inputs_whose_squares_overflow_are_refused_by_name(rounding: str) -> None:
    network, x = table()
    with pytest.raises(OctetError, match=r"^layer 1_linear: inputs: got up to .*: rescale the fea"):
        quantize(network, x * [1.0, 1e200, 1.0, 1.0], config(rounding=rounding))


@pytest.mark.parametrize("activations", ["none", "uint8"])
def test_no_rows_are_refused(activations: Activations) -> None:
    weight, bias = np.array([[1.0, 2.0]], np.float32), np.zeros(1, np.float32)
    signature = Signature(Columns(("a", "b")), Numbers("y", ""))
    network = Network((Linear(weight, bias),), signature)
    with pytest.raises(OctetError, match="input: got no rows; allowed is one"):
        quantize(network, np.zeros((0, 2)), Config(activations=activations))


def test_more_calibration_rows_than_there_are_are_refused() -> None:
    network, x = images(15)
    with pytest.raises(OctetError, match=f"got {ROWS + 1} rows to take; allowed are 1 to {ROWS}"):
        quantize(network, x, integers(calibration=Calibration(ROWS + 1)))
