"""A float network in a model file of Octet's own."""

from octet.errors import OctetError
from octet.modelfile import storage
from octet.network import in_codes
from octet.signature import Classes, Columns, Inputs, Outputs, Signature
from stages.params.models import GivenModel
from stages.pinned import pinned
from stages.train.kinds.kind import Job, Kind, Trained, in_one_step, word


def train(job: Job[GivenModel]) -> Trained:
    """Read it.

    Raises:
        OctetError: the file is not the one that was pinned, or no model; the network is in codes
            already; or it takes or gives something else than the data has.
    """
    path = pinned(job.model.path, job.model.sha256, job.where)
    network = storage.load_network(path)
    where = f"params.yaml: {job.where}.path: {path}"
    if in_codes(network):
        raise OctetError(f"{where}: got a quantized network; allowed is one in float")
    _refuse_stranger(network.signature, job.dataset.signature, where)
    return in_one_step(job.dataset, network.layers)


def _refuse_stranger(model: Signature, data: Signature, where: str) -> None:
    """What a row or a class is, both must agree on; the names of columns to predict are the data's.

    Raises:
        OctetError: they do not.
    """
    if model.inputs != data.inputs:
        got, allowed = _row(model.inputs), _row(data.inputs)
        if got == allowed:
            got, allowed = "other categories or gaps", f"those of the data: {allowed}"
        raise OctetError(
            f"{where}: got a network that takes {got}; allowed is {allowed}. Train it on rows with "
            "the names of the data's, in their order"
        )
    if _meaning(model.outputs) != _meaning(data.outputs):
        got, allowed = (", ".join(_meaning(each.outputs)) for each in (model, data))
        raise OctetError(f"{where}: got a network for {got}; the data is of {allowed}")


def _row(inputs: Inputs) -> str:
    if isinstance(inputs, Columns):
        return f"columns {', '.join(column.name for column in inputs.columns)}"
    return f"{word(type(inputs))} of shape {inputs.shape}"


def _meaning(outputs: Outputs) -> tuple[str, ...]:
    return outputs.classes if isinstance(outputs, Classes) else ("a number",)


KIND = Kind((), (), train)
