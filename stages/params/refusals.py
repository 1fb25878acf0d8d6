"""What is said of a bad value in params.yaml: one line with key, what was got, what is allowed."""

import difflib
import reprlib
from typing import Any, get_args, get_origin

from pydantic import ValidationError

from stages.params.section import Section


def refusal(section: type[Section], where: str, error: ValidationError) -> str:
    """The first thing to mend in a section at the key ``where``, and how many more there are."""
    details = [dict(one) for one in error.errors(include_url=False)]
    # A misspelt key is two errors, one unknown and one missing; the first says what to do.
    details.sort(key=lambda one: one["type"] != "extra_forbidden")
    lines: dict[str, str] = {}
    for one in details:
        line = _explain(section, where, one)
        lines.setdefault(line.partition(": ")[0], line)  # a key may have broken several rules
    first, *others = lines.values()
    return first + (f" (and {len(others)} more)" if others else "")


def _explain(section: type[Section], where: str, error: dict[str, Any]) -> str:
    """One line for one of pydantic's errors: key, what was got, what is allowed."""
    owner, path, name, inner = _locate(section, error["loc"])
    key = f"{where}{path}" if where else path.removeprefix(".")
    fields = owner.model_fields
    if error["type"] == "extra_forbidden":
        return f"{key}: no such key{nearest(name, list(fields))}; allowed are {', '.join(fields)}"
    if error["type"].startswith("union_tag") or (len(_kinds(inner)) > 1 and path.endswith("]")):
        return _explain_kind(inner, key, error["input"])
    if broken_rule := str(error.get("ctx", {}).get("error", "")):
        return f"{key}{': ' if broken_rule.startswith('got') else '.'}{broken_rule}"
    allowed = fields[name].description if name in fields else f"a mapping of {', '.join(fields)}"
    if error["type"] == "missing" and error["loc"][-1] == name:
        return f"{key}: missing; allowed is {allowed}"
    return f"{key or 'the file'}: got {shown(error['input'])}; allowed is {allowed}"


def _explain_kind(annotation: Any, key: str, got: Any) -> str:
    """One line for a mapping whose ``kind`` is missing or none of those that there are."""
    kinds = ", ".join(_kinds(annotation))
    if not isinstance(got, dict):
        return f"{key}: got {shown(got)}; allowed is a mapping with kind: one of {kinds}"
    if "kind" not in got:
        return f"{key}.kind: missing; allowed are {kinds}"
    return f"{key}.kind: got {shown(got['kind'])}; allowed are {kinds}"


def _locate(
    section: type[Section], location: tuple[str | int, ...]
) -> tuple[type[Section], str, str, Any]:
    """The section that holds the key at ``location``, its path, its last name, and its type.

    Two parts of a location are no part of the path: the kind by which one of several sections
    was chosen, and what stands behind a key that holds no section.
    """
    owner, path, name = section, "", ""
    inner: Any = section
    for part in location:
        if isinstance(inner, type) and issubclass(inner, Section):
            owner, name = inner, str(part)
            path += f".{name}"
            field = owner.model_fields.get(name)
            inner = field.annotation if field else None
        elif get_origin(inner) is dict and issubclass(get_args(inner)[1], Section):
            inner = owner = get_args(inner)[1]
            name, path = "", f"{path}.{part}"
        elif str(part) in (kinds := _kinds(inner)):
            inner = kinds[str(part)]
            owner, name = inner, ""
        elif get_origin(inner) is tuple and _kinds(inner):
            path += f"[{part}]"
            inner = get_args(inner)[0]
        else:
            break
    return owner, path, name, inner


def _kinds(annotation: Any) -> dict[str, type[Section]]:
    """The sections among which a ``kind`` chooses: those of a union, or of a list of one."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        kind = annotation.model_fields.get("kind")
        return {get_args(kind.annotation)[0]: annotation} if kind else {}
    kinds: dict[str, type[Section]] = {}
    for part in get_args(annotation):
        kinds |= _kinds(part)
    return kinds


def nearest(name: str, known: list[str]) -> str:
    """The known name that is most like this one, as a question; nothing if none is."""
    near = difflib.get_close_matches(name, known, n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def shown(value: object) -> str:
    """A value as a line has room for it."""
    try:
        # reprlib, because an alias of an alias in YAML can stand for billions of values.
        text = reprlib.repr(list(value) if isinstance(value, tuple) else value)
    except ValueError:
        return "an integer of more digits than Python prints"
    return text if len(text) <= 60 else f"{text[:57]}..."
