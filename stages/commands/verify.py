"""python -m stages.commands.verify: are all bytes still those of dvc.lock? Exit status 1 if not.

DVC hashes a file of its cache once, makes it read-only, and trusts it from then on; an output it
trusts for as long as size and time of change are the same. Here every byte is read: of the outputs,
of the metrics, and of the cache. Each file that is damaged or missing is named, with the command
that heals it.
"""

import contextlib
import functools
import hashlib
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from octet import provenance
from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import dvc, git, lock, paths
from stages.lock import FOLDER, Output

State = Literal["good", "damaged", "missing"]

_MD5 = functools.partial(hashlib.md5, usedforsecurity=False)
_OBJECT = re.compile(r"[0-9a-f]{32}(\.dir)?")


@dataclass(frozen=True)
class Fault:
    """A file that is not what it should be, and the shell command that makes it so."""

    path: Path
    state: str
    heal: str


def main() -> None:
    """Name every fault; exit with 1 if there is one."""
    with one_line():
        Parser(description="Hold every byte of outputs and cache against dvc.lock.").parse_args()
        outputs = lock.load()
        cache = _cache()
        faults = [*of_outputs(outputs, cache), *of_others(outputs, cache)]
        # `dvc commit` takes every output of its stage as it is: what else is wrong comes first.
        faults.sort(key=lambda fault: "dvc commit" in fault.heal)
        for fault in faults:
            sys.stdout.write(f"{fault.state}: {fault.path}\n    heal it: {fault.heal}\n")
        if not faults:
            good = f"all bytes are those of dvc.lock: {len(outputs)} outputs, and the cache"
            sys.stdout.write(f"{good}\n")
    if faults:
        sys.exit(f"not as in dvc.lock: {len(faults)}")


def of_outputs(outputs: tuple[Output, ...], cache: Path) -> Iterator[Fault]:
    """What is wrong with the outputs of dvc.lock, each in the workspace and in the cache.

    Args:
        outputs: those of dvc.lock.
        cache: the folder of DVC's objects.
    """
    for output in outputs:
        if output.path.is_relative_to(paths.METRICS):
            yield from _metric(output)
        elif output.md5.endswith(FOLDER):
            yield from _folder(output, cache)
        else:
            yield from _file(output, output.path, output.md5, cache)


def of_others(outputs: tuple[Output, ...], cache: Path) -> Iterator[Fault]:
    """Damaged objects of the cache that belong to other commits, or to none."""
    known = {object_path(cache, md5) for md5 in _objects(outputs, cache)}
    for path in sorted(set(cache.glob("*/*")) - known):
        name = path.parent.name + path.name
        if _OBJECT.fullmatch(name) and state(path, name.removesuffix(FOLDER)) == "damaged":
            yield Fault(path, "damaged", _shell("rm", "-f", path))


def object_path(cache: Path, md5: str) -> Path:
    """Where DVC keeps what has this digest."""
    return cache / md5[:2] / md5[2:]


def state(path: Path, md5: str) -> State:
    """Of a file that should have this digest."""
    try:
        digest = provenance.md5(path)
    except (FileNotFoundError, NotADirectoryError):
        return "missing"
    except IsADirectoryError:
        return "damaged"
    return "good" if digest == md5 else "damaged"


def listing(folder: Path) -> bytes:
    """What DVC keeps of a folder, and takes the digest of: the digest and name of each file."""
    entries = [
        {"md5": provenance.md5(path), "relpath": path.relative_to(folder).as_posix()}
        for path in _files(folder)
    ]
    entries.sort(key=lambda entry: entry["relpath"])
    return json.dumps(entries, sort_keys=True).encode()


def _file(output: Output, path: Path, md5: str, cache: Path) -> Iterator[Fault]:
    """Of a file that is an output, or in one that is a folder: whole, it heals its other copy."""
    kept = object_path(cache, md5)
    states = {path: state(path, md5), kept: state(kept, md5)}
    if states[kept] == "good":
        command = ("dvc", "checkout", str(path))
    elif states[path] == "good":
        command = ("dvc", "commit", output.stage)
    else:
        command = ("dvc", "repro", output.stage)
    yield from _faults(states, *command)


def _folder(output: Output, cache: Path) -> Iterator[Fault]:
    kept = object_path(cache, output.md5)
    kept_state = state(kept, output.md5.removesuffix(FOLDER))
    listed = _listed(output, cache)
    if listed is None:
        whole: State = "damaged" if output.path.exists() else "missing"
        yield from _faults({output.path: whole, kept: kept_state}, "dvc", "repro", output.stage)
        return
    yield from _faults({kept: kept_state}, "dvc", "commit", output.stage)
    for path, md5 in listed.items():
        yield from _file(output, path, md5, cache)
    for path in _files(output.path):
        if path not in listed:
            yield Fault(path, "surplus", _shell("rm", path))


def _faults(states: Mapping[Path, State], *command: str) -> Iterator[Fault]:
    """A fault for each file that is not good; the command comes after what is damaged is gone.

    An output that is neither here nor in the cache is one fault: nothing has happened to it.
    """
    damaged = [path for path, each in states.items() if each == "damaged"]
    heal = _shell(*command)
    if damaged:
        heal = f"{_shell('rm', '-rf', *damaged)} && {heal}"
    if set(states.values()) == {"missing"}:
        yield Fault(next(iter(states)), "missing", heal)
        return
    for path, each in states.items():
        if each != "good":
            yield Fault(path, each, heal)


def _metric(output: Output) -> Iterator[Fault]:
    """Metrics are not in DVC's cache but in git."""
    current = state(output.path, output.md5)
    if current == "good":
        return
    committed = b""
    with contextlib.suppress(OctetError):  # without a commit of it, DVC heals it
        committed = git.content("HEAD", output.path)
    if _MD5(committed).hexdigest() == output.md5:
        yield Fault(output.path, current, _shell("git", "checkout", "HEAD", "--", output.path))
    else:
        yield from _faults({output.path: current}, "dvc", "repro", output.stage)


def _listed(output: Output, cache: Path) -> dict[Path, str] | None:
    """The files of a folder with their digests, by whichever listing is whole; None if none is."""
    kept = object_path(cache, output.md5)
    md5 = output.md5.removesuffix(FOLDER)
    if state(kept, md5) == "good":
        content = kept.read_bytes()
    else:
        content = listing(output.path)
        if _MD5(content).hexdigest() != md5:
            return None
    return {output.path / entry["relpath"]: entry["md5"] for entry in json.loads(content)}


def _objects(outputs: tuple[Output, ...], cache: Path) -> Iterator[str]:
    """The digests of all objects that these outputs are made of, as far as is known."""
    for output in outputs:
        yield output.md5
        if output.md5.endswith(FOLDER):
            yield from (_listed(output, cache) or {}).values()


def _files(folder: Path) -> list[Path]:
    """All files below a folder, but for what a killed stage left half-written (.dvcignore)."""
    return [p for p in sorted(folder.rglob("*")) if p.is_file() and p.suffix != ".part"]


def _cache() -> Path:
    """The folder of DVC's objects, wherever its configuration puts it."""
    done = dvc.captured("cache", "dir")
    if done.returncode:
        reason = " ".join(done.stderr.decode(errors="replace").split())
        raise OctetError(f"`dvc cache dir` failed: {reason}")
    return Path(os.path.relpath(os.fsdecode(done.stdout).strip())) / "files" / "md5"


def _shell(*words: str | Path) -> str:
    return shlex.join(map(str, words))


if __name__ == "__main__":
    main()
