"""python -m octet monitor: whether rows, and what a model makes of them, are still as they were."""

import argparse
import json
import sys
from pathlib import Path

from octet import files, provenance
from octet.cli import dialect
from octet.cli.command import Parser
from octet.errors import OctetError, printable
from octet.modelfile import storage
from octet.modelfile.reference import DISAGREEMENT, Reference
from octet.monitor import state as states
from octet.monitor.page import page
from octet.monitor.reading import OtherRowsError, Position, Reading, remembered
from octet.monitor.state import State
from octet.monitor.told import Facts, facts, table
from octet.monitor.watch import Life, engine, start, watcher
from octet.network import Network, in_codes
from octet.rows.batches import Rows
from octet.rows.csv import Dialect
from octet.runtime.predict import STANDARD_INPUT, opened, predict
from octet.signature import Classes

ALARM = 3  # the exit status
_LEAST = 1e-9  # of a level, share or margin: evidence of much less leaves the floats
_MOST = {"alpha": 0.5, "share": 1.0}
_EVERY = 50_000  # rows, at most, that a killed monitor has to read again
_FEW = 1000  # that come together: who sends them does so as they arise
_ABOUT = (
    "Watch rows where the model runs: inputs, clipping, outputs, errors where the rows have the "
    "truth, and how often the float model would have said something else. It alarms with the "
    "probability alpha at most while nothing has changed, however often and however long one "
    "looks: docs/monitor.md. Exit status 0: no alarm, 3: alarm, 1: an error."
)


def arguments(prog: str) -> Parser:
    """What the command is given."""
    parser = Parser(prog, description=_ABOUT)
    parser.add_argument("model", type=Path, help="a quantized model file of Octet")
    parser.add_argument(
        "rows",
        type=Path,
        nargs="?",
        help="as `octet predict` takes them; without it, or for -, CSV from standard input",
    )
    parser.add_argument(
        "--state", type=Path, required=True, metavar="FILE", help="what it knows; new or its own"
    )
    parser.add_argument(
        "--alpha", type=float, default=0.05, help="of ever a false alarm; 0.05 if not said"
    )
    parser.add_argument(
        "--against", type=Path, metavar="FLOAT", help="the float model file to compare with"
    )
    parser.add_argument(
        "--share", type=float, default=0.05, help="of rows to compare; 0.05 if not said"
    )
    parser.add_argument(
        "--margin",
        type=float,
        default=0.0,
        help="the share of rows on which they may say another class, the verdict's say: alarm "
        "above it, not for any change",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="the input begins with rows that were counted: pass over them, once they are checked. "
        "Of a file that is found out unasked",
    )
    parser.add_argument(
        "--reset", metavar="REASON", help="put all evidence away, and keep the reason"
    )
    parser.add_argument("--json", action="store_true", help="as JSON, with everything")
    parser.add_argument("--html", type=Path, metavar="OUT", help="write a page with pictures too")
    dialect.add_arguments(parser)
    return parser


def run(arguments: argparse.Namespace) -> None:
    """Count the rows, say what is known, and end with the status that goes with it."""
    _refuse(arguments)
    network, reference = storage.load_model(arguments.model)
    if reference is None:
        raise OctetError(
            f"{arguments.model}: it knows of no rows to compare with, as files of the first "
            "edition and float ones; `dvc repro quantize@SYSTEM`, or `octet quantize --reference "
            "ROWS`, makes one that does"
        )
    in_float = _float(arguments.against, network, reference)
    with states.locked(arguments.state):
        now = _state(arguments, network, reference)
        if arguments.reset is not None:
            now = states.reset(now, reference, arguments.reset)
        if arguments.reset is not None and arguments.rows is None:
            files.write(arguments.state, states.dump(now))
        else:  # with rows that cannot be read, nothing is put away
            now = _count(arguments, (network, reference, in_float), now)
    told = facts(now, printable(str(arguments.model)))
    if arguments.html:
        files.write(arguments.html, page(now, told).encode("utf-8", "backslashreplace"))
    _say(told, arguments.json)
    if now.watch.alarm:
        sys.exit(ALARM)


def _refuse(arguments: argparse.Namespace) -> None:
    """Raise an OctetError if an argument is not allowed, before any work."""
    for name, most in _MOST.items():
        value = getattr(arguments, name)
        if not _LEAST <= value <= most:
            raise OctetError(f"--{name}: got {value:g}; allowed is {_LEAST:g} to {most:g}")
    in_range = arguments.margin == 0 or _LEAST <= arguments.margin < 1
    if not in_range or (arguments.margin and not arguments.against):
        raise OctetError(
            f"--margin: got {arguments.margin:g}; allowed is {_LEAST:g} to below 1, with --against"
        )
    read = {"model": arguments.model, "rows": arguments.rows, "float model": arguments.against}
    files.refuse_target(arguments.state, **read)
    if arguments.html:
        read |= {"state": arguments.state, "lock": states.lock_of(arguments.state)}
        files.refuse_target(arguments.html, **read)
    if arguments.reset is not None:
        _refuse_reset(arguments.state, arguments.reset)


