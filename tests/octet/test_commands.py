"""What goes wrong in a command is one line, whatever its streams and locale are."""

import signal
import subprocess
import sys

import pytest

from tests.conftest import ROOT, environment

ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii"}


def run(work: str, shell: str = "{}", before: str = "") -> subprocess.CompletedProcess[str]:
    """A command that does this work, and what a shell makes of it."""
    code = f"{before}\nfrom octet.cli.command import one_line\nwith one_line():\n    {work}"
    command = shell.format('"$PYTHON" -c "$CODE"')
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", command],
        env=environment(ASCII | {"PYTHONPATH": str(ROOT), "PYTHON": sys.executable, "CODE": code}),
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )


def test_output_is_utf8_whatever_the_locale_says() -> None:
    done = run(r"print('R\u00b2', '\u2192')")
    assert (done.returncode, done.stdout, done.stderr) == (0, "R² →\n", "")


def test_it_is_too_behind_a_stream_that_a_library_put_there_and_of_names_that_are_no_text() -> None:
    done = run(r"print('\u2192', '\udcff')", before="import colorama; colorama.init(strip=True)")
    assert (done.returncode, done.stdout, done.stderr) == (0, "→ \\udcff\n", "")


@pytest.mark.parametrize(
    ("work", "message"),
    [
        ("open('no-such-file')", "no-such-file: No such file or directory"),
        ("open('.')", ".: Is a directory"),
        ("raise OSError('no number')", "standard input or output: no number"),
        ("raise MemoryError('too much')", "not enough memory (too much)"),
        ("from octet.errors import OctetError; raise OctetError('a: b')", "a: b"),
    ],
)
def test_what_a_person_can_mend_is_one_line(work: str, message: str) -> None:
    done = run(work)
    assert (done.returncode, done.stderr) == (1, f"error: {message}\n")


def test_what_nobody_foresaw_is_not_hidden() -> None:
    done = run("[][0]")
    assert done.returncode == 1
    assert "IndexError" in done.stderr


@pytest.mark.parametrize(
    ("shell", "message"),
    [
        ("{} > /dev/full", "standard input or output: No space left on device"),
        ("{} >&-", "standard output or standard error is closed"),
    ],
)
def test_output_that_goes_nowhere_is_an_error(shell: str, message: str) -> None:
    done = run("print('text')", shell)
    assert (done.returncode, done.stderr) == (1, f"error: {message}\n")


def test_without_a_place_for_errors_there_is_no_text_but_the_status() -> None:
    done = run("print('text')", "{} 2>&-")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_a_reader_that_has_seen_enough_ends_it_as_it_ends_other_tools() -> None:
    done = run("[print('text') for _ in range(100_000)]", "{} | true")
    assert done.returncode == 128 + signal.SIGPIPE
    assert done.stderr == ""
