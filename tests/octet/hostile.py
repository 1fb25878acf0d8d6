"""python -m tests.octet.hostile [CASES]: model files that lie, thrown at the reader."""

import json
import math
import signal
import struct
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from octet import inference, storage
from octet.errors import OctetError
from octet.network import Network
from tests.octet import modelfiles, networks

SECONDS = 20  # in which one file must be done with, however slow the machine
NUMBERS = [0, -1, 1, 2, 3, 7, 17, 2**31, 2**63, 2**64, 10**30, 0.5, -0.0, 1e308, 1e-320]
VALUES = [*NUMBERS, None, True, "", "x", "F64", "U8", "\x00", "é" * 50, [], {}, [[]], "1" * 500]


def valid() -> list[bytes]:
    """Small files of every kind."""
    made: list[Network] = [modelfiles.weights_only(each) for each in modelfiles.GRANULARITIES]
    for seed, kind in enumerate(networks.KINDS.values()):
        made += [kind(seed, 8), kind(seed, 3, False), networks.in_float(kind(seed))]
    return [storage.dump_network(network) for network in made]


def mutant(content: bytes, rng: np.random.Generator) -> bytes:
    """The file with one to three things changed."""
    for _ in range(rng.integers(1, 4)):
        change = CHANGES[rng.integers(len(CHANGES))]
        try:
            content = change(content, rng)
        except (ValueError, KeyError, TypeError, RecursionError, struct.error):
            continue  # what an earlier change left cannot be taken apart any more
    return content


def flip(content: bytes, rng: np.random.Generator) -> bytes:
    """Other bytes at some places."""
    changed = bytearray(content)
    for place in rng.integers(0, max(len(changed), 1), rng.integers(1, 9)):
        if place < len(changed):
            changed[place] = rng.integers(256)
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    """The file ends too early, or too late."""
    if rng.random() < 0.7:
        return content[: rng.integers(len(content) + 1)]
    return content + rng.bytes(rng.integers(1, 100))


def length(content: bytes, rng: np.random.Generator) -> bytes:
    """A lie about the length of the header."""
    (true,) = struct.unpack_from("<Q", content)
    near = int(true) + int(rng.integers(-9, 10))
    lie = [near, 0, 1, 2**63, 2**64 - 1, len(content), len(content) - 8][rng.integers(7)]
    return struct.pack("<Q", lie % 2**64) + content[8:]


def tensors(content: bytes, rng: np.random.Generator) -> bytes:
    """A lie in the header of safetensors: names, dtypes, shapes, offsets."""
    header, rest = _take_apart(content)
    _change(header, rng)
    return _put_together(header, rest)


def layers(content: bytes, rng: np.random.Generator) -> bytes:
    """A lie in our own header: kinds, bits, shapes, names, figures."""
    header, rest = _take_apart(content)
    own = json.loads(header["__metadata__"]["octet"])
    _change(own, rng)
    header["__metadata__"]["octet"] = json.dumps(own)
    return _put_together(header, rest)


def arrays(content: bytes, rng: np.random.Generator) -> bytes:
    """Other numbers in the arrays: NaN, infinities, zeros, the largest, any."""
    header, rest = _take_apart(content)
    changed = bytearray(rest)
    place = int(rng.integers(0, max(len(rest) - 8, 1)))
    number = [math.nan, math.inf, 0.0, -1.0, 1e308, 5e-324, 1e-45][rng.integers(7)]
    form = ["<d", "<f"][rng.integers(2)]
    with np.errstate(all="ignore"):
        value = float(np.float32(number)) if form == "<f" else number
    struct.pack_into(form, changed, place, value)
    return _put_together(header, bytes(changed))


CHANGES = [flip, cut, length, tensors, layers, layers, layers, arrays, arrays]


def _take_apart(content: bytes) -> tuple[Any, bytes]:
    (size,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + size]), content[8 + size :]


def _put_together(header: object, rest: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


def _change(tree: Any, rng: np.random.Generator) -> None:
    """One value somewhere in the tree becomes another, vanishes, or comes twice."""
    places: list[tuple[Any, Any]] = []
    todo = [tree]
    while todo:
        node = todo.pop()
        keys = list(node) if isinstance(node, dict) else range(len(node))
        for key in keys:
            places.append((node, key))
            if isinstance(node[key], dict | list):
                todo.append(node[key])
    node, key = places[rng.integers(len(places))]
    match rng.integers(5):
        case 0:
            del node[key]
        case 1 if isinstance(node, dict):
            node[f"{key}x"] = node[key]
        case 2:
            other, there = places[rng.integers(len(places))]
            node[key] = json.loads(json.dumps(other[there])) if there in other else None
        case _:
            node[key] = VALUES[rng.integers(len(VALUES))]


def run(count: int, folder: Path) -> Counter[str]:
    """Read so many mutants, and run those that are networks all the same.

    Returns:
        How many were refused, accepted, and accepted but refused to run.

    Raises:
        Whatever is no OctetError: then the file is left in the folder.
    """
    rng, files = np.random.default_rng(0), valid()
    seen: Counter[str] = Counter()
    path = folder / "hostile.safetensors"
    signal.signal(signal.SIGALRM, _too_slow)
    for _ in range(count):
        path.write_bytes(mutant(files[rng.integers(len(files))], rng))
        signal.alarm(SECONDS)
        seen[_outcome(path)] += 1
    signal.alarm(0)
    return seen


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def _outcome(path: Path) -> str:
    try:
        network = storage.load_network(path)
    except OctetError as error:
        return "refused" if "\n" not in str(error) else "refused in more than one line"
    if math.prod(network.signature.shape) > 10**6:
        return "too large to be run here"
    try:
        with np.errstate(all="ignore"):
            inference.run(network, np.ones((2, *network.signature.shape), np.uint8).astype(float))
    except OctetError:
        return "refused to run"
    return "accepted"


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        print(dict(run(int(sys.argv[1]) if sys.argv[1:] else 100_000, Path(name))))
