"""python -m container.build SYSTEM: make the image of a system, and try it out.

With docker where its engine answers. Else with buildah, as root on Debian, on a base that
debootstrap makes in place of python:3.11-slim: every instruction runs, with Debian's own Python.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from container.sample import sample
from octet.cli.command import Parser, one_line
from octet.errors import OctetError
from stages import lock, paths
from stages.commands import verify

MOST_ADDED = 120_000_000
STRANGER = "54321:54321"

_BASE = "localhost/python:3.11-slim"
_SUITE = "bookworm"
_PACKAGES = "python3,python3-pip,python-is-python3"
_CERTIFICATES = Path("etc/ssl/certs/ca-certificates.crt")


# Takes a folder, a user, and the command that runs as that user with the folder as its root.
_READ_ONLY = """
root=$1 user=$2
shift 2
mount --bind "$root" "$root"
mount -o remount,ro,bind "$root"
if touch "$root/written" 2>/dev/null; then echo "$root can be written to" >&2; exit 1; fi
exec chroot --userspec="$user" "$root" "$@"
"""


class Engine(Protocol):
    """What makes an image of the Dockerfile, and runs it without a network."""

    def build(self, tag: str, arguments: Sequence[str]) -> None:
        """Make the image, with these build arguments, ``NAME=value``."""

    def labels(self, tag: str) -> dict[str, str]:
        """The labels of the image."""

    def run(
        self, tag: str, *command: str, entrypoint: str = "", user: str = "", rows: bytes = b""
    ) -> bytes:
        """What a container writes, with ``rows`` as its standard input.

        Command, entry point and user are the image's own unless they are given.
        """

    def run_read_only(self, tag: str) -> bytes:
        """What a container writes of which the root file system is read-only."""


class _Docker:
    """The real thing."""

    def build(self, tag: str, arguments: Sequence[str]) -> None:
        _call("docker", "build", "--tag", tag, *_each("--build-arg", arguments), ".")

    def labels(self, tag: str) -> dict[str, str]:
        labels = _output("docker", "image", "inspect", "--format", "{{json .Config.Labels}}", tag)
        return dict(json.loads(labels))

    def run(
        self, tag: str, *command: str, entrypoint: str = "", user: str = "", rows: bytes = b""
    ) -> bytes:
        options = ["--rm", "--interactive", "--network", "none"]
        options += ["--entrypoint", entrypoint] if entrypoint else []
        options += ["--user", user] if user else []
        return _output("docker", "run", *options, tag, *command, rows=rows)

    def run_read_only(self, tag: str) -> bytes:
        return _output("docker", "run", "--rm", "--read-only", "--network", "none", tag)


class _Buildah:
    """Without an engine: the processes of a container run in a chroot."""

    def build(self, tag: str, arguments: Sequence[str]) -> None:
        if not _succeeds("buildah", "inspect", "--type", "image", _BASE):
            _make_base()
        how = ["--isolation", "chroot", "--network", "host", "--pull-never", "--layers"]
        options = _each("--build-arg", [*arguments, f"BASE={_BASE}"])
        _call("buildah", "build", *how, "--tag", tag, *options, ".")

    def labels(self, tag: str) -> dict[str, str]:
        return dict(self._config(tag)["Labels"])

    def run(
        self, tag: str, *command: str, entrypoint: str = "", user: str = "", rows: bytes = b""
    ) -> bytes:
        config = self._config(tag)
        start = [entrypoint] if entrypoint else config["Entrypoint"]
        how = ["--isolation", "chroot", *(["--user", user] if user else [])]
        with _container(tag) as container:
            words = [*how, container, "--", *start, *(command or config["Cmd"])]
            return _output("unshare", "--net", "buildah", "run", *words, rows=rows)

    def run_read_only(self, tag: str) -> bytes:
        """`buildah run` must write to the root file system itself, so here it is without it."""
        config = self._config(tag)
        with _container(tag) as container:
            root = _output("buildah", "mount", container).decode().strip()
            start = ["env", "-i", *config["Env"], *config["Entrypoint"], *config["Cmd"]]
            words = [root, config["User"], *start]
            return _output("unshare", "--mount", "--net", "sh", "-euc", _READ_ONLY, "sh", *words)

    def _config(self, tag: str) -> Any:
        return json.loads(_output("buildah", "inspect", "--type", "image", tag))["OCIv1"]["config"]


@contextlib.contextmanager
def _container(tag: str) -> Iterator[str]:
    """The name of a container of buildah's, for as long as it is needed."""
    name = _output("buildah", "from", "--pull-never", tag).decode().strip()
    try:
        yield name
    finally:
        _output("buildah", "rm", name)


