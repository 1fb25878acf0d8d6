"""The state of a monitor as one small file, in and out: whole or not at all, and one at a time."""

import contextlib
import fcntl
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from octet.errors import OctetError
from octet.modelfile.arrays import AnyArray, dump_arrays, load_arrays
from octet.modelfile.reference import Reference
from octet.monitor import watch as watching
from octet.monitor.evidence import Stream
from octet.monitor.flat import flatten, restore
from octet.monitor.mean import Mean
from octet.monitor.rate import Rate
from octet.monitor.reading import Position
from octet.monitor.watch import ALL, History, Life, Watch, Watched
from octet.monitor.wealth import BLOCK

EDITION = 2
_KEY = "monitor"
_LARGEST = 4 << 20  # bytes; ours of 30 columns are below 100 kB
# What `start` makes again of the reference and the seed, with every NumPy.
_REMADE = {"reference", "seed", "wealth.log_alarm", "rate.bound", "rate.wealth.log_alarm"}
_MOST_RESETS = 20  # that are told of one by one


@dataclass(frozen=True)
class Reset:
    """The evidence that was put away, and why.

    Attributes:
        reason: in the words of who did it.
        rows: that there were since the start, or since the reset before.
        alarm: whether there was one.
    """

    reason: str
    rows: int
    alarm: bool


@dataclass(frozen=True)
class State:
    """All that a state file holds.

    Attributes:
        watch: what was started, and what came of it.
        positions: how far inputs were read, a few of them, the last one last.
        resets: the last ones, of ``watch.resets``.
    """

    watch: Watch
    positions: tuple[Position, ...] = ()
    resets: tuple[Reset, ...] = ()


def reset(state: State, reference: Reference, reason: str) -> State:
    """The state with all evidence put away: from here on the level is promised anew.

    Rows that were counted stay so: none of them is counted again.
    """
    old = state.watch
    put_away = Reset(reason, old.rows, old.alarm)
    return replace(
        state,
        watch=watching.start(reference, old.life, old.resets + 1),
        resets=(*state.resets, put_away)[-_MOST_RESETS:],
    )


def dump(state: State) -> bytes:
    """The bytes of a state file."""
    watch = state.watch
    facts = {
        "edition": EDITION,
        "life": asdict(watch.life),
        "rows": watch.rows,
        "every": watch.history.every,
        "resets": watch.resets,
        "told": [asdict(one) for one in state.resets],
        "positions": [asdict(one) for one in state.positions],
    }
    each = [_kept(one) for one in watch.watched]
    arrays = {
        name: _narrow(np.concatenate([one[name].ravel() for one in each if name in one]))
        for name in {name for one in each for name in one}
    }
    arrays |= {"history.rows": watch.history.rows, "history.logs": watch.history.logs}
    facts["digest"] = _digest(facts, arrays)
    return dump_arrays({_KEY: facts}, arrays)


def load(path: Path, read: tuple[Path, Path | None], reference: Reference, life: Life) -> State:
    """Read and check the state of a model's monitor.

    Args:
        path: of the state.
        read: the files of the model and of the float one, if there is one, for errors.
        reference: what it knows.
        life: what it was started with, or should have been.

    Raises:
        FileNotFoundError: there is none.
        OctetError: it is damaged, of another edition or model, or was started with other settings.
    """
    if path.stat().st_size > _LARGEST:
        raise OctetError(f"{path}: got {path.stat().st_size} bytes; a state has {_LARGEST} at most")
    try:
        header, arrays = load_arrays(path)
        facts: dict[str, Any] = header[_KEY]
        if facts["edition"] != EDITION:
            raise OctetError(
                f"{path}: got a state of edition {facts['edition']!r}; allowed is {EDITION}: begin "
                "a new one under another name"
            )
        _refuse_other_life(path, read, facts["life"], life)
        if facts.pop("digest") != _digest(facts, arrays):
            raise ValueError
        return _restored(facts, arrays, reference, life)
    except (AttributeError, IndexError, KeyError, TypeError, ValueError) as error:
        raise _damaged(path) from error
    except OctetError as error:
        raise (error if str(error).startswith(f"{path}: got ") else _damaged(path)) from None


def _damaged(path: Path) -> OctetError:
    return OctetError(
        f"{path}: got no whole state of `octet monitor`; move it away and begin a new one: what it "
        "knew is lost"
    )


