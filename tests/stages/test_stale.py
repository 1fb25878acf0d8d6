"""Metrics of other parameters, or of another run, are told from those that DVC would make."""

import hashlib
import json
from collections.abc import Callable
from typing import Any

import pytest

from octet.errors import OctetError
from stages.stale import Project

METRICS = b"{}"
PARAMS = {"split": {"test_size": 0.2, "random_state": 42}, "quant": {"bits": 8, "margin": [0, 0]}}
PIPELINE: dict[str, Any] = {"stages": {"load": {}, "quantize": {}, "evaluate": {}}}


def digest(content: bytes) -> str:
    return hashlib.md5(content).hexdigest()


def stage(params: dict[str, Any], deps: dict[str, bytes], outs: dict[str, bytes]) -> dict[str, Any]:
    def listed(files: dict[str, bytes]) -> list[dict[str, str]]:
        return [{"path": path, "md5": digest(content)} for path, content in files.items()]

    return {"params": {"params.yaml": params}, "deps": listed(deps), "outs": listed(outs)}


def whole() -> tuple[dict[str, Any], dict[str, Any]]:
    """The stages of a system in dvc.lock, and params.yaml, which belong together."""
    data, model = {"data/s": b"data"}, {"models/s": b"model"}
    stages = {
        "load@s": stage({"split": PARAMS["split"]}, {"octet": b"code"}, data),
        "quantize@s": stage({"quant": PARAMS["quant"]}, data, model),
        "evaluate@s": stage({"gates.r2": 0.5}, data | model, {"metrics/s.json": METRICS}),
    }
    return json.loads(json.dumps(stages)), json.loads(json.dumps(PARAMS | {"gates": {"r2": 0.5}}))


def stale(stages: object, params: object, metrics: bytes = METRICS) -> str:
    """JSON is YAML too."""
    files = (PIPELINE, {"stages": stages}, params)
    return Project.parse(*(json.dumps(file).encode() for file in files)).stale("s", metrics)


def test_what_belongs_together_is_not_stale() -> None:
    assert not stale(*whole())


def change(stages: dict[str, Any], params: dict[str, Any], key: str, value: object) -> None:
    """Set what is at a key of params.yaml, or below ``lock``; None takes it away."""
    *path, last = key.removeprefix("lock/").split("/")
    section: Any = stages if key.startswith("lock/") else params
    for name in path:
        section = section[name] if isinstance(section, dict) else section[int(name)]
    if value is None:
        del section[last]
    else:
        section[last] = value


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("quant/bits", 2, "quant.bits: 2 in params.yaml, 8 in dvc.lock"),
        ("quant/bits", None, "quant.bits: missing in params.yaml, 8 in dvc.lock"),
        ("quant/new", 1, "quant.new: 1 in params.yaml, missing in dvc.lock"),
        ("quant", 5, "quant: 5 in params.yaml, {'bits': 8, 'margin': [0, 0]} in dvc.lock"),
        ("quant/margin", [0, 1], "quant.margin: [0, 1] in params.yaml, [0, 0] in dvc.lock"),
        ("split/random_state", 1, "split.random_state: 1 in params.yaml, 42 in dvc.lock"),
        ("quant/bits", 8.0, ""),
        ("gates/r2", 0.9, ""),
        ("lock/quantize@s/outs/0/md5", "other", "evaluate@s ran before quantize@s"),
        ("lock/load@s/outs/0/md5", "other", "evaluate@s ran before load@s; quantize@s ran befor"),
        ("lock/evaluate@s/outs/0/md5", "other", "metrics/s.json is not that of dvc.lock"),
        ("lock/evaluate@s", None, "no stage in dvc.lock has written metrics/s.json"),
        ("lock/load@s/deps/0/md5", "other", ""),  # code, which git knows
    ],
)
def test_what_tells_them_apart_is_named(key: str, value: object, said: str) -> None:
    stages, params = whole()
    change(stages, params, key, value)
    reasons = stale(stages, params)
    assert reasons.startswith(said)
    assert bool(reasons) == bool(said)


def test_other_metrics_than_those_of_the_lock_are_stale() -> None:
    assert stale(*whole(), metrics=b"{ }") == "metrics/s.json is not that of dvc.lock"


def test_a_stage_that_is_no_more_has_no_say() -> None:
    stages, params = whole()
    stages["old@s"] = stage({"quant": {"bits": 3}}, {}, {"metrics/s.json": b"old"})
    assert not stale(stages, params)


def test_the_first_reasons_stand_for_many() -> None:
    stages, params = whole()
    params["quant"] = {str(i): i for i in range(8)}
    assert stale(stages, params).endswith("; 7 more")


@pytest.mark.parametrize(
    "damage",
    [
        lambda stages: stages.update({"load@s": None}),
        lambda stages: stages["load@s"]["outs"].append("x"),
        lambda stages: stages["quantize@s"].pop("deps"),
        lambda stages: stages["quantize@s"].update(params=[1]),
    ],
)
def test_a_lock_that_is_not_dvcs_is_one_line(damage: Callable[[Any], object]) -> None:
    stages, params = whole()
    damage(stages)
    with pytest.raises(OctetError, match=r"^dvc\.lock: not a file of DVC; "):
        stale(stages, params)
