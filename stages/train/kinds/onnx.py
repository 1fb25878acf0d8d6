"""A network from an ONNX file, which computes what ONNX Runtime makes of the file."""

from pathlib import Path

import numpy as np
import onnxruntime
from onnx import TensorProto, helper, load_model_from_string

from octet.affine import Array
from octet.errors import OctetError
from octet.importers import onnx
from octet.importers.meaning import as_the_network_gives, network_for
from octet.runtime import floating
from octet.signature import Input
from stages.params.models import OnnxModel
from stages.pinned import pinned
from stages.train.kinds.kind import Job, Kind, Trained, in_one_step

# Of the range of the outputs: float32 leaves some 1e-6.
_MOST = 1e-4
_TOGETHER = 256
_DTYPES = {"tensor(float)": np.float32, "tensor(double)": np.float64, "tensor(uint8)": np.uint8}


def train(job: Job[OnnxModel]) -> Trained:
    """Import it, and hold its outputs for the test rows against ONNX Runtime's.

    Raises:
        OctetError: as `octet.importers.onnx.load`; the file is not the one that was pinned; it
            is no network for this data; or outputs differ by more than 1e-4 of their range.
    """
    data, where = job.dataset, f"params.yaml: {job.where}.path"
    path = pinned(job.model.path, job.model.sha256, job.where)
    layers, shape = onnx.load(path)
    try:
        network = network_for(layers, shape, data.signature)
    except OctetError as error:
        raise OctetError(f"{where}: {path}: {error}") from None
    expected = as_the_network_gives(onnx_runtime(path, data.x_test), network)
    difference = relative_difference(floating.run(network, data.x_test), expected)
    if not difference <= _MOST:
        raise OctetError(
            f"{where}: {path}: as imported, an output for the test rows is {difference:.1g} of "
            f"the outputs' range from what ONNX Runtime gives; allowed is {_MOST:g}. Where "
            "columns or weights are far larger than what they tell apart, ONNX Runtime's float32 "
            "is too coarse: export the network in DOUBLE. Else it is a fault of the importer: "
            "report it with the file"
        )
    # The bound: the digits of what was measured depend on the CPU.
    return in_one_step(data, network.layers, difference_below=_MOST)


def onnx_runtime(path: Path, x: Input) -> Array:
    """What ONNX Runtime makes of rows ``(rows, …)``, float64.

    Raises:
        OctetError: it does not run the file.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 4
    try:
        session = onnxruntime.InferenceSession(
            _with_a_tensor(path.read_bytes()), options, providers=["CPUExecutionProvider"]
        )
        (entry,) = session.get_inputs()
        # Some files take so many rows at once and no others.
        size = entry.shape[0] if isinstance(entry.shape[0], int) else _TOGETHER
        rows = x.astype(_DTYPES[entry.type])
        parts = [
            session.run(None, {entry.name: np.resize(rows[i : i + size], (size, *x.shape[1:]))})[-1]
            for i in range(0, len(rows), size)
        ]
    except Exception as error:  # its own kinds of errors are made in C++
        raise OctetError(f"{path}: ONNX Runtime does not run it ({error})") from None
    return np.concatenate(parts)[: len(x)].astype(np.float64)


def _with_a_tensor(content: bytes) -> bytes:
    """The model with, in place of the list of dictionaries that ZipMap gives, what enters it."""
    model = load_model_from_string(content)
    last = model.graph.output[-1]
    for node in model.graph.node:
        if node.op_type == "ZipMap" and node.output[0] == last.name:
            last.CopyFrom(helper.make_tensor_value_info(node.input[0], TensorProto.FLOAT, None))
            model.graph.node.remove(node)
            return bytes(model.SerializeToString())
    return content


def relative_difference(outputs: Array, expected: Array) -> float:
    """The largest difference, as a share of the range of what is expected."""
    span = float(np.ptp(expected)) or float(np.max(np.abs(expected))) or 1.0
    return float(np.max(np.abs(outputs - expected))) / span


KIND = Kind((), (), train)
