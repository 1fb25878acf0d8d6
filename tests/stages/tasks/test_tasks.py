"""What every task must be true to, whatever it measures: one contract for all that there are."""

import math

import numpy as np
import pytest

from octet.affine import Array
from octet.modelfile.arrays import AnyArray
from octet.signature import Arrays, Classes, Columns, Images, Numbers, Signature
from stages.params.gates import Gates
from stages.tasks import KINDS, TASKS, kind_of, task_of
from stages.tasks.level import ALPHA
from stages.tasks.measures import measures
from stages.tasks.task import HIGHER, LOWER, Task

INPUTS = {
    "columns": Columns(("a", "b")),
    "images": Images((1, 2, 2), 255),
    "arrays": Arrays((2, 3)),
}
OUTPUTS = {"regression": Numbers("target", "unit"), "classification": Classes(tuple("xyz"))}
GATES = Gates(
    mse_increase=0.01,
    worse_by=0.1,
    worse_share=0.05,
    accuracy_decrease=0.02,
    r2=0.3,
    accuracy=0.4,
    accuracy_noisy=0.5,
    saved=0.6,
)
OF_EVERY_VERDICT = {"rows", "low", "high", "p_inferior", "rows_needed"}

every_task = pytest.mark.parametrize("task", TASKS, ids=lambda task: task.name)


def rows(task: Task, noise: float = 0.0, count: int = 200) -> tuple[AnyArray, Array, Array]:
    """Truth, outputs that are near it, and the same with noise on them."""
    rng = np.random.default_rng(0)
    if task.name == "regression":
        truth = rng.normal(size=count)
        outputs = (truth + 0.3 * rng.normal(size=count))[:, None]
    else:
        truth = rng.integers(0, 3, count).astype(np.uint8)
        outputs = 2 * np.eye(3)[truth] + rng.normal(size=(count, 3))
    return truth, outputs, outputs + noise * rng.normal(size=outputs.shape)


def test_a_signature_has_a_kind_whose_name_leads_back_to_it() -> None:
    for task_name, outputs in OUTPUTS.items():
        for inputs_name, inputs in INPUTS.items():
            kind = kind_of(Signature(inputs, outputs))
            assert str(kind) == f"{task_name} of {inputs_name}"
            assert KINDS[str(kind)] == kind
            assert kind.task is task_of(Signature(inputs, outputs))
            assert kind.noisy == (inputs_name == "images")
    assert len(KINDS) == len(OUTPUTS) * len(INPUTS)


@every_task
def test_scores_are_the_ones_it_names_and_the_first_is_the_headline(task: Task) -> None:
    truth, outputs, _ = rows(task)
    scores = task.score(truth, outputs, False)
    assert [*scores] == [*task.scores]
    assert {type(score) for score in scores.values()} == {float}
    assert task.headline(truth, outputs) == scores[task.headline_key]
    assert task.scores[task.headline_key].better == HIGHER
    assert task.judged.score in scores
    assert task.judged.better == task.scores[task.judged.score].better


@every_task
def test_more_noise_means_a_lower_headline_and_a_larger_distance(task: Task) -> None:
    found = []
    for noise in (0.0, 0.5, 5.0):
        truth, outputs, noisy = rows(task, noise)
        found.append((-task.headline(truth, noisy), -task.distance(outputs, noisy)["sqnr_db"]))
    assert found == sorted(found)
    assert len(set(found)) == 3


# So little that the rows leave a thousandth open.
LITTLE = {"regression": 0.01, "classification": 0.1}


def with_margin(margin: float) -> Gates:
    return GATES.model_copy(update={"mse_increase": margin, "accuracy_decrease": margin})


@every_task
@pytest.mark.parametrize(
    ("noise", "margin", "shown"), [(0.0, 0.05, True), (None, 0.001, None), (5.0, 0.01, False)]
)
def test_a_verdict_says_what_its_claims_say(
    task: Task, noise: float | None, margin: float, shown: bool | None
) -> None:
    gates, noise = with_margin(margin), LITTLE[task.name] if noise is None else noise
    verdict, claims = task.decide(*rows(task, noise, 2000), gates), task.claims(gates)
    assert set(verdict) == {
        *OF_EVERY_VERDICT,
        *task.verdict,
        *(claim.made_with[0] for claim in claims),
        "non_inferior",
    }
    said = [claim.judge(verdict) for claim in claims]
    assert bool(verdict["non_inferior"]) == all(passed for _, passed in said) == bool(shown)
    assert said[0][1] is shown
    assert (verdict["p_inferior"] <= ALPHA) == bool(shown)
    assert all(not passed or ";" not in got for got, passed in said)


@every_task
def test_a_claim_is_held_against_the_gates_of_now(task: Task) -> None:
    verdict = task.decide(*rows(task, LITTLE[task.name], 2000), with_margin(0.3))
    for margin in (0.3, 0.02, 0.002):
        claim = task.claims(with_margin(margin))[0]
        assert bool(claim.judge(verdict)[1]) == (
            task.decide(*rows(task, LITTLE[task.name], 2000), with_margin(margin))["non_inferior"]
            == 1
        )
        assert claim.made_with == ("margin", margin)


@every_task
def test_one_that_is_open_says_how_many_rows_could_show_it(task: Task) -> None:
    gates = with_margin(0.001)
    got, shown = task.claims(gates)[0].judge(
        task.decide(*rows(task, LITTLE[task.name], 2000), gates)
    )
    assert shown is None
    assert "not shown: 2,000 rows cannot show 0.1 " in got
    assert got.endswith(" could")


@every_task
def test_the_interval_of_the_loss_holds_the_loss(task: Task) -> None:
    truth, outputs, noisy = rows(task, 1.0)
    verdict = task.decide(truth, outputs, noisy, GATES)
    low, high = task.loss(verdict, task.headline(truth, outputs))
    assert low < task.headline(truth, outputs) - task.headline(truth, noisy) < high
    assert low > 0


@every_task
def test_gates_ask_for_scores_that_there_are(task: Task) -> None:
    plain, noisy = task.least(GATES, False), task.least(GATES, True)
    assert set(plain) <= set(task.scores)
    assert plain.items() <= noisy.items()
    assert set(noisy) - set(plain) <= {f"{task.headline_key}_noisy"}


@every_task
def test_answers_are_one_for_each_row_and_print_as_one_number(task: Task) -> None:
    truth, outputs, _ = rows(task)
    answers = task.answers(outputs)
    assert answers.shape == truth.shape
    assert math.isfinite(float(task.answer_form % answers[0]))
    # The outputs are near the truth, so the answers are.
    assert np.mean(np.abs(answers - truth)) < 0.5


@every_task
def test_every_number_of_the_metrics_can_be_read(task: Task) -> None:
    truth, outputs, noisy = rows(task, 1.0)
    known = measures(task)
    for group, numbers in {
        "float": task.score(truth, outputs, False),
        "quantized": task.score(truth, noisy, False),
        "change": task.score(truth, noisy, False),
        "fidelity": task.distance(outputs, noisy),
        "verdict": task.decide(truth, outputs, noisy, GATES),
    }.items():
        for key in numbers:
            assert f"{group}.{key}" in known
    assert {each.better for each in known.values()} == {HIGHER, LOWER, ""}
    assert not any(known[key].better for key in known if key.startswith("change."))
