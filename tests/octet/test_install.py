"""`pip install .` installs the product, and nothing of the factory."""

import subprocess
import sys
from pathlib import Path

from octet.modelfile import storage
from tests.octet.modelfiles import weights_only


def test_what_is_installed_is_octet_and_its_command(tmp_path: Path, committed: Path) -> None:
    # The backend is that of the requirements: nothing is downloaded.
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index", "--target"]
    target = tmp_path / "installed"
    subprocess.run(["git", "clone", "--quiet", committed, tmp_path / "clone"], check=True)
    install = [sys.executable, "-m", "pip", "install", *options, target, tmp_path / "clone"]
    subprocess.run(install, check=True, capture_output=True)
    assert {path.name for path in target.iterdir()} == {"bin", "octet", "octet-0.1.0.dist-info"}
    model = tmp_path / "model.safetensors"
    model.write_bytes(storage.dump_network(weights_only("float", widths=(2, 1))))
    done = subprocess.run(
        [target / "bin" / "octet", "predict", model, "--no-header"],
        input="1,2\n",
        env={"PYTHONPATH": str(target)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert len(done.stdout.splitlines()) == 2
