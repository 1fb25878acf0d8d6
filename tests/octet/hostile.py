"""python -m tests.octet.hostile [COUNT]: model files from strangers: each is refused, or runs."""

import contextlib
import json
import random
import signal
import struct
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from octet.cli import info
from octet.errors import OctetError
from octet.layers import KINDS
from octet.modelfile.storage import dump_network, load_network
from octet.monitor.reference import take_reference
from octet.network import Network
from octet.rows.batches import Batch, Rows
from octet.runtime.predict import predict
from tests.octet.modelfiles import put, weights_only
from tests.octet.networks import (
    anything,
    flattened,
    images,
    in_array,
    in_float,
    of_text,
    rows,
    table,
)

SECONDS = 10

VALID = [
    dump_network(network)
    for network in (
        weights_only("float"),
        weights_only("unified"),
        weights_only("per_channel", 8),
        weights_only("per_parameter", 12),
        table(0),
        flattened(0),
        images(0, bits=4),
        in_float(images(0)),
        in_array(),
        of_text(),
        *(anything(seed, 5, per_channel=True) for seed in range(8)),
    )
]
VALID += [
    dump_network(
        network, take_reference(network, (rows(network, 30), None), (rows(network, 9), None))
    )
    for network in (table(0), images(0), of_text())
]

JUNK: list[Any] = [
    *(None, True, False, "", "x", "\x1b[2J", "\n", [], {}, [[]], [None], {"bits": 8}),
    *(0, -1, 1, 2, 3, 7, 8, 9, 16, 17, 32, 255, 256, 2**31, 2**32, 2**53, 2**63, 2**64, 10**30),
    *(0.5, -0.0, 1e-300, 1e308, 1e400, float("nan"), -1e400, "8", "F64", "U8", "I32", "BF16"),
    *(*KINDS, ["input"], ["branch1", "input"], [1, 2], "trunk1", "input"),
    *("weight", "1.weight", "2.weight", "git_revision", "data", "params"),
    json.loads("[" * 900 + "]" * 900),
]
NUMBERS = {
    "F64": ("<d", [0.0, -0.0, -1.0, 5e-324, 1e-300, 1e300, np.inf, -np.inf, np.nan]),
    "F32": ("<f", [0.0, -1.0, 1e-45, 1e-38, 3e38, np.inf, -np.inf, np.nan]),
    "I32": ("<i", [0, -1, 2**31 - 1, -(2**31)]),
    "U8": ("<B", [0, 1, 127, 128, 255]),
    "U16": ("<H", [0, 1, 4095, 4096, 65535]),
}


def mutant(rng: random.Random) -> bytes:
    """A valid file with one to three things wrong in it."""
    content = rng.choice(VALID)
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        # What the first damage left may be no file to take apart for the next.
        with contextlib.suppress(Exception):
            content = rng.choice(WAYS)(content, rng)
    return content


def _bytes(content: bytes, rng: random.Random) -> bytes:
    """Wrong bytes: anywhere, or in the header."""
    damaged = bytearray(content)
    end = rng.choice([8, 8 + struct.unpack("<Q", content[:8])[0], len(content)])
    for _ in range(rng.choice([1, 1, 2, 8])):
        damaged[rng.randrange(min(end, len(damaged)))] = rng.randrange(256)
    return bytes(damaged)


def _length(content: bytes, rng: random.Random) -> bytes:
    """Cut off, or longer; or a part twice, or missing."""
    start, end = sorted(rng.randrange(len(content) + 1) for _ in range(2))
    part = content[start:end]
    return rng.choice(
        [content[:start], content + part, content[:start] + content[end:], content[:end] + part]
    )


def _header_length(content: bytes, rng: random.Random) -> bytes:
    (length,) = struct.unpack("<Q", content[:8])
    lie = rng.choice([0, 1, length - 1, length + 1, len(content), 2**20, 2**31, 2**63, 2**64 - 1])
    return struct.pack("<Q", lie) + content[8:]


def _tensors(content: bytes, rng: random.Random) -> bytes:
    """A lie of the container's: about a shape, a dtype, an offset, or which arrays there are."""
    header, data = _taken_apart(content)
    _lie(header, rng)
    return _put_together(header, data)