def main() -> None:
    """Exit 0 with an image that does what it should; else 1, with one line that says what not."""
    with one_line():
        parser = Parser(description="Make the image of a system, and try it out.")
        parser.add_argument("system", help="a name under systems: in params.yaml")
        system = parser.parse_args().system
        engine = _engine()
        refuse_other_bytes(system)
        tag = f"octet:{system}"
        labels = labels_of(system)
        engine.build(tag, build_arguments(system, labels))
        try_out(engine, tag, system, labels)


def refuse_other_bytes(system: str) -> None:
    """Raise an OctetError unless models and data are those of dvc.lock."""
    models = paths.float_path(system), paths.quantized_path(system)
    for path in (paths.data_path(system), *models):
        if (state := verify.state(path, lock.digest_of(path))) != "good":
            raise OctetError(f"{path}: {state}; `python -m stages.commands.verify` says what to do")


def labels_of(system: str) -> dict[str, str]:
    """What the image says of where its models come from.

    Raises:
        OctetError: as `lock.digest_of`.
    """
    revision = _output("git", "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty")
    return {
        "org.opencontainers.image.revision": revision.decode().strip(),
        "octet.float.md5": lock.digest_of(paths.float_path(system)),
        "octet.quantized.md5": lock.digest_of(paths.quantized_path(system)),
    }


def build_arguments(system: str, labels: Mapping[str, str]) -> list[str]:
    """What the Dockerfile asks for, as ``NAME=value``."""
    arguments = [
        f"SYSTEM={system}",
        f"REVISION={labels['org.opencontainers.image.revision']}",
        f"FLOAT_MD5={labels['octet.float.md5']}",
        f"QUANTIZED_MD5={labels['octet.quantized.md5']}",
    ]
    # The mirror of this machine, where it has one.
    mirror = os.environ.get("PIP_INDEX_URL")
    return [*arguments, f"PIP_INDEX_URL={mirror}"] if mirror else arguments


def try_out(engine: Engine, tag: str, system: str, labels: Mapping[str, str]) -> None:
    """Run the image as its users will, and print what they see.

    Raises:
        OctetError: it does not do what it should.
    """
    own = engine.labels(tag)
    _require(labels.items() <= own.items(), f"labels: got {own}; allowed is {labels}")
    shown = engine.run(tag)
    sys.stdout.write(f"{shown.decode()}\n")
    _require(engine.run(tag, user=STRANGER) == shown, f"as user {STRANGER} it predicts otherwise")
    _require(engine.run_read_only(tag) == shown, "read-only, it predicts otherwise")
    name, rows = sample(paths.data_path(system))
    if name.endswith(".csv"):
        predicted = engine.run(tag, "predict", rows=rows).count(b"\n")
        _require(predicted == rows.count(b"\n"), f"{predicted} lines for a CSV of {name}")
    listed = engine.run(tag, "-sb", "--total", "/app", "/packages", entrypoint="du")
    added = int(listed.split()[-2])
    _require(added <= MOST_ADDED, f"adds {added} bytes to its base; allowed are {MOST_ADDED}")
    sys.stdout.write(f"{tag}: {added / 1e6:.1f} MB over its base\n")


def _engine() -> Engine:
    if _succeeds("docker", "version"):
        return _Docker()
    if os.geteuid() == 0 and shutil.which("buildah") and shutil.which("debootstrap"):
        return _Buildah()
    raise OctetError(
        "no docker engine answers; in its place, as root on Debian: "
        "apt-get install buildah debootstrap"
    )


def _make_base() -> None:
    """A Debian with Python and pip, which trusts the certificates that this machine trusts."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "root")
        _call("debootstrap", "--variant=minbase", f"--include={_PACKAGES}", _SUITE, str(root))
        shutil.copy(Path("/") / _CERTIFICATES, root / _CERTIFICATES)
        container = _output("buildah", "from", "scratch").decode().strip()
        _output("buildah", "copy", container, str(root), "/")
        _output("buildah", "commit", "--rm", container, _BASE)


def _each(option: str, values: Sequence[str]) -> list[str]:
    return [word for value in values for word in (option, value)]


def _require(holds: bool, problem: str) -> None:
    if not holds:
        raise OctetError(f"image: {problem}")


def _call(*command: str) -> None:
    """Run a command whose output a person wants to see."""
    if subprocess.run(command, check=False).returncode:
        raise OctetError(f"`{' '.join(command[:2])}` failed")


def _output(*command: str, rows: bytes = b"") -> bytes:
    """What a command writes. What it says when it fails is the error."""
    done = subprocess.run(command, input=rows, capture_output=True, check=False)
    if done.returncode:
        raise OctetError(f"`{' '.join(command[:3])}`: {done.stderr.decode().strip()}")
    return done.stdout


def _succeeds(*command: str) -> bool:
    if not shutil.which(command[0]):
        return False
    return not subprocess.run(command, check=False, capture_output=True).returncode


if __name__ == "__main__":
    main()
