"""python -m tests.octet.exporters.hostile_c [COUNT]: strangers' model files are C, or refused.

What the reader accepts, the exporter refuses in one line, or writes as C that compiles without a
warning, gives Octet's codes, and in which sanitizers find nothing.
"""

import random
import sys
import tempfile
from pathlib import Path

import numpy as np

from octet.affine import refuse_not_finite
from octet.errors import OctetError
from octet.exporters.c import Options, Selftest, export
from octet.modelfile.storage import load_network
from octet.network import Network
from octet.runtime import floating, integer
from tests.octet.exporters.compiled import codes_of, run_selftests
from tests.octet.hostile import mutant
from tests.octet.modelfiles import put
from tests.octet.networks import rows

SANITIZED = ("-O1", "-fsanitize=address,undefined", "-fno-sanitize-recover")
_TOGETHER = 20
_LARGEST_ROW = 10_000  # numbers of which C is written within seconds


def attack(count: int, seed: int, folder: Path) -> tuple[int, int]:
    """Try so many files; returns how many were C, and how many the exporter refused."""
    texts, written, refused = list[str](), 0, 0
    for i in range(count):
        put(folder / "model.safetensors", mutant(random.Random(f"{seed} {i}")))
        try:
            network = load_network(folder / "model.safetensors")
        except OctetError:
            continue
        if np.prod(network.signature.shape, dtype=float) > _LARGEST_ROW:
            continue
        try:
            target = ("small", "x86")[i % 2]
            name = f"n{len(texts)}"
            texts.append(export(network, Options(name, target), _selftest(network)).c)
            written += 1
        except OctetError:
            refused += 1
        if len(texts) == _TOGETHER:
            run_selftests(texts, folder, *SANITIZED)
            texts.clear()
    run_selftests(texts, folder, *SANITIZED)
    return written, refused


def _selftest(network: Network) -> Selftest:
    x = rows(network, 3)
    flat = x.reshape(len(x), -1)
    if integer.is_integer(network):
        return Selftest(flat, codes_of(network, x))
    with np.errstate(all="ignore"):
        expected = floating.run(network, x)
    refuse_not_finite(expected, "the outputs")
    return Selftest(flat, expected)


def main() -> None:
    """Print what became of COUNT files."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    written, refused = attack(count, 1, Path(tempfile.mkdtemp(prefix="octet-fuzz-c-")))
    print(f"{count} files: {written} gave the same codes in C, the exporter refused {refused}")


if __name__ == "__main__":
    main()
