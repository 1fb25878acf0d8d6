"""params.yaml, typed. Every bad value dies here, by name, before any work is done.

Each field's description says what is allowed: it is what a user reads in the error.
"""

import difflib
import re
import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    FiniteFloat,
    ValidationError,
    field_validator,
    model_validator,
)
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from octet.affine import MAX_BITS, MIN_BITS
from octet.errors import OctetError

PATH = Path("params.yaml")
FLOAT_BITS = 32


def _refuse_empty(span: tuple[float, float]) -> tuple[float, float]:
    if not (span[0] <= 0 <= span[1] and span[0] < span[1]):
        raise ValueError
    return span


Span = Annotated[tuple[FiniteFloat, FiniteFloat], AfterValidator(_refuse_empty)]
Margin = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


class _Section(BaseModel):
    """Keys that are not named, and values that would need a conversion, are errors.

    A YAML list is a tuple here; that alone is converted.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @field_validator("*", mode="before")
    @classmethod
    def _list_to_tuple(cls, value: Any) -> Any:
        return tuple(value) if isinstance(value, list) else value


_S = TypeVar("_S", bound=_Section)


class Split(_Section):
    """How rows are shared out between training and test."""

    test_size: float = Field(gt=0, lt=1, description="a fraction between 0 and 1")
    random_state: int = Field(ge=0, lt=2**32, description="an integer from 0 to 2^32 - 1")


class Bias(_Section):
    """The bias: few numbers, on which every output depends."""

    bits: int = Field(ge=MIN_BITS, le=MAX_BITS, description="an integer from 2 to 16")
    range: Literal["minmax"] | Span = Field(
        description="minmax, or [lo, hi] with lo < hi and 0 between them"
    )


class Quant(_Section):
    """How a float network becomes a quantized one."""

    bits: int = Field(description="an integer from 2 to 16, or 32 to leave the network float")
    scheme: Literal["asymmetric", "symmetric"] = Field(description="asymmetric or symmetric")
    granularity: Literal["per_tensor", "per_channel", "per_parameter", "unified"] = Field(
        description="per_tensor, per_channel (with scheme: symmetric), per_parameter or unified"
    )
    range: Literal["minmax", "mse"] | Span = Field(
        description="minmax, mse, or [lo, hi] with lo < hi and 0 between them"
    )
    margin: tuple[Margin, Margin] = Field(
        description="[below, above], fractions of the range from 0 to 10; "
        "other than [0, 0] only with range: minmax"
    )
    rounding: Literal["nearest", "gptq", "exact"] = Field(description="nearest, gptq or exact")
    bias: Bias = Field(description="a mapping with bits and range")

    @field_validator("bits")
    @classmethod
    def _check_bits(cls, bits: int) -> int:
        if not (MIN_BITS <= bits <= MAX_BITS or bits == FLOAT_BITS):
            raise ValueError
        return bits

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.granularity == "per_channel" and self.scheme != "symmetric":
            raise ValueError(
                "granularity: got per_channel with scheme asymmetric; a scale per channel needs "
                "one zero point for all: set scheme: symmetric"
            )
        if any(self.margin) and self.range != "minmax":
            raise ValueError(
                f"margin: got {list(self.margin)} with range {_shown(self.range)}; "
                "a margin widens the range of the weights: set range: minmax, or margin: [0, 0]"
            )
        return self


class Linear(_Section):
    """Linear regression by least squares."""

    kind: Literal["linear"] = Field(description="linear")
    standardize: bool = Field(description="true or false")


# The keys of DATA_SETS in stages/load/tables.py.
DataName = Literal["diabetes", "california_housing"]


class System(_Section):
    """One data set and one model."""

    data: DataName = Field(description=" or ".join(get_args(DataName)))
    model: Linear = Field(description="a mapping with kind and standardize")
    quant: dict[str, Any] = Field(description="a mapping of any keys of quant, or {}")


class Gates(_Section):
    """What a quantized model may cost."""

    mse_increase: float = Field(
        gt=0, allow_inf_nan=False, description="a positive fraction of the float model's MSE"
    )


class Params(_Section):
    """The whole of params.yaml."""

    split: Split = Field(description="a mapping with test_size and random_state")
    quant: Quant = Field(description="a mapping; see params.yaml for its keys")
    gates: Gates = Field(description="a mapping with mse_increase")
    systems: dict[str, System] = Field(
        min_length=1, description="a mapping from a system's name to data, model and quant"
    )

    @field_validator("systems", mode="before")
    @classmethod
    def _check_names(cls, systems: Any) -> Any:
        for name in systems if isinstance(systems, dict) else ():
            # A name becomes a file, a key of DVC's and a word of a command.
            if not isinstance(name, str) or not re.fullmatch("[A-Za-z0-9][A-Za-z0-9_-]*", name):
                raise ValueError(
                    f"got {_shown(name)}; allowed is a name of letters, digits, - and _, as text"
                )
        return systems

    def system(self, name: str) -> System:
        """The system of this name.

        Raises:
            OctetError: there is none; the message has the nearest name and all of them.
        """
        if name not in self.systems:
            raise OctetError(
                f"{PATH}: systems: got {name!r}{_nearest(name, list(self.systems))}; "
                f"allowed are {', '.join(sorted(self.systems))}"
            )
        return self.systems[name]

    def quant_of(self, name: str) -> Quant:
        """``quant`` for one system: its own keys over the common ones."""
        common = self.quant.model_dump()
        own = self.system(name).quant
        return _parse(Quant, _merge(common, own), f"systems.{name}.quant")


def load() -> Params:
    """Read and check params.yaml, every system's own ``quant`` included.

    It is read as DVC reads it: YAML 1.2, in which 1e-05 is a number and 010 is ten.

    Raises:
        OctetError: one line with the key, what was got and what is allowed.
    """
    try:
        raw = YAML(typ="safe", pure=True).load(PATH.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise OctetError(f"{PATH}: no such file; run from the top of the repository") from None
    except MarkedYAMLError as error:
        where = f", line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise OctetError(f"{PATH}: not YAML: {error.problem}{where}") from None
    except (YAMLError, ValueError, RecursionError) as error:
        raise OctetError(f"{PATH}: not YAML: {' '.join(str(error).split())}") from None
    params = _parse(Params, raw, "")
    for name in params.systems:
        params.quant_of(name)
    return params


def _merge(common: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """``own`` over ``common``, key by key and section by section."""
    merged = common | own
    for key, value in own.items():
        inner = common.get(key)
        if isinstance(inner, dict) and isinstance(value, dict):
            merged[key] = _merge(inner, value)
    return merged


def _parse(section: type[_S], raw: Any, where: str) -> _S:
    try:
        return section.model_validate(raw)
    except ValidationError as error:
        found = [dict(one) for one in error.errors(include_url=False)]
        # A misspelt key is two errors, one unknown and one missing; the first says what to do.
        found.sort(key=lambda one: one["type"] != "extra_forbidden")
        lines = list(dict.fromkeys(_explain(section, where, one) for one in found))
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        raise OctetError(f"{PATH}: {lines[0]}{more}") from None


def _explain(section: type[_Section], where: str, error: dict[str, Any]) -> str:
    """One line for one of pydantic's errors: key, what was got, what is allowed."""
    owner, path = _locate(section, [str(part) for part in error["loc"]])
    key = ".".join(filter(None, [where, *path]))
    fields, name = owner.model_fields, path[-1] if path else ""
    if error["type"] == "extra_forbidden":
        return f"{key}: no such key{_nearest(name, list(fields))}; allowed are {', '.join(fields)}"
    if broken_rule := str(error.get("ctx", {}).get("error", "")):
        return f"{key}{': ' if broken_rule.startswith('got') else '.'}{broken_rule}"
    allowed = fields[name].description if name in fields else f"a mapping of {', '.join(fields)}"
    if error["type"] == "missing" and error["loc"][-1] == name:
        return f"{key}: missing; allowed is {allowed}"
    return f"{key or 'the file'}: got {_shown(error['input'])}; allowed is {allowed}"


def _locate(section: type[_Section], location: list[str]) -> tuple[type[_Section], list[str]]:
    """The section that holds the key at ``location``, and the path of the key.

    What pydantic adds behind a key, the branch of a union or the index in a list, is cut off.
    """
    owner, path, rest = section, [], list(location)
    while rest:
        owner = section
        path.append(rest.pop(0))
        field = owner.model_fields.get(path[-1])
        if field is None:
            break
        if path[-1] == "systems" and rest:
            path.append(rest.pop(0))
            owner = section = System
        elif isinstance(field.annotation, type) and issubclass(field.annotation, _Section):
            section = field.annotation
        else:
            break
    return owner, path


def _nearest(name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _shown(value: object) -> str:
    try:
        # reprlib, because an alias of an alias in YAML can stand for billions of values.
        text = reprlib.repr(list(value) if isinstance(value, tuple) else value)
    except ValueError:
        return "an integer of more digits than Python prints"
    return text if len(text) <= 60 else f"{text[:57]}..."
