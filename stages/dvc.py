"""DVC as a command of this Python's, whatever the locale says of the paths that it prints."""

import os
import subprocess
import sys

UTF8 = {"PYTHONUTF8": "1", "PYTHONIOENCODING": "utf-8"}


def run(*arguments: str, quiet: bool = False) -> int:
    """The exit status of a DVC command, which says the rest itself; nothing if ``quiet``."""
    stream = subprocess.DEVNULL if quiet else None
    return subprocess.run(
        _command(*arguments), env=os.environ | UTF8, check=False, stdout=stream, stderr=stream
    ).returncode


def captured(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    """Exit status and both streams of a DVC command."""
    return subprocess.run(
        _command(*arguments), env=os.environ | UTF8, capture_output=True, check=False
    )


def _command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "dvc", *arguments]
