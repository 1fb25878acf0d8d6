"""params.yaml, typed. Every bad value dies here, by name, before any work is done.

Each field's description says what is allowed: it is what a user reads in the error.
"""

import difflib
import re
import reprlib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args, get_origin

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
Rounding = Literal["nearest", "gptq", "exact"]
Margin = Annotated[float, Field(ge=0, le=10, allow_inf_nan=False)]


class _Section(BaseModel):
    """Keys that are not named, and values that would need a conversion, are errors.

    A YAML list is a tuple here; that alone is converted.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _list_to_tuple(cls, raw: Any) -> Any:
        if not isinstance(raw, dict):
            return raw
        return {key: tuple(v) if isinstance(v, list) else v for key, v in raw.items()}


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


class Calibration(_Section):
    """Which training rows the ranges of activations are taken from, and how."""

    images: int = Field(ge=1, description="an integer from 1 to the number of training rows")
    seed: int = Field(ge=0, lt=2**32, description="an integer from 0 to 2^32 - 1")
    range: Literal["minmax", "percentile", "mse"] = Field(description="minmax, percentile or mse")


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
    rounding: Rounding = Field(description="nearest, gptq or exact")
    bias: Bias = Field(description="a mapping with bits and range")
    activations: Literal["none", "uint8"] = Field(
        description="none (weights only) or uint8 (integers only)"
    )
    calibration: Calibration = Field(description="a mapping with images, seed and range")

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


class Regression(_Section):
    """Linear regression by least squares."""

    kind: Literal["linear"] = Field(description="linear")
    standardize: bool = Field(description="true or false")


class Conv(_Section):
    """A convolution without bias, batch normalisation, and ReLU."""

    kind: Literal["conv"]
    channels: int = Field(ge=1, le=4096, description="an integer from 1 to 4096")
    kernel: int = Field(ge=1, le=99, description="an integer from 1 to 99: the side of the kernel")
    padding: int = Field(ge=0, description="an integer from 0 to kernel - 1")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.padding >= self.kernel:
            raise ValueError(
                f"padding: got {self.padding} with kernel {self.kernel}; "
                f"allowed are 0 to {self.kernel - 1}"
            )
        return self


class MaxPool(_Section):
    """The largest value of each tile."""

    kind: Literal["max_pool"]
    side: int = Field(ge=2, description="an integer from 2: the side of a tile")


class GlobalAveragePool(_Section):
    """The mean of each channel."""

    kind: Literal["global_average_pool"]


class Flatten(_Section):
    """Channels, height and width as one axis."""

    kind: Literal["flatten"]


class Dense(_Section):
    """A linear layer with a bias, without ReLU."""

    kind: Literal["linear"]
    outputs: int = Field(ge=1, le=4096, description="an integer from 1 to 4096")


LayerSpec = Annotated[
    Conv | MaxPool | GlobalAveragePool | Flatten | Dense, Field(discriminator="kind")
]


class Cnn(_Section):
    """A convolutional network: its layers in the order in which data flows."""

    kind: Literal["cnn"] = Field(description="cnn")
    budget: int = Field(ge=1, description="an integer: how many parameters it may have at most")
    layers: tuple[LayerSpec, ...] = Field(min_length=1, description="a list of layers")


class Noise(_Section):
    """Gaussian noise on training images."""

    share: float = Field(ge=0, le=1, description="a fraction of each batch, from 0 to 1")
    std: float = Field(
        ge=0, le=10, description="a number from 0 to 10, in deviations of the pixels"
    )


class Augment(_Section):
    """Random views of training images; the README's contact sheet shows them."""

    share: float = Field(ge=0, le=1, description="a fraction of each batch, from 0 to 1")
    rotation: float = Field(ge=0, le=180, description="degrees either way, from 0 to 180")
    translation: float = Field(ge=0, lt=1, description="a fraction of the side, from 0 to below 1")
    scale: float = Field(ge=0, lt=1, description="a fraction either way, from 0 to below 1")
    perspective: float = Field(ge=0, lt=1, description="a distortion from 0 to below 1")
    crop: float = Field(ge=0, lt=1, description="a fraction of the side, from 0 to below 1")


