"""What the image runs: `sample`, its two models on its test rows; or a command of octet.

Either way the two model files must have the digests that dvc.lock had when the image was made:
they are in the image's labels, and in MD5SUMS, where this process can read them.
"""

import csv
import runpy
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from octet import provenance
from octet.cli.command import one_line
from octet.errors import OctetError
from octet.modelfile import storage
from octet.signature import Classes, Numbers

ROOT = Path(__file__).parent.parent
FLOAT, QUANTIZED = ROOT / "models" / "float.safetensors", ROOT / "models" / "quantized.safetensors"


def main() -> None:
    """Check both models, and do what the first argument says."""
    with one_line():
        check_models()
        match sys.argv[1:]:
            case ["sample"]:
                sample()
            case ["predict" | "info" | "monitor" as command, *arguments]:
                sys.argv = ["octet", command, str(QUANTIZED), *arguments]
                runpy.run_module("octet", run_name="__main__", alter_sys=True)
            case other:
                raise OctetError(
                    f"got {' '.join(other)!r}; allowed are sample, predict, info and monitor"
                )


def check_models() -> None:
    """Hash both models.

    Raises:
        OctetError: one is not that of which the image's labels speak.
    """
    digests = (line.split() for line in (ROOT / "MD5SUMS").read_text().splitlines())
    for expected, name in digests:
        digest = provenance.md5(ROOT / name)
        if digest != expected:
            raise OctetError(
                f"{name}: got MD5 {digest}; the image was made with {expected}: pull it again"
            )


def sample() -> None:
    """Predict the sample with both models: the summary of each, and how far they are apart."""
    sys.stdout.write(f"revision {(ROOT / 'REVISION').read_text()}\n")
    (rows,) = ROOT.glob("sample.*")
    predictions: list[list[str]] = []
    for model in (FLOAT, QUANTIZED):
        command = [sys.executable, "-m", "octet", "predict", str(model), str(rows), "--summary"]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit(done.stderr.strip())
        sys.stdout.write(f"{model.stem}\n{done.stderr}\n")
        predictions.append(first_column(done.stdout))
    before, after = predictions
    outputs = storage.load_network(FLOAT).signature.outputs
    sys.stdout.write(f"quantized - float\n{difference(before, after, outputs)}\n")


def first_column(text: str) -> list[str]:
    """The predictions, of what `octet predict` wrote: CSV with a header."""
    return [row[0] for row in csv.reader(text.splitlines()[1:])]


def difference(before: Sequence[str], after: Sequence[str], outputs: Numbers | Classes) -> str:
    """How far two models' predictions for these outputs are apart."""
    if isinstance(outputs, Classes):
        same = sum(a == b for a, b in zip(before, after, strict=True))
        return f"same class: {same} of {len(before)}"
    apart = np.abs(np.asarray(after, np.float64) - np.asarray(before, np.float64))
    return f"largest: {np.max(apart):.6f}, mean: {np.mean(apart):.6f} (absolute)"


if __name__ == "__main__":
    main()
