"""Where a model file comes from: its digest, what its header says, and the revision of the code.

The revision cannot be in the file. Same inputs make the same bytes, in whatever commit; and a file
with the revision in it would change the commit that it names. So it is looked up by the file's MD5:
DVC keeps that in dvc.lock, git knows which commit put it there, and an image has it in REVISION.
"""

import hashlib
import subprocess
from pathlib import Path

# In an image, beside this package: the revision that it was made of.
_REVISION = Path(__file__).parent.parent / "REVISION"
_LOCK = Path("dvc.lock")


def md5(path: Path) -> str:
    """The digest of a file by which DVC knows it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.md5(usedforsecurity=False)).hexdigest()


def revision(digest: str) -> str | None:
    """The git revision of an image or, at the top of a clone, the commit that brought the file.

    None where the file is not that of the dvc.lock here, that is not committed, or git is missing.

    Args:
        digest: of the model file, as `md5` gives it.
    """
    if _REVISION.is_file():
        return _REVISION.read_text().strip()
    if not _LOCK.is_file() or digest not in _LOCK.read_text():
        return None
    command = ["git", "log", "-1", "--format=%H", "--no-textconv", f"-S{digest}", "--", str(_LOCK)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() or None