class Train(_Section):
    """How an image system is trained; linear regression has nothing to choose."""

    device: Literal["auto", "cpu", "cuda"] = Field(description="auto, cpu or cuda")
    seed: int = Field(ge=0, lt=2**32, description="an integer from 0 to 2^32 - 1")
    epochs: int = Field(ge=1, description="an integer from 1")
    batch: int = Field(ge=2, description="an integer from 2")
    learning_rate: float = Field(gt=0, le=1e38, description="a positive number up to 1e38")
    warm_up: float = Field(gt=0, lt=1, description="a fraction of all steps, between 0 and 1")
    label_smoothing: float = Field(ge=0, lt=1, description="a number from 0 to below 1")
    noise: Noise = Field(description="a mapping with share and std")
    augment: Augment = Field(description="a mapping; see params.yaml for its keys")


# The keys of TABLES in stages/load/tables.py and of IMAGES in stages/load/images.py.
TableName = Literal["diabetes", "california_housing"]
ImagesName = Literal["digits", "mnist"]
_DATA = (*get_args(TableName), *get_args(ImagesName))


class System(_Section):
    """One data set and one model."""

    data: TableName | ImagesName = Field(description=" or ".join(_DATA))
    model: Annotated[Regression | Cnn, Field(discriminator="kind")] = Field(
        description="a mapping with kind: linear or kind: cnn, and the keys of that kind"
    )
    train: dict[str, Any] = Field(description="a mapping of any keys of train, or {}")
    quant: dict[str, Any] = Field(description="a mapping of any keys of quant, or {}")
    gates: dict[str, Any] = Field(description="a mapping of any keys of gates, or {}")

    @model_validator(mode="after")
    def _check(self) -> Self:
        if (self.model.kind == "cnn") != (self.data in get_args(ImagesName)):
            raise ValueError(
                f"model.kind: got {self.model.kind} for the data set {self.data}; tables "
                f"({', '.join(get_args(TableName))}) take linear, images "
                f"({', '.join(get_args(ImagesName))}) take cnn"
            )
        return self


class Gates(_Section):
    """What a quantized model may cost, and what it must give."""

    mse_increase: float = Field(
        gt=0, allow_inf_nan=False, description="a positive fraction of the float model's MSE"
    )
    accuracy_decrease: float = Field(
        gt=0, lt=1, description="a fraction of the test images, between 0 and 1"
    )
    r2: float = Field(ge=-1, le=1, description="the least R² of a table, from -1 to 1")
    accuracy: float = Field(ge=0, le=1, description="the least accuracy, from 0 to 1")
    accuracy_noisy: float = Field(
        ge=0, le=1, description="the least accuracy under noise, from 0 to 1"
    )
    saved: float = Field(
        ge=0, lt=1, description="a fraction of the float payload, from 0 to below 1"
    )


class Sweep(_Section):
    """What the sweep tries, and who does the work."""

    bits: tuple[Annotated[int, Field(ge=MIN_BITS, le=8)], ...] = Field(
        min_length=1, description="a list of integers from 2 to 8"
    )
    roundings: tuple[Rounding, ...] = Field(
        min_length=1, description="a list of nearest, gptq and exact"
    )
    backend: Literal["loky", "dask"] = Field(
        description="loky (this machine) or dask (the cluster at $DASK_SCHEDULER_ADDRESS)"
    )


class Params(_Section):
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
        """``quant`` for one system: its own keys over the common ones.

        Raises:
            OctetError: its activations are uint8, and integer inference does not take the rest.
                (Not said when the file is read: 16 bits for all are fine for tables.)
        """
        merged = _merge(self.quant.model_dump(), self.system(name).quant)
        where = f"systems.{name}.quant"
        quant = _parse(Quant, merged, where)
        if quant.activations == "uint8" and 8 < quant.bits < FLOAT_BITS:
            raise OctetError(
                f"{PATH}: {where}.bits: got {quant.bits} with activations uint8; integer inference "
                "takes weights of 2 to 8 bits: set bits: 8, or activations: none"
            )
        if quant.activations == "uint8" and quant.granularity not in ("per_tensor", "per_channel"):
            raise OctetError(
                f"{PATH}: {where}.granularity: got {quant.granularity} with activations uint8; "
                "integer inference takes per_tensor or per_channel"
            )
        return quant

    def train_of(self, name: str) -> Train:
        """``train`` for one system: its own keys over the common ones."""
        merged = _merge(self.train.model_dump(), self.system(name).train)
        return _parse(Train, merged, f"systems.{name}.train")

    def gates_of(self, name: str) -> Gates:
        """``gates`` for one system: its own keys over the common ones."""
        merged = _merge(self.gates.model_dump(), self.system(name).gates)
        return _parse(Gates, merged, f"systems.{name}.gates")