def _refuse_reset(state: Path, reason: str) -> None:
    if not reason.strip():
        raise OctetError("--reset: got no reason; say what was found, and what was done about it")
    try:
        reason.encode()
    except UnicodeEncodeError:
        raise OctetError(f"--reset: got {reason}; allowed is text in UTF-8") from None
    if not state.exists():
        raise OctetError(
            f"{state}: got no such file; --reset puts away the evidence of a state that there is: "
            "name that, or leave --reset out to begin a new one"
        )


def _float(path: Path | None, network: Network, reference: Reference) -> Network | None:
    if path is None:
        return None
    in_float = storage.load_network(path)
    if in_float.signature != network.signature or in_codes(in_float):
        raise OctetError(
            f"{path}: got a model of other rows, or in codes; allowed is the float one of which "
            "the model was made"
        )
    if not any(one.group == DISAGREEMENT for one in reference.summaries):
        raise OctetError(
            "--against: the model does not know how often it differed from the float one: "
            "`dvc repro quantize@SYSTEM` makes one that does"
        )
    return in_float


def _margin(margin: float, network: Network) -> float:
    if margin and not isinstance(network.signature.outputs, Classes):
        raise OctetError("--margin: got a model of numbers; allowed is one of classes")
    return margin


def _state(arguments: argparse.Namespace, network: Network, reference: Reference) -> State:
    """What there is, or a new one."""
    model = provenance.md5(arguments.model)
    against = provenance.md5(arguments.against) if arguments.against else ""
    share = arguments.share if against else 0.0
    margin = _margin(arguments.margin, network)
    life = Life(model, against, share, margin, arguments.alpha, int(model[:6], 16))
    try:
        read = (arguments.model, arguments.against)
        return states.load(arguments.state, read, reference, life)
    except FileNotFoundError:
        return State(start(reference, life))


def _count(
    arguments: argparse.Namespace, models: tuple[Network, Reference, Network | None], now: State
) -> State:
    """The state after the rows of the input that are new; it is written as they come."""
    path = arguments.rows or STANDARD_INPUT
    known = now.positions if path != STANDARD_INPUT or arguments.resume else ()
    try:
        return _count_behind(known, path, arguments, models, now)
    except OtherRowsError:
        if arguments.reset is None or arguments.resume:
            raise
    return _count_behind((), path, arguments, models, now)


def _count_behind(
    known: tuple[Position, ...],
    path: Path,
    arguments: argparse.Namespace,
    models: tuple[Network, Reference, Network | None],
    now: State,
) -> State:
    network, reference, _ = models
    how: Dialect = dialect.dialect(arguments)
    after, written, first = watcher(*models), now.watch.rows, ""
    before = now.watch.rows
    with opened(path, network.signature, with_truth=True, dialect=how) as rows:
        grows = path != STANDARD_INPUT and path.is_file()
        reading = Reading(rows, known, arguments.resume, grows)
        for predicted in predict(network, reading.rows, True, engine(network, reference)):
            first = first or next(iter(predicted.skipped), "")
            positions = remembered(now.positions, reading.position)
            now = State(after(now.watch, predicted), positions, now.resets)
            few = path == STANDARD_INPUT and len(predicted.places) < _FEW
            if few or now.watch.rows >= written + _EVERY:
                files.write(arguments.state, states.dump(now))
                written = now.watch.rows
    files.write(arguments.state, states.dump(now))
    sys.stderr.write(_of_reading(reading, rows, bool(known), now.watch.rows - before))
    if first:
        sys.stderr.write(f"some rows could not be used, the first: {printable(first)}\n")
    return now


def _of_reading(reading: Reading, rows: Rows, others: bool, new: int) -> str:
    """In lines, which rows were counted, where that is not simply all of the first input."""
    said = ""
    if reading.counted:
        said = (
            f"passed over the rows that were counted before, up to {rows.unit} "
            f"{reading.counted.place}; {new:,} are new\n"
        )
    elif others and new:
        said = f"{rows.name}: it begins as no input that was counted before; all {new:,} are new\n"
    if reading.unended is not None:
        said += (
            f"{rows.named(reading.unended)} is not counted: it has no line end, or a quote that "
            "does not end, and may still be being written\n"
        )
    return said


def _say(told: Facts, as_json: bool) -> None:
    text = json.dumps(told, indent=2, sort_keys=True) + "\n" if as_json else table(told)
    sys.stdout.write(text)
