"""dvc.lock, an entry at a time: whole at every moment, and in the same order whoever was first.

DVC parses all of it, and writes all of it in place, for each stage. That takes a second here,
leaves half a file if it is killed meanwhile, and puts what is new in the order in which they ended.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dvc.dvcfile import Lockfile
from dvc.stage.serialize import to_lockfile
from dvc.utils.serialize import dumps_yaml, parse_yaml

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


def keep_to_entry(stage: str, wanted: Sequence[str]) -> None:
    """From here on, DVC in this process reads the entry of this stage alone, and writes it alone.

    Args:
        stage: the one that this process reproduces.
        wanted: the order of all entries.
    """
    read_all, write_all = Lockfile._load_yaml, Lockfile.dump_stages

    def load_yaml(self: Any, **options: Any) -> Any:
        content = Path(self.path).read_text(encoding="utf-8")
        known = entries(content)
        if not known:
            return read_all(self, **options)  # somebody has laid it out in another way
        if stage not in known:
            return {}, content
        return self.validate(parse_yaml(_HEAD + known[stage], self.path), self.relpath), content

    def dump_stages(self: Any, stages: Any, **options: Any) -> None:
        path = Path(self.path)
        content = before = path.read_text() if path.exists() else _HEAD
        if content != _HEAD and not entries(content):
            write_all(self, stages, **options)
            return
        for each in stages:
            text = dumps_yaml({"stages": to_lockfile(each, **options)})
            content = with_entry(content, each.name, text.removeprefix("stages:\n"), wanted)
        if content != before:
            files.write(path, content.encode())
            self.repo.scm_context.track_file(self.relpath)

    Lockfile._load_yaml = load_yaml
    Lockfile.dump_stages = dump_stages