def _refuse_other_life(
    path: Path, read: tuple[Path, Path | None], known: Mapping[str, Any], life: Life
) -> None:
    model, in_float = read
    if known["model"] != life.model:
        raise OctetError(
            f"{path}: got the state of another model, MD5 {known['model']}; {model} has "
            f"{life.model}: each has a state of its own"
        )
    if known["against"] != life.against:
        now = f"{in_float}, MD5 {life.against}" if in_float else "left out"
        before = f"another file, MD5 {known['against']}" if known["against"] else "none"
        raise OctetError(
            f"{path}: got --against {now}; it was started with {before}, for which its level "
            "holds: name that file, or begin another state"
        )
    for name in ("alpha", "share", "margin"):
        before, now = known[name], getattr(life, name)
        if before != now:
            raise OctetError(
                f"{path}: got --{name} {now or 'left out'}; it was started with "
                f"{before or 'none'}, for which its level holds: say that, or begin another state"
            )


def _digest(facts: Mapping[str, Any], arrays: Mapping[str, AnyArray]) -> str:
    digest = hashlib.blake2b(json.dumps(facts, sort_keys=True).encode(), digest_size=16)
    for name in sorted(arrays):
        digest.update(f"{name}{arrays[name].dtype}{arrays[name].shape}".encode())
        digest.update(np.ascontiguousarray(arrays[name]).tobytes())
    return digest.hexdigest()


def _narrow(array: AnyArray) -> AnyArray:
    """Integers in the fewest bytes that hold all of them, other numbers as they are."""
    if array.dtype.kind == "i":
        for narrow in (np.int8, np.int16, np.int32):
            if np.array_equal(array.astype(narrow), array):
                return array.astype(narrow)
    return array


def _widened(array: AnyArray, like: AnyArray) -> AnyArray:
    """A part of what `_narrow` gave, of the dtype and shape of another."""
    if array.dtype.kind != like.dtype.kind:
        raise ValueError
    return array.astype(like.dtype).reshape(like.shape)


def _kept(one: Watched) -> dict[str, AnyArray]:
    """The arrays of a stream and of its estimate that the reference does not tell."""
    stream = flatten(one.stream, _prefix(one))
    stream = {name: array for name, array in stream.items() if name not in _REMADE}
    return stream | flatten(one.estimate, "estimate.")


def _prefix(one: Watched) -> str:
    return "rate." if isinstance(one.stream, Rate) else ""


def _restored(
    facts: Mapping[str, Any], arrays: dict[str, AnyArray], reference: Reference, life: Life
) -> State:
    fresh = watching.start(reference, life, facts["resets"])
    taken, watched = dict.fromkeys(arrays, 0), []
    for one in fresh.watched:
        own: dict[str, AnyArray] = dict(flatten(one.stream, _prefix(one)))
        for name, array in _kept(one).items():
            part = arrays[name][taken[name] : taken[name] + array.size]
            own[name] = _widened(part, array)
            taken[name] += array.size
        stream, estimate = restore(one.stream, own, _prefix(one)), restore(Mean(), own, "estimate.")
        _refuse_contradictions(stream, estimate)
        watched.append(replace(one, stream=stream, estimate=estimate))
    history = History(facts["every"], arrays["history.rows"], arrays["history.logs"])
    if history.logs.shape != (len(history.rows), len(ALL)):
        raise ValueError
    return State(
        replace(fresh, rows=facts["rows"], watched=tuple(watched), history=history),
        tuple(Position(**one) for one in facts["positions"]),
        tuple(Reset(**told) for told in facts["told"]),
    )


def _refuse_contradictions(stream: Stream | Rate, estimate: Mean) -> None:
    wealth, pending, most = stream.wealth, stream.pending[: stream.rows % BLOCK], 1
    if isinstance(stream, Stream):
        most, edges = len(stream.urn) - 1, stream.edges
        rising = np.all(np.diff(edges) >= 0) and np.all((edges >= 0) & (edges < len(stream.counts)))
        if not rising or np.any(stream.counts < 0) or np.any(stream.urn < 1):
            raise ValueError
    holds = (
        np.all((pending >= 0) & (pending <= most))
        and wealth.blocks == stream.rows // BLOCK
        and estimate.rows == stream.rows
        and np.all(np.isfinite(wealth.capital))
        and np.all(np.isfinite([wealth.log_now, wealth.log_peak, estimate.total]))
    )
    if not holds:
        raise ValueError


def lock_of(path: Path) -> Path:
    """The file beside a state that `locked` locks."""
    return path.with_name(f".{path.name}.lock")


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Inside, no other monitor works on this state. The lock is a file beside it, and stays.

    Raises:
        OctetError: another one does.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with lock_of(path).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OctetError(
                f"{path}: another monitor works on this state; each needs one of its own"
            ) from None
        yield
