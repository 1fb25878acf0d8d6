"""dvc.lock, an entry at a time: whole at every moment, and in the same order whoever was first.

DVC reads all of it, and writes all of it in place, for each stage: that takes a second and a half
here with all others waiting, leaves half a file if it is killed meanwhile, and puts what is new in
the order in which stages ended.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvc.dvcfile import Lockfile
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml

from octet import files
from octet.errors import OctetError
from stages import git
from stages.lock import PATH

_HEAD = "schema: '2.0'\nstages:\n"
_ENTRY = re.compile(r"^  (\S+):\n(?:   .*\n)*", re.MULTILINE)


def order(plan: Sequence[str]) -> list[str]:
    """The order that `dvc repro` gives after the last commit: what is new follows what was there.

    Args:
        plan: all stages, as one after the other would run.
    """
    try:
        committed = entries(git.content(git.commit("HEAD"), PATH).decode())
    except (OctetError, UnicodeDecodeError):
        committed = {}
    return list(dict.fromkeys([*committed, *plan]))


def entries(content: str) -> dict[str, str]:
    """The text of each stage's entry; none if the file is not laid out as DVC does."""
    body = content.removeprefix(_HEAD)
    texts = {match[1]: match[0] for match in _ENTRY.finditer(body)}
    return texts if body != content and "".join(texts.values()) == body else {}


def with_entry(content: str, stage: str, entry: str, wanted: Sequence[str]) -> str:
    """The file with one entry new, and all in order; those of no known stage at the end."""
    known = entries(content) | {stage: entry}
    names = sorted(known, key=lambda name: wanted.index(name) if name in wanted else len(wanted))
    return _HEAD + "".join(known[name] for name in names)


def write_entries_alone(wanted: Sequence[str]) -> None:
    """From here on, DVC in this process writes dvc.lock so."""
    whole = Lockfile.dump_stages

    def dump_stages(self: Any, stages: Any, **options: Any) -> None:
        path = Path(self.path)
        content = before = path.read_text() if path.exists() else _HEAD
        if content != _HEAD and not entries(content):
            whole(self, stages, **options)  # somebody has laid it out in another way
            return
        for stage in stages:
            text = dumps_yaml({"stages": to_lockfile(stage, **options)})
            content = with_entry(content, stage.name, text.removeprefix("stages:\n"), wanted)
        if content != before:
            files.write(path, content.encode())
            self.repo.scm_context.track_file(self.relpath)

    Lockfile.dump_stages = dump_stages
