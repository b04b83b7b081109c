"""From what the planner decided to what the ledger keeps and the journal tells."""

import itertools
import logging
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from types import MappingProxyType
from typing import Protocol

import msgspec

from schedd import fire
from schedd.errors import TimetableError
from schedd.fire import Entry, Fire, Kind, Outcome, Reason, RunId, Status
from schedd.host.journald import Event, about
from schedd.insight import keeping_up
from schedd.ledger import facts
from schedd.ledger.state import State
from schedd.planner import actions, locks
from schedd.planner.past import Past
from schedd.planner.quiet import ITS_END
from schedd.planner.registry import Remembered
from schedd.planner.view import Pace, Pause
from schedd.schedule import Schedule
from schedd.scripts.catalogue import Diff
from schedd.scripts.directives import Problem
from schedd.timetable.observance import Observance
from schedd.timetable.timetable import Timetable
from schedd.web.control import Failure, ReloadReport

log = logging.getLogger("schedd")

QUIET = {Status.OK, Status.DISABLED}
"""Statuses that nobody needs to look at."""

MOST_WARNINGS = 100
"""Of one reload; the rest is only counted."""


class Recall(Protocol):
    """Makes a schedule of what the ledger kept of it; None if it cannot be followed any more."""

    def __call__(self, script: str, *, header: str, sha256: str) -> Schedule | None:
        """Return it."""


Observe = Callable[[str], Observance | None]
"""Finds what the ledger names as `holidays.ics next`; None if there is no such calendar any more."""


def _without_calendars(_: str) -> None:
    return None


def fact_of(
    action: actions.Action, *, now_ms: int, host: str, keys: Mapping[RunId, str] = MappingProxyType({})
) -> facts.AnyFact | None:
    """Return the fact that records an action; a `Stop` has none of its own (the end of the run has).

    `keys` are what fires were asked for under, if they were.
    """
    match action:
        case actions.Start(fire=f):
            return facts.Claimed.of(f, at=now_ms, key=keys.get(f.run_id))
        case actions.Hold(fire=f, due_ms=due_ms):
            held = facts.Held.of(f, at=now_ms, key=keys.get(f.run_id))
            return msgspec.structs.replace(held, due=due_ms)
        case actions.Close():
            entry = entry_of(action, now_ms=now_ms, host=host)
            return facts.Ended(entry=entry, key=keys.get(entry.run_id))
        case actions.Open(fire=f, status=status, reason=reason, error=error):
            assert f.slot is not None
            return facts.Stretch(
                at=now_ms,
                run_id=f.run_id,
                path=f.script,
                expression=f.expression,
                first=f.slot,
                status=status,
                reason=reason,
                error=error,
            )
        case actions.Paused(pause=pause):
            return facts.Paused(
                at=pause.since_ms, by=pause.by, path=pause.script, note=pause.note, until=pause.until_ms
            )
        case actions.Resumed(script=script, by=by):
            return facts.Resumed(at=now_ms, by=by, path=script)
        case actions.Lagging():
            return _lagging(action, now_ms)
        case actions.KeptUp(script=script):
            return facts.KeptUp(at=now_ms, path=script)
        case actions.Register(schedule=s, registered_at_ms=at_ms):
            return facts.Registered(
                at=at_ms,
                path=s.script,
                expression=s.expression,
                timezone=s.timezone,
                enabled=s.enabled,
                sha256=s.sha256,
                header=s.header,
                jitter_s=s.timetable.jitter_s,
                calendar=str(s.timetable.observance or ""),
                calendar_sha256=s.timetable.calendar_sha256,
            )
        case actions.Unregister(script=script):
            return facts.Unregistered(at=now_ms, path=script)
        case actions.Decided(watermark=slot):
            return facts.Watermark(slot=slot)
        case actions.Stop():
            return None


def entry_of(action: actions.Close, *, now_ms: int, host: str) -> Entry:
    """Return the line of a fire that did not run."""
    return fire.not_run(
        action.fire,
        at_ms=now_ms,
        status=action.status,
        reason=action.reason,
        error=action.error,
        host=host,
        last_slot=action.last_slot,
        count=action.count,
    )


def interrupted(
    claim: facts.Claimed, *, now_ms: int, host: str, rebooted: bool, found: Collection[RunId]
) -> facts.Ended:
    """Return the end of a fire that was claimed by a daemon that died before it was over.

    `found` are the fires whose processes had outlived it.
    """
    who = "the host went down" if rebooted else "schedd died"
    error = f"{who} while this run was in flight"
    if claim.run_id in found:
        error += "; its process had outlived schedd and was stopped"
    outcome = Outcome(
        status=Status.ERROR, reason=Reason.INTERRUPTED, error=error, started_ms=claim.at, ended_ms=now_ms
    )
    return facts.Ended(entry=fire.ran(claim.fire(), outcome, host=host))


