"""Bring stages up to date, as many at once as are wanted."""

from collections.abc import Callable, Collection
from typing import IO

from octet.errors import OctetError
from stages.commands.run import lockfile, pipeline, staging, times
from stages.commands.run.crew import Crew
from stages.commands.run.loop import Loop
from stages.commands.run.schedule import Schedule
from stages.commands.run.screen import Screen
from stages.lock import PATH


def reproduce(
    lock: IO[str],
    answer: Collection[str],
    jobs: int,
    say_answer: Callable[[Collection[str]], str],
    others: Collection[str] | None = None,
) -> None:
    """Run what is not up to date; a stage that fails stops those alone that need it.

    Args:
        lock: of this run, the only one here.
        answer: stages for which somebody waits.
        jobs: how many may run at once.
        say_answer: what to print as soon as these have ended, of all that are done by then.
        others: stages that are wanted besides, and take as it is what others make than these and
            what the answer needs. None: all that there are.

    Raises:
        OctetError: a stage failed, or DVC refuses.
        SystemExit: a signal has stopped it.
        KeyboardInterrupt: one has before it was at work.
    """
    known = times.read()
    with Screen(known) as screen:
        screen.show("asking DVC what is not up to date", [])
        everything = pipeline.read()
        wanted = everything
        if others is not None:
            wanted = everything.of(everything.upstream(answer) | set(others))
        schedule = Schedule(wanted, known.of)
        crew = Crew(lock, lockfile.order([*everything.needs]), bars=screen.is_terminal)
        Loop(schedule, crew, screen, known, jobs).run(
            answer,
            lambda: screen.say(say_answer(schedule.done)),
            lambda: _stage_lock(screen) if everything.autostage else None,
        )
    if schedule.failed:
        lost = f"; not run without: {', '.join(schedule.blocked)}" if schedule.blocked else ""
        raise OctetError(f"failed: {', '.join(schedule.failed)}{lost}")


def _stage_lock(screen: Screen) -> None:
    """Stage dvc.lock for git; a warning if git does not."""
    try:
        staging.stage_lock()
    except (OctetError, OSError) as error:
        screen.complain(f"{PATH} is not staged for git: {error}")
