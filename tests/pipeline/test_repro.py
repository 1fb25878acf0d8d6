"""The real DAG, through real DVC, in fresh clones."""

import json
import re
import time
from collections.abc import Callable

import pytest

from tests.conftest import Clone

pytestmark = pytest.mark.slow

NewClone = Callable[..., Clone]


def ran(output: str) -> list[str]:
    """The stages that DVC said it ran, in order."""
    return re.findall(r"^Running stage '([^']+)'", output, re.MULTILINE)


def test_nothing_to_do_runs_nothing_and_changes_nothing(reproduced: Clone) -> None:
    before = reproduced.outputs()
    output = reproduced.dvc("repro")
    assert not ran(output)
    assert "up to date" in output
    assert reproduced.outputs() == before
    assert not reproduced.git("status", "--porcelain")


def test_a_width_reruns_quantize_evaluate_and_report_only(reproduced: Clone) -> None:
    output = reproduced.dvc("exp", "run", "--name", "four", "-S", "quant.bits=4")
    assert ran(output) == ["quantize@diabetes", "evaluate@diabetes", "report"]


def test_a_gate_reruns_what_shows_it(reproduced: Clone) -> None:
    output = reproduced.dvc("exp", "run", "-S", "gates.mse_increase=0.02")
    assert set(ran(output)) == {"evaluate@diabetes", "sweep@diabetes", "report"}
    assert ran(reproduced.dvc("exp", "run", "-S", "gates.saved=0.7")) == ["report"]


def test_a_systems_own_key_goes_over_the_common_one(reproduced: Clone) -> None:
    output = reproduced.dvc("exp", "run", "-S", "++systems.diabetes.quant.bits=4")
    # The sweep has its own widths, but does not know which of a system's own keys it reads.
    assert set(ran(output)) == {
        f"{stage}@diabetes" for stage in ("quantize", "evaluate", "sweep")
    } | {"report"}
    metrics = json.loads((reproduced.path / "metrics/diabetes.json").read_text())
    assert metrics["size"]["codes"] == 10 * 4 // 8 + 1


def test_running_python_does_not_make_a_stage_stale(reproduced: Clone) -> None:
    reproduced.run("python", "-c", "import octet.quantizer.network, octet.modelfile.storage")
    assert list(reproduced.path.glob("stages/quantize/__pycache__"))
    assert "up to date" in reproduced.dvc("status")


@pytest.mark.release  # the jobs of CI, which are run in tests too, do the same
def test_float_against_uint8_is_one_table(reproduced: Clone) -> None:
    reproduced.dvc("exp", "run", "-n", "float", "-S", "quant.bits=32")
    reproduced.dvc("exp", "run", "-n", "uint8", "-S", "quant.bits=8")
    table = reproduced.dvc("metrics", "diff", "float", "uint8", "--md")
    rows = {
        cells[2]: cells[3:5]
        for cells in ([cell.strip() for cell in line.split("|")] for line in table.splitlines())
        if len(cells) > 5 and cells[1].endswith("diabetes.json")
    }
    before, after = map(float, rows["quantized.r2"])
    assert before == pytest.approx(0.4526027629719195, abs=1e-5)
    assert after != before
    assert rows["size.quantized_payload"] == ["88", "21"]


@pytest.mark.release
def test_experiments_can_be_queued_on_a_fresh_clone(new_clone: NewClone) -> None:
    clone = new_clone("diabetes")
    clone.dvc("exp", "run", "--queue", "-S", "quant.bits=2,4")
    clone.dvc("queue", "start", "--jobs", "2")
    clone.dvc("queue", "logs", "--follow", check=False)
    wait_for_queue(clone)
    shown = json.loads(clone.run("dvc", "exp", "show", "--json").stdout)
    codes = sorted(
        exp["revs"][0]["data"]["metrics"]["metrics/diabetes.json"]["data"]["size"]["codes"]
        for state in shown
        for exp in state.get("experiments") or []
    )
    assert codes == [-(-10 * bits // 8) + 1 for bits in (2, 4)]


def wait_for_queue(clone: Clone) -> None:
    """Until no task is queued or running; every one must have succeeded."""
    while True:
        status = clone.dvc("queue", "status")
        if not re.search(r"Queued|Running", status):
            break
        time.sleep(2)
    assert status.count("Success") == 2, status


def test_a_failed_stage_names_the_key_and_keeps_every_output(reproduced: Clone) -> None:
    before = reproduced.outputs()
    done = reproduced.run("dvc", "repro", "-q", check=False)
    assert done.returncode == 0
    reproduced.edit("params.yaml", "bits: 8\n  scheme", "bits: 17\n  scheme")
    done = reproduced.run("dvc", "repro", check=False)
    assert done.returncode != 0
    assert "error: params.yaml: quant.bits: got 17; allowed is an integer from 2" in done.stderr
    assert "Traceback" not in done.stderr
    assert reproduced.outputs() == before


def test_data_out_of_reach_fails_with_what_to_do(new_clone: NewClone) -> None:
    clone = new_clone("california")
    done = clone.run("dvc", "repro", check=False, env=unreachable(clone))
    assert done.returncode != 0
    assert "cal_housing.tgz is not in reach" in done.stderr
    assert "Set OCTET_DATA to a folder" in done.stderr
    assert "Traceback" not in done.stderr


def unreachable(clone: Clone) -> dict[str, str | None]:
    """No mirror, an empty cache, and a proxy that nobody answers at."""
    return {
        "OCTET_DATA": None,
        "XDG_CACHE_HOME": str(clone.path.parent / "empty-cache"),
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "https_proxy": "http://127.0.0.1:9",
    }


def test_run_does_what_is_in_reach_and_says_what_is_not(new_clone: NewClone) -> None:
    clone = new_clone("diabetes", "california", "wine", "mnist-7k", whole=True)
    done = clone.run("python", "-m", "stages.commands.run", env=unreachable(clone))
    assert "| diabetes " in done.stdout
    assert "| wine " in done.stdout
    assert re.findall(r"^left out: ([^:\n]+)", done.stdout, re.MULTILINE) == [
        "california",
        "mnist-7k",
    ]
    assert done.stdout.count("Set OCTET_DATA to a folder") == 2
    summary = (clone.path / "report/summary.md").read_text()
    assert "california (data/california.safetensors), mnist-7k (" in summary
    assert not list(clone.path.glob("data/[cm]*"))


@pytest.mark.release
@pytest.mark.usefixtures("california")
def test_run_uses_what_dvc_has_when_the_source_is_gone(new_clone: NewClone) -> None:
    clone = new_clone("california")
    clone.dvc("repro")
    done = clone.run("python", "-m", "stages.commands.run", env=unreachable(clone))
    assert "| california " in done.stdout
    assert "left out" not in done.stdout