def past_of(state: State, interrupted: Iterable[Fire] = (), observe: Observe = _without_calendars) -> Past:
    """Return what the planner is told of the ledger's state when the daemon starts.

    `interrupted` are the fires that ran when the daemon before it died. `observe` finds the calendars as they
    are now, by which the slots since then are settled.
    """
    return Past(
        watermark=state.watermark,
        spent=state.spent,
        registered=tuple(_remembered(state, observe)),
        held=tuple((held.fire(), held.due) for held in state.held.values()),
        interrupted=tuple(interrupted),
        stretches=tuple(_stretch(s) for s in state.stretches.values()),
        pauses=tuple(map(_pause, state.paused.values())),
        lagging={path: pace_of(told) for path, told in state.lagging.items()},
        beyond=dict(state.beyond),
    )


def recalled(state: State, recall: Recall, schedules: Iterable[Schedule]) -> dict[str, Schedule]:
    """Return the last good registrations of the daemon before this one that are not among these schedules."""
    found = by_script(schedules)
    missing = (told for told in state.registered.values() if told.path not in found)
    again = (recall(told.path, header=told.header, sha256=told.sha256) for told in missing)
    return by_script(schedule for schedule in again if schedule is not None)


def by_script(schedules: Iterable[Schedule]) -> dict[str, Schedule]:
    """Return the schedules by their relative paths."""
    return {schedule.script: schedule for schedule in schedules}


def reloaded(diff: Diff, now_ms: int) -> facts.Reloaded:
    """Return the fact of a reload."""
    return facts.Reloaded(
        at=now_ms,
        added=len(diff.added),
        kept=len(diff.kept),
        removed=len(diff.removed),
        failed=len(diff.failed),
    )


def report_of(
    diff: Diff, said: Iterable[str], *, dry_run: bool, lagging: Mapping[str, Pace] = MappingProxyType({})
) -> ReloadReport:
    """Return what is answered to whoever asked for a reload; `said` is about the configuration."""
    slow = [schedule for schedule in diff.schedules if schedule.script in lagging]
    return ReloadReport(
        dry_run=dry_run,
        added=diff.added,
        kept=diff.kept,
        removed=diff.removed,
        changed=diff.changed,
        failed=tuple(map(failure_of, diff.failed)),
        warnings=(
            *(Failure(path="schedd.toml", reason=sentence) for sentence in said),
            *map(failure_of, (*diff.warnings, *overruled(diff.schedules))),
            *(Failure(path=s.script, reason=keeping_up.sentence(lagging[s.script], s)) for s in slow),
        ),
    )


def overruled(schedules: Iterable[Schedule]) -> list[Problem]:
    """Return what is to be said to the authors of scripts that share a lock, and do not agree about it."""
    return [Problem(script, sentence) for script, sentence in locks.overruled(schedules)]


def note_problems(diff: Diff) -> tuple[Failure, ...]:
    """Log what is wrong with the scripts as they were just read; return those that are not registered."""
    failed = tuple(map(failure_of, diff.failed))
    for failure in failed:
        tell_failed(failure)
    tell_warnings((*diff.warnings, *overruled(diff.schedules)))
    return failed


def failure_of(problem: Problem) -> Failure:
    """Return a problem as it is answered."""
    return Failure(path=problem.path, reason=problem.reason, line=problem.line, column=problem.column)


def tell_resumed(fact: facts.Resumed) -> None:
    """Log a pause that ended by itself; who resumes something is logged where that is asked for."""
    if fact.by == ITS_END:
        log.info(
            "%s: the pause has come to its end", fact.path or "all scripts", extra=about(script=fact.path)
        )


def tell_lagging(decided: Iterable[actions.Action], schedule_of: Callable[[str], Schedule | None]) -> None:
    """Log that a script's runs begin to outlast its interval, or no longer do."""
    for action in decided:
        match action:
            case actions.Lagging(script=script, begins=True):
                schedule = schedule_of(script)
                if schedule is not None:
                    text = keeping_up.sentence(action.pace, schedule)
                    log.warning("%s: %s", script, text, extra=about(script=script))
            case actions.KeptUp(script=script):
                log.info("%s: its runs no longer outlast its interval", script, extra=about(script=script))
            case _:
                pass


