"""What a daemon that starts makes of the time in which there was none."""

import asyncio
from pathlib import Path

from schedd.daemon.messages import PauseAsked
from schedd.fire import Reason, Status
from schedd.planner.view import Pause
from schedd.runner.launch import Launch
from schedd.schedule import Catchup, Overlap, Retry, Schedule
from tests.fake_runner import Play
from tests.pure.making import T0_MS, schedule
from tests.shell.simulation import Simulation
from tests.whole import checker
from tests.whole.checker import Line

MINUTE_MS = 60_000
SCRIPT = "a.sh"
FAILS = {"status": Status.ERROR, "reason": Reason.EXIT, "error": "exit code 1", "exit_code": 1}


def quickly(_: Launch) -> Play:
    return Play(10)


async def lives(
    state: Path, *made: Schedule, at_min: float = 0, for_min: float, play: object = quickly
) -> Simulation:
    """Let a daemon live for so long, on these scripts; return it when it has stopped."""
    start_ms = T0_MS + int(at_min * MINUTE_MS)
    simulation = Simulation(state, made, play, start_ms=start_ms, seed=int(at_min * 60))  # type: ignore[arg-type]
    await simulation.live(int(for_min * MINUTE_MS))
    return simulation


def told(state: Path, reason: str | None) -> list[Line]:
    return [line for line in checker.read(state) if line.get("reason") == reason]


