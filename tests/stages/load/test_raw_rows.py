"""What a table was trained on can be predicted from: the same features, row by row."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from octet.layers import Linear
from octet.network import Network
from octet.runtime import inference
from octet.runtime.predict import opened, predict
from octet.signature import Columns, Numbers
from stages.load import readers
from tests.stages.load.own import HOW, WHERE, csv_text, parsed, table


@pytest.mark.parametrize("target", ["price", "city", "rooms"])
def test_predict_reads_the_table_that_the_load_stage_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, target: str
) -> None:
    monkeypatch.chdir(tmp_path)
    texts = table(60, rooms=[str(i % 4) for i in range(60)], kind=["flat", "house, old", "NA"] * 20)
    texts["age"] = ["?" if i % 7 == 0 else age for i, age in enumerate(texts["age"])]
    quoted = {name: [f'"{text}"' for text in column] for name, column in texts.items()}
    Path("raw.csv").write_text(csv_text(quoted))
    keys: dict[str, Any] = {"task": "classification"} if target == "rooms" else {}
    data = parsed(kind="csv", path="raw.csv", target=target, missing="impute", **keys)
    rows = readers.read(data, HOW, WHERE)
    assert isinstance(rows.signature.inputs, Columns)
    assert len(rows.signature.inputs.table) == 4
    outputs = rows.signature.outputs
    count = 1 if isinstance(outputs, Numbers) else len(outputs.classes)
    weight = np.random.default_rng(0).normal(size=(count, *rows.signature.shape))
    network = Network((Linear(weight, np.zeros(count)),), rows.signature)
    with opened(Path("raw.csv"), network.signature, with_truth=True) as raw:
        (predicted,) = predict(network, raw, skip=False)
    assert predicted.truth is not None
    split = np.concatenate([rows.x_train, rows.x_test])
    ours = np.column_stack([predicted.outputs, predicted.truth])
    theirs = np.column_stack(
        [inference.run(network, split), np.concatenate([rows.y_train, rows.y_test])]
    )
    assert sorted(ours.tolist()) == sorted(theirs.tolist())
