"""What all steps of a file have in common: a constant with a name in C, and no field of each.

So compilers leave out what no step needs: groups where there is one, strides of one. And fields
that are the same in every step are one, with the names of all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from octet.exporters.c.plan import Largest, Mean, Step, Sum, Sums

_WINDOW = ("tall", "wide", "down", "across", "top", "left")
# Fields that may be one.
_ALIKE = (("source", "other"), (*_WINDOW, "stride", "side", "above"))


@dataclass(frozen=True)
class _Users:
    """Templates, the steps that they are for, and the fields of these that they ask for."""

    templates: tuple[str, ...]
    steps: tuple[type[Step], ...]
    fields: tuple[str, ...]


_USERS: Mapping[str, _Users] = {
    "SUMS": _Users(
        ("struct", "window", "sums"),
        (Sums,),
        (*_WINDOW, "groups", "words", "column", "zero_in", "zero_weights"),
    ),
    "POOLS": _Users(("pool", "pools"), (Mean, Largest), (*_WINDOW, "in_parts", "sums_at")),
    "CODES": _Users(("clipped",), (Sums, Mean, Sum), ("zero_out", "low", "high")),
    "TURNS": _Users(("run",), (Step,), ("turns", "stride", "side", "above")),
}


class Common:
    """Of the fields of all steps: see there."""

    def __init__(
        self, steps: Sequence[Step], fields: Sequence[Mapping[str, object]], alike: bool
    ) -> None:
        """Of all steps; not alike: every field stays one."""
        users = _USERS if alike else {}
        self._values = {name: _values(each, steps, fields) for name, each in users.items()}
        columns: dict[str, list[object]] = {}
        for i, (step, each) in enumerate(zip(steps, fields, strict=True)):
            for key, value in each.items():
                if not self._covers(step, key):
                    columns.setdefault(key, [None] * len(steps))[i] = value
        self._together = _together(columns) if alike else {key: key for key in columns}
        self.needed = tuple(dict.fromkeys(self._together.values()))

    def of_step(self, step: Step, fields: Mapping[str, object]) -> dict[str, object]:
        """The fields of a step that are there, by their names in C; not those that are 0."""
        asked = {key: value for key, value in fields.items() if not self._covers(step, key)}
        return {self._together[key]: value for key, value in asked.items() if value}

    def _covers(self, step: Step, field: str) -> bool:
        """Whether nobody who asks for it of this step asks for a field."""
        asking = [name for name in self._values if isinstance(step, _USERS[name].steps)]
        asking = [name for name in asking if field in _USERS[name].fields]
        return bool(asking) and all(field in self._values[name] for name in asking)

    def constants(self, template: str) -> dict[str, str]:
        """What a template calls its fields, and what they are called in C."""
        joined = {f"step->{key}": f"step->{name}" for key, name in self._together.items()}
        return joined | {
            f"step->{field}": f"NAME_{name}_{field.upper()}"
            for name, values in self._values.items()
            if template in _USERS[name].templates
            for field in values
        }

    def defined(self) -> str:
        """The constants."""
        lines = [
            f"#define NAME_{name}_{field.upper()} {value}\n"
            for name, values in self._values.items()
            for field, value in values.items()
        ]
        return "".join(lines)


def _values(
    users: _Users, steps: Sequence[Step], fields: Sequence[Mapping[str, object]]
) -> dict[str, object]:
    """The fields that are the same in all steps that are asked."""
    each = [f for step, f in zip(steps, fields, strict=True) if isinstance(step, users.steps)]
    sets = {key: {f.get(key, 0) for f in each} for key in users.fields}
    return {key: next(iter(values), 0) for key, values in sets.items() if len(values) < 2}


def _together(columns: Mapping[str, list[object]]) -> dict[str, str]:
    """What each field is called: as all that differ from it in no step that has both."""
    shared: list[tuple[list[str], list[object]]] = []
    for key, values in columns.items():
        for keys, theirs in shared:
            pairs = list(zip(values, theirs, strict=True))
            alike = any(key in names and keys[0] in names for names in _ALIKE)
            if alike and all(None in pair or pair[0] == pair[1] for pair in pairs):
                keys.append(key)
                theirs[:] = [b if a is None else a for a, b in pairs]
                break
        else:
            shared.append(([key], list(values)))
    return {key: "_".join(keys) for keys, _ in shared for key in keys}
