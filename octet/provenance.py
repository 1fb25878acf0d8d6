"""Where a model file comes from: its digest, what its header says, and the revision of the code.

The revision cannot be in the file. Same inputs make the same bytes, in whatever commit; and a file
with the revision in it would change the commit that it names. So it is looked up by the file's MD5:
DVC keeps that in dvc.lock, git knows which commit put it there, and an image has it in REVISION.
"""

import functools
import hashlib
import os
import shutil
import subprocess
from pathlib import Path

# In an image, beside this package: the revision that it was made of.
_REVISION = Path(__file__).parent.parent / "REVISION"

_GIT = shutil.which("git") or "git"
_new_md5 = functools.partial(hashlib.md5, usedforsecurity=False)


def md5(path: Path) -> str:
    """The digest of a file by which DVC knows it."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, _new_md5).hexdigest()


def revision(digest: str) -> str | None:
    """The git revision of an image or, in a clone, the first commit whose dvc.lock has this file.

    The clone is the one that this process is in, not that of the file: what git runs is up to a
    clone's configuration, and the file may be a stranger's. None where no commit has it, or the
    clone is shallow: there the oldest commit seems to have brought everything.

    Args:
        digest: of the model file, as `md5` gives it.
    """
    if _REVISION.is_file():
        return _REVISION.read_text().strip()
    if _git("rev-parse", "--is-shallow-repository").strip() != "false":
        return None
    # DVC's project may be a folder of a larger repository.
    locks = _git("ls-files", "-z", "--full-name", ":(top,glob)**/dvc.lock").split("\0")
    paths = [f":(top,literal){lock}" for lock in locks if lock]
    if not paths:
        return None
    hashes = ("log", "--format=%H", "--no-show-signature", "--no-textconv", f"-S{digest}")
    commits = _git(*hashes, "--", *paths).split()
    return commits[-1] if commits else None


def _git(*words: str) -> str:
    """What git writes; nothing if it fails or is not there."""
    try:
        done = subprocess.run([_GIT, *words], capture_output=True, check=False)
    except OSError:
        return ""
    return os.fsdecode(done.stdout) if done.returncode == 0 else ""
