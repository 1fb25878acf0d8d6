"""What is asked of a network: numbers or classes. A task is a file here and a line below."""

from dataclasses import dataclass

from octet.signature import (
    Arrays,
    Classes,
    Columns,
    Images,
    Inputs,
    Numbers,
    Outputs,
    Signature,
)
from stages.tasks.classification import CLASSIFICATION
from stages.tasks.regression import REGRESSION
from stages.tasks.task import Task

_BY_OUTPUTS: dict[type[Outputs], Task] = {Numbers: REGRESSION, Classes: CLASSIFICATION}
TASKS = tuple(_BY_OUTPUTS.values())
_INPUTS: dict[type[Inputs], str] = {Columns: "columns", Images: "images", Arrays: "arrays"}


@dataclass(frozen=True)
class Kind:
    """What a system is: a task, and what goes in, ``columns``, ``images`` or ``arrays``.

    As text, ``classification of images``; in metrics/<system>.json it stands under `kind`.
    """

    task: Task
    inputs: str

    def __str__(self) -> str:
        return f"{self.task.name} of {self.inputs}"

    @property
    def noisy(self) -> bool:
        """Whether it is scored under noise: pixels share a unit, columns have each their own."""
        return self.inputs == "images"


KINDS = {
    str(kind): kind
    for kind in (Kind(task, inputs) for task in TASKS for inputs in _INPUTS.values())
}


def task_of(signature: Signature) -> Task:
    """The task of a network with these outputs."""
    return _BY_OUTPUTS[type(signature.outputs)]


def kind_of(signature: Signature) -> Kind:
    """The task of a network with this signature, and what goes in."""
    return Kind(task_of(signature), _INPUTS[type(signature.inputs)])
