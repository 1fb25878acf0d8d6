"""The whole of params.yaml, read and checked. Every bad value dies here, by name, before any work.

What is decided here is whether a stage runs; what it makes of the values is in the files of the
sections. So dvc.yaml lists those, and not this file (see stages/stage.py).
"""

import re
from typing import Any, TypeVar

from pydantic import Field, ValidationError, field_validator
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from octet.errors import OctetError
from stages.params.gates import Gates
from stages.params.quant import Quant
from stages.params.refusals import nearest, refusal, shown
from stages.params.section import PATH, Section, merge
from stages.params.split import Split
from stages.params.sweep import Sweep
from stages.params.systems import System
from stages.params.train import Train

_S = TypeVar("_S", bound=Section)
_NAME = re.compile("[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


def bad_name(name: object) -> str:
    """What is wrong with the name of a system, "" if nothing is.

    It becomes a file, a key of DVC's and a word of a command.
    """
    if isinstance(name, str) and _NAME.fullmatch(name):
        return ""
    return f"got {shown(name)}; allowed is a name of up to 64 letters, digits, - and _, as text"


class Params(Section):
    """The whole of params.yaml."""

    split: Split = Field(description="a mapping with test_size and random_state")
    train: Train = Field(description="a mapping; see params.yaml for its keys")
    quant: Quant = Field(description="a mapping; see params.yaml for its keys")
    gates: Gates = Field(description="a mapping; see params.yaml for its keys")
    sweep: Sweep = Field(description="a mapping with bits, roundings and backend")
    systems: dict[str, System] = Field(
        min_length=1,
        description="a mapping from a system's name to data, model, train, quant and gates",
    )

    @field_validator("systems", mode="before")
    @classmethod
    def _check_names(cls, systems: Any) -> Any:
        for name in systems if isinstance(systems, dict) else ():
            if wrong := bad_name(name):
                raise ValueError(wrong)
        return systems

    def system(self, name: str) -> System:
        """The system of this name.

        Raises:
            OctetError: there is none; the message has the nearest name and all of them.
        """
        if name not in self.systems:
            raise OctetError(
                f"{PATH}: systems: got {name!r}{nearest(name, list(self.systems))}; "
                f"allowed are {', '.join(sorted(self.systems))}"
            )
        return self.systems[name]

    def quant_of(self, name: str) -> Quant:
        """``quant`` for one system: its own keys over the common ones.

        Raises:
            OctetError: its activations are uint8, and integer inference does not take the rest.
                (Not said when the file is read: 16 bits for all are fine for tables.)
        """
        merged = merge(self.quant.model_dump(), self.system(name).quant)
        where = f"systems.{name}.quant"
        quant = _parse(Quant, merged, where)
        try:
            quant.config()
        except OctetError as error:
            raise OctetError(f"{PATH}: {where}.{error}") from None
        return quant

    def train_of(self, name: str) -> Train:
        """``train`` for one system: its own keys over the common ones."""
        merged = merge(self.train.model_dump(), self.system(name).train)
        return _parse(Train, merged, f"systems.{name}.train")

    def gates_of(self, name: str) -> Gates:
        """``gates`` for one system: its own keys over the common ones."""
        merged = merge(self.gates.model_dump(), self.system(name).gates)
        return _parse(Gates, merged, f"systems.{name}.gates")


def load_params() -> Params:
    """Read and check params.yaml, every system's own ``train``, ``quant`` and ``gates`` included.

    Raises:
        OctetError: one line with the key, what was got and what is allowed.
    """
    try:
        raw = parse(PATH.read_bytes())
    except FileNotFoundError:
        raise OctetError(f"{PATH}: no such file; run from the top of the repository") from None
    return check_params(raw)


def check_params(raw: Any) -> Params:
    """What `parse` gave, checked, every system's own ``train``, ``quant`` and ``gates`` included.

    Raises:
        OctetError: as `load_params`.
    """
    params = _parse(Params, raw, "")
    for name, system in params.systems.items():
        _parse(Quant, merge(params.quant.model_dump(), system.quant), f"systems.{name}.quant")
        params.train_of(name)
        params.gates_of(name)
    return params


def parse(content: bytes) -> Any:
    """What params.yaml holds, unchecked, as DVC reads it.

    That is YAML 1.2, in which 1e-05 is a number and 010 is ten.

    Raises:
        OctetError: it is not YAML.
    """
    try:
        return YAML(typ="safe", pure=True).load(content.decode())
    except MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise OctetError(f"{PATH}: not YAML: {error.problem}{where}") from None
    # Tags such as !!int on what is none make the loader itself stumble.
    except (YAMLError, ValueError, LookupError, RecursionError) as error:
        raise OctetError(f"{PATH}: not YAML: {' '.join(str(error).split())}") from None


def _parse(section: type[_S], raw: Any, where: str) -> _S:
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        raise OctetError(f"{PATH}: {refusal(section, where, error)}") from None
