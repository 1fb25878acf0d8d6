"""The kinds of models, a file each: by name, as `kind` of `model` in params.yaml has it."""

from importlib import import_module

from octet.errors import OctetError
from octet.signature import Signature
from stages.params.models import Model
from stages.train.kinds.kind import Kind, word

# A kind is a file of its name here, a line below, and its keys in stages/params/models.py.
KINDS = ("linear", "logistic", "ridge", "network", "onnx", "given")


def kind(name: str) -> Kind:
    """The kind of this name. Imported when it is asked for: torch alone takes two seconds."""
    of_file: Kind = import_module(f"{__name__}.{name}").KIND
    return of_file


def kind_for(model: Model, signature: Signature, where: str) -> Kind:
    """The kind of this model.

    Args:
        model: of a system.
        signature: of its data.
        where: the key of the model in params.yaml, for errors.

    Raises:
        OctetError: it makes no sense of such data; the kinds that there are say of what they do.
    """
    if (chosen := kind(model.kind)).takes(signature):
        return chosen
    got = f"{word(type(signature.inputs))} and {word(type(signature.outputs))}"
    allowed = ", ".join(f"{name} ({kind(name).described()})" for name in KINDS)
    raise OctetError(
        f"params.yaml: {where}.kind: got {model.kind} for data of {got}; allowed are {allowed}"
    )