def tell_caught_up(decided: Iterable[actions.Action]) -> None:
    """Log the plan before its first fire starts: what is going to be caught up."""
    holds = (action.fire for action in decided if isinstance(action, actions.Hold))
    caught_up = [fire.script for fire in holds if fire.kind is Kind.CATCHUP]
    if caught_up:
        text = "catching up %d slots of %d scripts, a few at a time"
        log.info(text, len(caught_up), len(set(caught_up)), extra=about(Event.MISSED))


def tell_draining(why: str, running: int) -> None:
    """Log that nothing is started any more, and how many runs are waited for."""
    log.info("draining (%s): %d run%s in flight", why, running, "" if running == 1 else "s")


def tell_failed(failure: Failure) -> None:
    """Log a script that is not registered."""
    where = failure.path if failure.line is None else f"{failure.path}:{failure.line}"
    log.warning("%s: %s", where, failure.reason, extra=about(Event.PROBLEM, script=failure.path))


def tell_warnings(warnings: Collection[Problem]) -> None:
    """Log what looks wrong about files, bounded: a directory full of it must not flood the journal."""
    for warning in itertools.islice(warnings, MOST_WARNINGS):
        log.warning("%s", warning, extra=about(script=warning.path))
    if len(warnings) > MOST_WARNINGS:
        log.warning("and %d more; `schedd check` shows all", len(warnings) - MOST_WARNINGS)


def tell_up(schedules: int, failed: int) -> None:
    """Log that the daemon is ready."""
    log.info("up: %d schedules, %d failed", schedules, failed, extra=about(Event.UP))


def tell_reloaded(*, added: int, changed: int, removed: int, failed: int) -> None:
    """Log a reload."""
    text = "reloaded: %d added, %d changed, %d removed, %d failed"
    log.info(text, added, changed, removed, failed, extra=about(Event.RELOADED))


def tell(entry: Entry) -> None:
    """Log the end of a fire: one line, with the fields by which journalctl finds it."""
    level = logging.INFO if entry.status in QUIET else logging.WARNING
    log.log(level, "%s", sentence(entry), extra=about(_event(entry), entry=entry))


def sentence(entry: Entry) -> str:
    """Say in one line how a fire ended."""
    what = entry.status.value if entry.reason is None else f"{entry.status.value} ({entry.reason.value})"
    when = "" if entry.slot is None else f", slot {entry.slot}"
    if entry.count is not None and entry.count > 1:
        when = f", {entry.count} slots from {entry.slot} to {entry.last_slot}"
    took = f" after {entry.duration_ms} ms" if entry.started_at is not None else ""
    why = "" if entry.error is None else f": {entry.error}"
    return f"{entry.script_path} {what}{took}{when}{why}"


def _event(entry: Entry) -> Event:
    if entry.reason is Reason.MISSED:
        return Event.MISSED
    if entry.status is Status.OK:
        return Event.ENDED
    return Event.FAILED if entry.started_at is not None else Event.SKIPPED


def _remembered(state: State, observe: Observe) -> Iterator[Remembered]:
    for told in state.registered.values():
        observance = observe(told.calendar) if told.calendar else None
        if told.calendar and observance is None:
            text = "%s: the slots since the last stop are told without its calendar, %s: it cannot be read"
            log.warning(text, told.path, told.calendar)
        try:
            timetable = Timetable.parse(
                told.expression,
                told.timezone,
                seed=told.path,
                jitter_s=told.jitter_s,
                observance=observance,
            )
        except TimetableError as error:
            # Written by another version, or its zone is gone from the zone data: its past cannot be computed.
            log.warning("%s: the slots since the last stop cannot be told: %s", told.path, error)
            continue
        yield Remembered(
            script=told.path,
            expression=told.expression,
            timetable=timetable,
            enabled=told.enabled,
            sha256=told.sha256,
            registered_at_ms=told.at,
            calendar_sha256=told.calendar_sha256,
        )


def _stretch(told: facts.Stretch) -> actions.Open:
    opened = Fire(told.run_id, told.path, told.expression, Kind.SCHEDULE, told.first)
    return actions.Open(opened, told.status, told.reason, told.error or told.reason.value)


def _lagging(action: actions.Lagging, now_ms: int) -> facts.Lagging:
    pace = action.pace
    return facts.Lagging(
        at=now_ms,
        path=action.script,
        since=pace.since,
        slots=pace.slots,
        span_s=pace.span_s,
        ran=pace.ran,
        p50_ms=pace.p50_ms,
    )


def pace_of(told: facts.Lagging) -> Pace:
    """Return how a script gets along, as it was last told."""
    return Pace(since=told.since, slots=told.slots, span_s=told.span_s, ran=told.ran, p50_ms=told.p50_ms)


def _pause(told: facts.Paused) -> Pause:
    return Pause(script=told.path, since_ms=told.at, by=told.by, note=told.note, until_ms=told.until)