def load() -> Params:
    """Read and check params.yaml, every system's own ``train``, ``quant`` and ``gates`` included.

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
    # Tags such as !!int on what is none make the loader itself stumble.
    except (YAMLError, ValueError, LookupError, RecursionError) as error:
        raise OctetError(f"{PATH}: not YAML: {' '.join(str(error).split())}") from None
    params = _parse(Params, raw, "")
    for name, system in params.systems.items():
        _parse(Quant, _merge(params.quant.model_dump(), system.quant), f"systems.{name}.quant")
        params.train_of(name)
        params.gates_of(name)
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
    owner, path, name, inner = _locate(section, error["loc"])
    key = f"{where}{path}" if where else path.removeprefix(".")
    fields = owner.model_fields
    if error["type"] == "extra_forbidden":
        return f"{key}: no such key{_nearest(name, list(fields))}; allowed are {', '.join(fields)}"
    if error["type"].startswith("union_tag") or (len(_kinds(inner)) > 1 and path.endswith("]")):
        return _explain_kind(inner, key, error["input"])
    if broken_rule := str(error.get("ctx", {}).get("error", "")):
        return f"{key}{': ' if broken_rule.startswith('got') else '.'}{broken_rule}"
    allowed = fields[name].description if name in fields else f"a mapping of {', '.join(fields)}"
    if error["type"] == "missing" and error["loc"][-1] == name:
        return f"{key}: missing; allowed is {allowed}"
    return f"{key or 'the file'}: got {_shown(error['input'])}; allowed is {allowed}"


def _explain_kind(annotation: Any, key: str, got: Any) -> str:
    """One line for a mapping whose ``kind`` is missing or none of those that there are."""
    kinds = ", ".join(_kinds(annotation))
    if not isinstance(got, dict):
        return f"{key}: got {_shown(got)}; allowed is a mapping with kind: one of {kinds}"
    if "kind" not in got:
        return f"{key}.kind: missing; allowed are {kinds}"
    return f"{key}.kind: got {_shown(got['kind'])}; allowed are {kinds}"


def _locate(
    section: type[_Section], location: tuple[str | int, ...]
) -> tuple[type[_Section], str, str, Any]:
    """The section that holds the key at ``location``, its path, its last name, and its type.

    Two parts of a location are no part of the path: the kind by which one of several sections
    was chosen, and what stands behind a key that holds no section.
    """
    owner, path, name = section, "", ""
    inner: Any = section
    for part in location:
        if isinstance(inner, type) and issubclass(inner, _Section):
            owner, name = inner, str(part)
            path += f".{name}"
            field = owner.model_fields.get(name)
            inner = field.annotation if field else None
        elif get_origin(inner) is dict and name == "systems":
            owner, name, path = System, "", f"{path}.{part}"
            inner = System
        elif str(part) in (kinds := _kinds(inner)):
            inner = kinds[str(part)]
            owner, name = inner, ""
        elif get_origin(inner) is tuple and _kinds(inner):
            path += f"[{part}]"
            inner = get_args(inner)[0]
        else:
            break
    return owner, path, name, inner


def _kinds(annotation: Any) -> dict[str, type[_Section]]:
    """The sections among which a ``kind`` chooses: those of a union, or of a list of one."""
    if isinstance(annotation, type) and issubclass(annotation, _Section):
        kind = annotation.model_fields.get("kind")
        return {get_args(kind.annotation)[0]: annotation} if kind else {}
    found: dict[str, type[_Section]] = {}
    for part in get_args(annotation):
        found |= _kinds(part)
    return found


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
