"""What every command does with what goes wrong, and with the streams that it was given."""

import argparse
import contextlib
import ctypes
import io
import os
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from octet.errors import OctetError

_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3  # in malloc.h


class Parser(argparse.ArgumentParser):
    """Of arguments: those that are not allowed are an OctetError.

    Without ``prog``, the command has the name that it was started by: ``python -m stages.load``.
    """

    def __init__(self, prog: str | None = None, description: str | None = None) -> None:
        """As argparse has them."""
        module = sys.modules["__main__"].__spec__
        if prog is None and module is not None:
            prog = f"python -m {module.name.removesuffix('.__main__')}"
        super().__init__(prog, description=description)

    def error(self, message: str) -> NoReturn:
        """Say where to read what is allowed."""
        raise OctetError(f"{message}; `{self.prog} --help` says what is allowed")


def keep_memory() -> None:
    """Let the C library keep memory that is freed: the next array takes it.

    The one of Linux gives large arrays back to the system, which clears each page before it lends
    it again: some two fifths of the time of a network in float.
    """
    if mallopt := getattr(ctypes.CDLL(None), "mallopt", None):
        mallopt(_TRIM_THRESHOLD, 1 << 30)
        mallopt(_MMAP_THRESHOLD, 1 << 25)  # the most that it takes


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Inside, what a person can mend is one line on standard error, and exit status 1.

    Output is UTF-8 whatever the locale says. A reader of it that has seen enough ends the command
    without a word, as it does other tools.
    """
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    # A library may have put a stream of its own before the real one, as colorama does.
    for stream in (sys.stdout, sys.__stdout__, sys.stderr, sys.__stderr__):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    try:
        if sys.stdout is None or sys.stderr is None:
            raise OctetError("standard output or standard error is closed")
        yield
        sys.stdout.flush()
    except OctetError as error:
        sys.exit(f"error: {error}")
    except OSError as error:
        sys.exit(
            f"error: {error.filename or 'standard input or output'}: {error.strerror or error}"
        )
    except MemoryError as error:
        sys.exit(f"error: not enough memory ({error})")
    finally:
        _drop_what_nobody_takes()
        signal.signal(signal.SIGPIPE, before)


def _drop_what_nobody_takes() -> None:
    """Python flushes standard output once more when it ends, and would end with a status of 120."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
