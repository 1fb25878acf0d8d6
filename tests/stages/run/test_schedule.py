"""Which stage runs when, by the needs of each."""

from stages.commands.run.pipeline import Pipeline
from stages.commands.run.schedule import Schedule, left

NEEDS = {
    "load@a": frozenset[str](),
    "load@b": frozenset[str](),
    "train@a": frozenset({"load@a"}),
    "train@b": frozenset({"load@b"}),
    "evaluate@a": frozenset({"train@a"}),
    "evaluate@b": frozenset({"train@b"}),
    "sweep@a": frozenset({"train@a"}),
    "sweep@b": frozenset({"train@b"}),
    "report": frozenset({"evaluate@a", "evaluate@b", "sweep@a", "sweep@b"}),
}
ALL = Pipeline(NEEDS, frozenset(NEEDS))


def seconds(stage: str) -> float:
    """b takes longer than a, and sweeps take longest."""
    return {"load": 1.0, "report": 2.0}.get(stage.partition("@")[0], 3.0) * (
        10 if stage.startswith("sweep") else 2 if stage.endswith("b") else 1
    )


def ordered(schedule: Schedule, jobs: int, fails: str = "") -> list[str]:
    """The stages as they start, where the one that started first ends first."""
    started: list[str] = []
    running: list[str] = []
    while True:
        while len(running) < jobs and (stage := schedule.start()):
            started.append(stage)
            running.append(stage)
        if not running:
            return started
        ended = running.pop(0)
        schedule.end(ended, good=ended != fails)


def test_no_stage_starts_before_its_inputs_are_there() -> None:
    for jobs in range(1, 6):
        schedule = Schedule(ALL, seconds)
        running: set[str] = set()
        while schedule.waiting or running:
            while len(running) < jobs and (stage := schedule.start()):
                assert NEEDS[stage] <= schedule.done
                running.add(stage)
            schedule.end(running.pop(), good=True)
        assert schedule.done == set(NEEDS)


def test_the_longest_way_goes_first_and_sweeps_are_aside() -> None:
    assert ordered(Schedule(ALL, seconds), 1) == [
        "load@b", "train@b", "load@a", "train@a", "evaluate@b", "evaluate@a",
        "sweep@a", "sweep@b", "report",
    ]  # fmt: skip


def test_no_two_sweeps_run_at_once() -> None:
    schedule = Schedule(
        Pipeline({"sweep@a": frozenset(), "sweep@b": frozenset()}, ALL.stale), seconds
    )
    assert schedule.start() == "sweep@a"
    assert schedule.start() is None
    schedule.end("sweep@a", good=True)
    assert schedule.start() == "sweep@b"


def test_a_failure_stops_what_needs_it_and_nothing_else() -> None:
    schedule = Schedule(ALL, seconds)
    started = ordered(schedule, 2, fails="train@a")
    assert schedule.failed == ["train@a"]
    assert schedule.blocked == ["evaluate@a", "sweep@a", "report"]
    assert set(started) == set(NEEDS) - set(schedule.blocked)


def test_what_is_up_to_date_runs_only_after_what_it_needs_has() -> None:
    assert not ordered(Schedule(Pipeline(NEEDS, frozenset()), seconds), 2)
    assert ordered(Schedule(Pipeline(NEEDS, frozenset({"train@a"})), seconds), 1) == [
        "train@a", "evaluate@a", "sweep@a", "report",
    ]  # fmt: skip
    assert ordered(Schedule(Pipeline(NEEDS, frozenset({"report"})), seconds), 1) == ["report"]


def test_some_systems_are_what_they_need_and_no_more() -> None:
    some = ALL.of(ALL.upstream({"evaluate@a"}) | {"report", "nothing"})
    assert [*some.needs] == ["load@a", "train@a", "evaluate@a", "report"]
    assert some.needs["report"] == {"evaluate@a"}


def test_the_rest_is_what_the_longest_way_and_the_jobs_come_to() -> None:
    schedule = Schedule(ALL, seconds)
    alone = sum(map(seconds, NEEDS))
    assert left(schedule, 1, seconds, {}) == alone
    # With jobs to spare: train@b, and one sweep after the other.
    assert left(schedule, 9, seconds, {}) == seconds("load@a") + seconds("train@a") + 60 + 2
    stage = schedule.start()
    assert stage == "load@b"
    assert left(schedule, 1, seconds, {stage: 1.5}) == alone - 1.5
    assert left(schedule, 1, seconds, {stage: 99.0}) == alone - seconds(stage)
