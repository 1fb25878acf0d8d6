"""python -m docs.console [PAGE …]: runs the commands that pages print, and renews their output.

In a fence ```console each line ``$ command`` is run, and what it prints stands below it. A line
``...`` stands for output that is left out: to the end, or up to the line that begins as the next
one does. Commands in a fence ```sh are not run: they take minutes, or a service. Every page has a
fresh clone, whose data and models DVC takes from this repository's cache where they are there.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_BASH = shutil.which("bash") or "bash"
_LEFT_OUT = "...\n"
_SAME = 8  # so many characters tell that a line is the one that was shown


def main() -> None:
    """Renew the pages; exit with 1 if a command of theirs did."""
    parser = argparse.ArgumentParser(description="Renew what the commands of the documents print.")
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES, metavar="PAGE")
    failed = []
    for page in parser.parse_args().pages:
        text = page.read_text(encoding="utf-8")
        if not _FENCE.search(text):
            continue
        with tempfile.TemporaryDirectory() as folder:
            shell = Shell(with_environment(clone(Path(folder, "octet"))))
            page.write_text(renewed(text, shell.run), encoding="utf-8")
        failed += [f"{page}: {command}" for command in shell.failed]
    if failed:
        sys.exit("these failed:\n" + "\n".join(failed))


def clone(place: Path) -> Path:
    """A clone of the last commit; DVC's cache is that of this repository."""

    def run(*command: str, check: bool = True) -> None:
        subprocess.run(command, cwd=place, check=check, capture_output=True)

    place.mkdir()
    run("git", "clone", "--quiet", str(ROOT), ".")
    run("git", "config", "user.name", "reader")
    run("git", "config", "user.email", "reader@example.invalid")
    dvc = str(Path(sys.prefix, "bin/dvc"))
    run(dvc, "cache", "dir", "--local", str(ROOT / ".dvc/cache"))
    run(dvc, "checkout", "--quiet", check=False)  # what was never made, the commands make
    return place


def with_environment(place: Path) -> Path:
    """The clone with a virtual environment that `make` finds ready: the one that runs this."""
    environment = place / ".venv"
    environment.mkdir()
    for part in Path(sys.prefix).iterdir():
        (environment / part.name).symlink_to(part)
    ready = environment / ".ready"
    ready.unlink(missing_ok=True)
    ready.touch()
    return place


class Shell:
    """Runs commands in a folder as a reader would who types them in a wide terminal."""

    def __init__(self, place: Path) -> None:
        self._place = place
        # A make of this one's own would print that it is inside another.
        self._env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")} | {
            "PATH": f"{place}/.venv/bin{os.pathsep}{os.environ['PATH']}",
            "COLUMNS": "100",
        }
        self.failed: list[str] = []

    def run(self, command: str) -> str:
        """What the command prints, on both streams."""
        done = subprocess.run(
            [_BASH, "-c", command],
            cwd=self._place,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            self.failed.append(command)
        lines = done.stdout.rstrip().splitlines()
        return "".join(f"{line.rstrip()}\n" for line in lines)


def renewed(page: str, run: Callable[[str], str]) -> str:
    """The page, with what its commands print now."""

    def fence(found: re.Match[str]) -> str:
        parts = re.split(r"^\$ ", found[1], flags=re.MULTILINE)[1:]
        blocks = [part.partition("\n") for part in parts]
        body = "".join(f"$ {line}\n{shown(run(line), old)}" for line, _, old in blocks)
        return f"```console\n{body}```"

    return _FENCE.sub(fence, page)


def shown(printed: str, before: str) -> str:
    """What of a command's output is shown, where ``before`` was."""
    if not before.startswith(_LEFT_OUT):
        return printed
    if before == _LEFT_OUT:
        return _LEFT_OUT
    start = before.removeprefix(_LEFT_OUT)[:_SAME].split("\n")[0]
    lines = printed.splitlines(keepends=True)
    first = next((i for i, line in enumerate(lines) if line.startswith(start)), 0)
    return _LEFT_OUT + "".join(lines[first:])


if __name__ == "__main__":
    main()