def _network(content: bytes, rng: random.Random) -> bytes:
    """A lie of ours: about layers, widths, grids, names, or what is proven."""
    header, data = _taken_apart(content)
    ours = json.loads(header["__metadata__"]["octet"])
    if rng.random() < 0.3:
        layers = ours["layers"]
        layers.insert(rng.randrange(len(layers)), layers.pop(rng.randrange(len(layers))))
    else:
        _lie(ours, rng)
    header["__metadata__"]["octet"] = json.dumps(ours)
    return _put_together(header, data)


def _value(content: bytes, rng: random.Random) -> bytes:
    """A number that no quantizer makes, in one array."""
    header, data = _taken_apart(content)
    tensor = header[rng.choice([name for name in header if name != "__metadata__"])]
    form, numbers = NUMBERS[tensor["dtype"]]
    begin, end = tensor["data_offsets"]
    size = struct.calcsize(form)
    place = int(begin) + size * rng.randrange(int(end - begin) // size)
    number = struct.pack(form, rng.choice(numbers))
    return _put_together(header, data[:place] + number + data[place + len(number) :])


WAYS: list[Callable[[bytes, random.Random], bytes]] = [
    _bytes,
    _length,
    _header_length,
    _tensors,
    _tensors,
    _network,
    _network,
    _network,
    _value,
    _value,
]


def _taken_apart(content: bytes) -> tuple[Any, bytes]:
    (length,) = struct.unpack("<Q", content[:8])
    return json.loads(content[8 : 8 + length]), content[8 + length :]


def _put_together(header: Any, data: bytes) -> bytes:
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def _lie(tree: Any, rng: random.Random) -> None:
    """Change, remove or add one value, at any depth."""
    spots = list(_spots(tree))
    place, key = rng.choice(spots)
    if rng.random() < 0.15:
        del place[key]
    elif rng.random() < 0.15:
        other, other_key = rng.choice(spots)
        place[key] = other[other_key] if other is not tree else rng.choice(JUNK)
    elif rng.random() < 0.1 and isinstance(place, dict):
        place[str(rng.choice(JUNK))] = rng.choice(JUNK)
    elif type(place[key]) is int and rng.random() < 0.5:
        place[key] += rng.choice([-8, -1, 1, 8])
    else:
        place[key] = rng.choice(JUNK)


def _spots(tree: Any) -> Iterator[tuple[Any, Any]]:
    keys = tree if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    for key in keys:
        yield tree, key
        yield from _spots(tree[key])


def is_refused(content: bytes, file: Path) -> bool:
    """Whether a file is refused in one line; if not, it is described, and predicts what it can.

    Raises:
        Exception: anything but an OctetError, or more than SECONDS.
    """
    put(file, content)
    with _limit():
        try:
            network = load_network(file)
        except OctetError as error:
            message = str(error)
        else:
            assert info.table(info.describe(file)).replace("\n", "").isprintable()
            dump_network(network)
            _predict(network)
            return False
    assert message.startswith(f"{file}: ")
    assert message.isprintable()
    return True


def _predict(network: Network) -> None:
    shape = network.signature.shape
    if np.prod(shape, dtype=float) > 1e6:  # nobody has such rows
        return
    x = rows(network, 3)
    batch = Batch(np.arange(len(x)), x, None, {}, None)
    for predicted in predict(network, Rows("rows", "row", iter([batch])), skip=True):
        assert np.all(np.isfinite(predicted.outputs))


@contextlib.contextmanager
def _limit() -> Iterator[None]:
    signal.signal(signal.SIGALRM, _too_slow)
    signal.alarm(SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)


def _too_slow(*_: object) -> None:
    raise TimeoutError(f"more than {SECONDS} s")


def attack(count: int, seed: int, file: Path) -> int:
    """Try so many files; returns how many were refused."""
    refused = 0
    for i in range(count):
        content = mutant(random.Random(f"{seed} {i}"))
        try:
            refused += is_refused(content, file)
        except BaseException:
            print(f"seed {seed}, case {i}: {file}", file=sys.stderr)
            raise
    return refused


def main() -> None:
    """Print how many of COUNT files were refused; one that was neither that nor ran is kept."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    folder = Path(tempfile.mkdtemp(prefix="octet-fuzz-"))
    refused = attack(count, 1, folder / "model.safetensors")
    print(f"{count} files: {refused} refused in one line, {count - refused} ran")


if __name__ == "__main__":
    main()
