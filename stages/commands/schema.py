"""python -m stages.commands.schema: params.schema.json, by which editors complete params.yaml."""

import copy
import json
from pathlib import Path
from typing import Any

from octet import files
from octet.cli.command import Parser, one_line
from stages.params.file import Params

PATH = Path("params.schema.json")

Schema = dict[str, Any]

_DEFINED = "#/$defs/"
# The sections of which a system may have any keys of its own.
_OWN = ("train", "quant", "gates")


def text() -> str:
    """The JSON schema of params.yaml, made from its typed sections."""
    schema = Params.model_json_schema()
    defined = schema["$defs"]
    for name in _OWN:
        section = schema["properties"][name]["$ref"].removeprefix(_DEFINED)
        own = defined["System"]["properties"][name]
        defined["System"]["properties"][name] = {
            "$ref": f"{_DEFINED}{_without_required(defined, section)}",
            "description": own["description"],
        }
    return json.dumps(schema, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def _without_required(defined: dict[str, Schema], name: str) -> str:
    """The name of a definition like this one, of which no key is required, nor of those in it."""
    own = f"Own{name}"
    if own not in defined:
        section = copy.deepcopy(defined[name])
        section.pop("required", None)
        defined[own] = section
        for value in section["properties"].values():
            if "$ref" in value:
                inner = value["$ref"].removeprefix(_DEFINED)
                value["$ref"] = f"{_DEFINED}{_without_required(defined, inner)}"
    return own


def main() -> None:
    """Write it at the top of the repository."""
    with one_line():
        Parser(description=__doc__).parse_args()
        files.write(PATH, text().encode())


if __name__ == "__main__":
    main()
