"""What every command does with what goes wrong, and with the streams that it was given."""

import argparse
import contextlib
import io
import signal
import sys
from collections.abc import Iterator
from typing import NoReturn

from octet.errors import OctetError


class Parser(argparse.ArgumentParser):
    """Of arguments: those that are not allowed are an OctetError."""

    def error(self, message: str) -> NoReturn:
        """Say where to read what is allowed."""
        raise OctetError(f"{message}; `{self.prog} --help` says what is allowed")


@contextlib.contextmanager
def one_line() -> Iterator[None]:
    """Inside, what a person can mend is one line on standard error, and exit status 1.

    Output is UTF-8 whatever the locale says. A reader of it that has seen enough ends the command
    without a word, as it does other tools.
    """
    before = signal.signal(signal.SIGPIPE, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8")
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
        signal.signal(signal.SIGPIPE, before)
