"""The command as tests run it, and the rows that they give it."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tests.conftest import ROOT

NAMES = ("a", "<b>", "c", "d", "e")
COUNT = 3000


@dataclass(frozen=True)
class Said:
    status: int
    out: str
    err: str

    @property
    def facts(self) -> dict[str, Any]:
        return json.loads(self.out)

    def evidence(self) -> dict[str, tuple[int, float]]:
        return {
            f"{s['stream']} {s['name']}": (s["rows"], s["evidence"]) for s in self.facts["streams"]
        }


Octet = Callable[..., Said]


def write(path: Path, x: np.ndarray, y: np.ndarray) -> None:
    lines = [
        ",".join((*NAMES, "price")),
        *(",".join(map(repr, row)) for row in np.column_stack([x, y]).tolist()),
    ]
    path.write_text("\n".join(lines) + "\n")


def lines_of(folder: Path) -> list[str]:
    return (folder / "rows.csv").read_text().splitlines(keepends=True)


def piped(folder: Path, state: Path, text: str, *more: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "octet", "monitor", "model.safetensors", "--state", str(state)]
    return subprocess.run(
        [*command, "--json", *more],
        input=text,
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
