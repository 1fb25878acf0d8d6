"""Write files whole or not at all."""

import glob
import os
from pathlib import Path


def write(path: Path, content: bytes) -> None:
    """Replace ``path`` by ``content`` in one step: a reader sees the old file or the new one.

    The bytes go to ``.NAME.PID.part`` beside it, reach the disk, and are renamed into place.
    What a killed writer left there is cleared away first.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    for left_over in path.parent.glob(f".{glob.escape(path.name)}.*.part"):
        left_over.unlink(missing_ok=True)
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say for what
        raise
    finally:
        part.unlink(missing_ok=True)
