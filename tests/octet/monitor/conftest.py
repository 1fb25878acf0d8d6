"""A model that is watched, and the command that watches it."""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from octet.__main__ import main
from octet.modelfile.storage import dump_network
from octet.monitor.reference import take_reference
from octet.quantizer import Config, quantize
from octet.runtime import inference
from octet.signature import Columns, Numbers, Signature
from tests.octet.monitor.command import COUNT, NAMES, Octet, Said, write
from tests.octet.networks import in_float, rows, table


@pytest.fixture
def octet(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Octet:
    monkeypatch.chdir(folder)

    def run(*arguments: object, command: str = "monitor") -> Said:
        monkeypatch.setattr(sys, "argv", ["octet", command, *map(str, arguments)])
        try:
            main()
            status: int | str | None = 0
        except SystemExit as end:
            status = end.code
        out, err = capsys.readouterr()
        if isinstance(status, str):
            assert status.splitlines() == [status]
            return Said(1, out, status)
        return Said(int(status or 0), out, err)

    return run


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that knows rows, its float one, one that knows none, and rows."""
    folder = tmp_path_factory.mktemp("monitor")
    network = replace(table(0), signature=Signature(Columns(NAMES), Numbers("price", "EUR")))
    in_reals = in_float(network)
    some = [rows(network, 4000, seed) for seed in range(2)]
    truth = [inference.run(network, x)[:, 0] + np.sin(np.arange(len(x))) for x in some]
    reference = take_reference(network, (some[0], truth[0]), (some[1], truth[1]), in_reals)
    (folder / "model.safetensors").write_bytes(dump_network(network, reference))
    (folder / "first.safetensors").write_bytes(dump_network(network))
    (folder / "float.safetensors").write_bytes(dump_network(in_reals))
    alone = quantize(in_reals, some[0], Config(bits=8))
    (folder / "weights.safetensors").write_bytes(dump_network(alone))
    (folder / "other.safetensors").write_bytes(
        dump_network(table(1), take_reference(table(1), (some[0], None), (some[1], None)))
    )
    x = rows(network, COUNT, 2)
    write(folder / "rows.csv", x, inference.run(network, x)[:, 0] + np.sin(np.arange(COUNT)))
    moved = x.copy()
    moved[1000:, 1] += x[:, 1].std()
    write(
        folder / "moved.csv", moved, inference.run(network, moved)[:, 0] + np.sin(np.arange(COUNT))
    )
    return folder