def minutes(line: Line) -> tuple[float, float, int]:
    start = checker.seconds(line["slot"]), checker.seconds(line.get("lastSlot", line["slot"]))
    first, last = ((second - T0_MS // 1000) / 60 for second in start)
    return first, last, line.get("count", 1)


async def test_slots_without_a_daemon_are_missed_in_one_line(in_memory: Path) -> None:
    made = schedule(SCRIPT, "* * * * *")
    await lives(in_memory, made, for_min=5.5)
    await lives(in_memory, made, at_min=60.5, for_min=2)
    (missed,) = told(in_memory, "missed")
    assert minutes(missed) == (6, 59, 54)
    assert missed["status"] == "error"


async def test_a_slot_less_than_a_minute_late_fires_late(in_memory: Path) -> None:
    made = schedule(SCRIPT, "*/10 * * * *")
    await lives(in_memory, made, for_min=5)
    await lives(in_memory, made, at_min=10.5, for_min=1)
    (late,) = told(in_memory, None)
    assert late["latenessMs"] == 30_000
    assert late["status"] == "ok"


async def test_slots_of_a_script_that_has_gone_meanwhile_are_missed_too(in_memory: Path) -> None:
    await lives(in_memory, schedule(SCRIPT, "* * * * *"), for_min=5.5)
    await lives(in_memory, at_min=60.5, for_min=2)
    (missed,) = told(in_memory, "missed")
    assert minutes(missed) == (6, 60, 55)


async def test_slots_of_a_changed_timetable_are_those_of_the_old_one_until_now(
    in_memory: Path,
) -> None:
    await lives(in_memory, schedule(SCRIPT, "*/20 * * * *"), for_min=5)
    await lives(in_memory, schedule(SCRIPT, "*/7 * * * *"), at_min=45, for_min=30)
    (missed,) = told(in_memory, "missed")
    assert (missed["expression"], minutes(missed)) == ("*/20 * * * *", (20, 40, 2))
    assert [minutes(line)[0] for line in told(in_memory, None)] == [49, 56, 60, 67, 74]


async def test_a_new_script_owes_nothing_from_before_it_was_seen(in_memory: Path) -> None:
    await lives(in_memory, for_min=5)
    await lives(in_memory, schedule(SCRIPT, "* * * * *"), at_min=60.5, for_min=1)
    assert told(in_memory, "missed") == []


async def test_a_disabled_script_is_told_in_one_line_for_each_life(in_memory: Path) -> None:
    made = schedule(SCRIPT, "* * * * *", enabled=False)
    await lives(in_memory, made, for_min=30.5)
    await lives(in_memory, made, at_min=45.5, for_min=10)
    first, second = told(in_memory, "disabled")
    assert minutes(first) == (1, 30, 30)
    assert minutes(second) == (31, 55, 25)


async def test_a_startup_script_runs_once_for_each_boot(in_memory: Path) -> None:
    made = schedule(SCRIPT, "@reboot")
    await lives(in_memory, made, for_min=1)
    await lives(in_memory, made, at_min=5, for_min=1)
    (line,) = told(in_memory, None)
    assert line["kind"] == "startup"


async def test_what_is_held_at_the_end_is_skipped_as_draining(in_memory: Path) -> None:
    made = schedule(SCRIPT, "* * * * *", overlap=Overlap.QUEUE)
    await lives(in_memory, made, for_min=2.2, play=lambda _: Play(10 * MINUTE_MS))
    (held,) = told(in_memory, "draining")
    (stopped,) = told(in_memory, "stopped")
    assert (minutes(stopped)[0], minutes(held)[0]) == (1, 2)


async def test_runs_end_before_the_daemon_does_if_they_can(in_memory: Path) -> None:
    made = schedule(SCRIPT, "* * * * *")
    await lives(in_memory, made, for_min=1.1, play=lambda _: Play(20_000))
    (line,) = told(in_memory, None)
    assert (line["status"], line["durationMs"]) == ("ok", 20_000)


async def test_a_clock_that_is_set_back_fires_nothing_twice(in_memory: Path) -> None:
    made = schedule(SCRIPT, "* * * * *")
    simulation = Simulation(in_memory, [made], quickly, start_ms=T0_MS)
    await simulation.live(
        20 * MINUTE_MS, lambda: simulation.loop.call_later(600.5, simulation.clock.step, -5 * MINUTE_MS)
    )
    fired = [minutes(line)[0] for line in told(in_memory, None)]
    assert fired == list(range(1, 16))


async def test_a_clock_that_is_set_ahead_leaves_missed_slots_behind(in_memory: Path) -> None:
    made = schedule(SCRIPT, "* * * * *")
    simulation = Simulation(in_memory, [made], quickly, start_ms=T0_MS)
    await simulation.live(
        20 * MINUTE_MS, lambda: simulation.loop.call_later(600.5, simulation.clock.step, 60 * MINUTE_MS)
    )
    (missed,) = told(in_memory, "missed")
    assert minutes(missed) == (11, 69, 59)
    fired = [minutes(line)[0] for line in told(in_memory, None)]
    assert fired == [*range(1, 11), *range(70, 81)]


async def test_a_clock_that_goes_back_by_hours_and_comes_back_tells_nothing_twice(in_memory: Path) -> None:
    made = schedule(SCRIPT, "* * * * *")
    simulation = Simulation(in_memory, [made], quickly, start_ms=T0_MS)
    loop, step = simulation.loop, simulation.clock.step

    def there_and_back() -> None:
        loop.call_later(600.5, step, -240 * MINUTE_MS)
        loop.call_later(720.5, step, 240 * MINUTE_MS)

    await simulation.live(20 * MINUTE_MS, there_and_back)
    await lives(in_memory, made, at_min=30.5, for_min=2)
    assert [minutes(line) for line in told(in_memory, "missed")] == [(11, 11, 1), (21, 29, 9)]
    fired = [minutes(line)[0] for line in told(in_memory, None)]
    assert sorted(fired) == [-229, -228, *range(1, 11), *range(12, 21), 30, 31, 32]


async def test_a_reload_keeps_runs_and_changes_timetables(in_memory: Path) -> None:
    simulation = Simulation(in_memory, [schedule(SCRIPT, "*/5 * * * *")], quickly, start_ms=T0_MS)

    async def reload() -> None:
        simulation.scanner.schedules = [schedule(SCRIPT, "*/7 * * * *"), schedule("b.sh", "@every 10m")]
        report = await simulation.daemon.reloading.reload(dry_run=False)
        assert (report.added, report.changed) == (("b.sh",), (SCRIPT,))

    tasks = []
    loop = simulation.loop
    await simulation.live(
        22 * MINUTE_MS,
        lambda: loop.call_later(11 * 60, lambda: tasks.append(loop.create_task(reload()))),
    )
    await tasks[0]
    fired = [(line["scriptPath"], minutes(line)[0]) for line in told(in_memory, None)]
    assert fired == [("a.sh", 5), ("a.sh", 10), ("a.sh", 14), ("b.sh", 20), ("a.sh", 21)]


async def test_what_is_caught_up_goes_on_after_a_restart(in_memory: Path) -> None:
    made = schedule(SCRIPT, "*/10 * * * *", catchup=Catchup.ALL)
    await lives(in_memory, made, for_min=5)
    # Back after an hour, and stopped again while the second of six slots is being caught up.
    await lives(in_memory, made, at_min=65, for_min=1.5, play=lambda _: Play(MINUTE_MS))
    await lives(in_memory, made, at_min=67, for_min=2)
    caught_up = [line for line in checker.read(in_memory) if line["kind"] == "catchup"]
    assert [minutes(line)[0] for line in caught_up] == [10, 20, 30, 40, 50, 60]
    assert {line["status"] for line in caught_up} == {"ok"}
    assert told(in_memory, "missed") == []


async def test_a_retry_that_waits_is_not_forgotten_in_a_restart(in_memory: Path) -> None:
    made = schedule(SCRIPT, "0 * * * *", retry=Retry(limit=1, first_ms=600_000, most_ms=600_000))
    await lives(in_memory, made, at_min=55, for_min=7, play=lambda _: Play(10, FAILS))
    await lives(in_memory, made, at_min=63, for_min=10)
    first, second = checker.read(in_memory)
    assert (first["kind"], first["status"], first["attempt"]) == ("schedule", "error", 1)
    assert (second["kind"], second["status"], second["attempt"]) == ("retry", "ok", 2)
    assert checker.seconds(second["startedAt"]) - checker.seconds(first["ts"]) == 600


async def test_a_pause_outlives_the_daemon(in_memory: Path) -> None:
    made = schedule(SCRIPT, "* * * * *")
    simulation = Simulation(in_memory, [made], quickly, start_ms=T0_MS)
    pause = Pause(script=SCRIPT, since_ms=T0_MS + 30_000, by="ops", until_ms=T0_MS + 10 * MINUTE_MS)
    reply: asyncio.Future[None] = simulation.loop.create_future()
    await simulation.live(
        5 * MINUTE_MS,
        lambda: simulation.loop.call_later(30, simulation.inbox.put_nowait, PauseAsked(pause, reply)),
    )
    await lives(in_memory, made, at_min=5.5, for_min=7)
    spans = [minutes(line) for line in told(in_memory, "paused")]
    assert sum(count for _, _, count in spans) == 9
    assert [minutes(line)[0] for line in told(in_memory, None)] == [10, 11, 12]
