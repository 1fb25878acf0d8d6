"""A point of a sweep: a width, a rounding, what they cost and save; and the CSV of all points."""

import csv
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields
from pathlib import Path

from octet.errors import OctetError
from stages.paths import plot_path

_DIGITS = 9


@dataclass(frozen=True)
class Point:
    """One row of the CSV.

    Attributes:
        bits: of a weight; 32 for the float network.
        rounding: nearest, gptq or exact; float for the float network.
        payload: bytes of codes, scales and zero points, and of what is left in float.
        score: the headline score of the task, on the test rows.
        loss: the score of the float network less this one's.
        low, high: the paired interval of the loss, 95 %.
        fidelity: signal to quantization noise of the outputs, in dB.
        non_inferior: 1 if it is shown to be as good as the gates ask; 1 for the float network.
    """

    bits: int
    rounding: str
    payload: int
    score: float
    loss: float
    low: float
    high: float
    fidelity: float
    non_inferior: int


def sweep_path(system: str) -> Path:
    """What sweep writes."""
    return plot_path(system, "sweep.csv")


def dump(system: str, points: Sequence[Point]) -> bytes:
    """The CSV of a system, a line for each point."""
    lines = [",".join(["system", *(field.name for field in fields(Point))])]
    for point in points:
        cells = [f"{x:.{_DIGITS}g}" if isinstance(x, float) else str(x) for x in astuple(point)]
        lines.append(",".join([system, *cells]))
    return ("\n".join(lines) + "\n").encode()


def read(system: str) -> tuple[Point, ...]:
    """The points of a system; none where there was no sweep.

    Raises:
        OctetError: the file is no such CSV.
    """
    path = sweep_path(system)
    try:
        rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        return tuple(_point(row) for row in rows)
    except FileNotFoundError:
        return ()
    except (KeyError, TypeError, ValueError) as error:
        raise OctetError(f"{path}: not a sweep ({error!r}); run `dvc repro`") from None


def _point(row: dict[str, str]) -> Point:
    floats = {key: float(row[key]) for key in ("score", "loss", "low", "high", "fidelity")}
    shown = int(row["non_inferior"])
    return Point(
        int(row["bits"]), row["rounding"], int(row["payload"]), **floats, non_inferior=shown
    )
