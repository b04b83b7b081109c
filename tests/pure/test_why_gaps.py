"""Gaps are the due slots without an ok: counted by the registrations in force, told by their newest line."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from schedd.fire import Entry, Kind, Reason, RunId, Status
from schedd.insight import gaps
from schedd.insight.gaps import Gaps, Only
from schedd.ledger import facts
from schedd.ledger.annals import Annals, Chronicle
from schedd.timetable.instant import Slot, from_slot

T0 = 1_795_478_400
"""2026-11-24T00:00Z"""
HOUR = 3600


def registered(
    script: str = "a.sh", at: int = T0 - 10, expression: str = "0 * * * *", **more: object
) -> facts.Registered:
    keys = {"timezone": "UTC", "enabled": True, "sha256": "0"} | more
    return facts.Registered(at=at * 1000, path=script, expression=expression, **keys)  # type: ignore[arg-type]


def past(*told: facts.AnyFact) -> Chronicle:
    annals = Annals(0)
    for fact in told or (registered(),):
        annals.take(fact, None)
    return annals.chronicle((T0 + 24 * HOUR) * 1000, complete=True)


def line(
    status: Status,
    hour: int,
    reason: Reason | None = None,
    *,
    to: int | None = None,
    script: str = "a.sh",
    kind: Kind = Kind.SCHEDULE,
    run: str = "",
    after_s: int = 1,
) -> Entry:
    end = T0 + (hour if to is None else to) * HOUR
    return Entry(
        ts=from_slot(end + after_s),
        script_path=script,
        expression="0 * * * *",
        run_id=RunId(run or f"{script}-{hour}-{kind}"),
        status=status,
        duration_ms=1,
        kind=kind,
        reason=reason,
        slot=from_slot(T0 + hour * HOUR),
        last_slot=None if to is None else from_slot(end),
        count=None if to is None else to - hour + 1,
    )


def find(
    chronicle: Chronicle,
    *lines: Entry,
    since: int = T0,
    until: int = T0 + 4 * HOUR,
    only: Only = Only.ALL,
    now: int = T0 + 100 * HOUR,
    **more: object,
) -> Gaps:
    return gaps.find(
        chronicle,
        lines,
        since_ms=since * 1000,
        until_ms=until * 1000,
        now_ms=now * 1000,
        only=only,
        **more,  # type: ignore[arg-type]
    )


def hours(found: Gaps) -> list[int]:
    return [(slot - T0) // HOUR for _, slot in found.oldest(10_000)]


def test_a_slot_with_an_ok_is_no_gap() -> None:
    lines = [line(Status.OK, 0), line(Status.ERROR, 1, Reason.EXIT), line(Status.OK, 2), line(Status.OK, 3)]
    assert hours(find(past(), *lines)) == [1]


def test_a_slot_that_nothing_is_on_record_about_is_a_gap() -> None:
    found = find(past(), line(Status.OK, 0), line(Status.OK, 3))
    assert [(gap.slots, gap.status, gap.run_ids) for gap in found.gaps] == [
        ((T0 + HOUR, T0 + 2 * HOUR), None, ())
    ]


def test_a_retry_or_a_replay_that_ends_ok_fills_it() -> None:
    failed = [line(Status.ERROR, hour, Reason.EXIT) for hour in range(4)]
    filled = [line(Status.OK, 1, kind=Kind.RETRY), line(Status.OK, 2, kind=Kind.REPLAY)]
    assert hours(find(past(), *failed, *filled)) == [0, 3]


def test_a_catch_up_that_ends_ok_fills_it() -> None:
    lines = [line(Status.ERROR, 0, Reason.MISSED, to=2), line(Status.OK, 3, kind=Kind.CATCHUP)]
    assert hours(find(past(), *lines)) == [0, 1, 2]


def test_a_failed_retry_does_not_fill_it_and_is_its_newest_line() -> None:
    failed = line(Status.ERROR, 0, Reason.EXIT, run="one")
    again = line(Status.TIMEOUT, 0, Reason.TIMEOUT, kind=Kind.RETRY, run="two", after_s=60)
    (gap,) = find(past(), again, failed, until=T0 + HOUR).gaps
    assert (gap.status, gap.run_ids) == (Status.TIMEOUT, ("one", "two"))


def test_a_span_is_one_gap_with_all_its_slots() -> None:
    (gap,) = find(past(), line(Status.ERROR, 0, Reason.MISSED, to=3)).gaps
    assert (len(gap.slots), gap.status, gap.reason) == (4, Status.ERROR, Reason.MISSED)


def test_only_what_is_asked_for_is_told() -> None:
    lines = [
        line(Status.ERROR, 0, Reason.MISSED),
        line(Status.ERROR, 1, Reason.EXIT),
        line(Status.SKIPPED_OVERLOAD, 2, Reason.OVERLAP),
    ]
    asked = {only: hours(find(past(), *lines, only=only)) for only in Only}
    assert asked == {Only.MISSING: [0, 3], Only.FAILED: [1], Only.ALL: [0, 1, 2, 3]}


def test_nothing_is_due_before_the_registration_and_after_the_removal() -> None:
    removed = facts.Unregistered(at=(T0 + 2 * HOUR + 5) * 1000, path="a.sh")
    (gap,) = find(past(registered(at=T0 + HOUR), removed)).gaps
    assert gap.slots == (T0 + 2 * HOUR,)


def test_what_is_not_registered_any_more_is_told_and_cannot_be_replayed() -> None:
    removed = facts.Unregistered(at=(T0 + 2 * HOUR + 5) * 1000, path="a.sh")
    found = find(past(registered(), removed))
    assert (len(found.gaps[0].slots), found.replayable, found.oldest(10)) == (3, 0, [])


def test_each_stretch_of_time_goes_by_the_registration_in_force() -> None:
    told = past(registered(), registered(at=T0 + 2 * HOUR + 5, expression="30 * * * *"))
    found = find(told)
    assert [slot - T0 for _, slot in found.oldest(10_000)] == [
        0,
        HOUR,
        2 * HOUR,
        2 * HOUR + 1800,
        3 * HOUR + 1800,
    ]


def test_a_slot_in_an_open_stretch_is_told_by_it() -> None:
    stretch = facts.Stretch(
        at=T0 * 1000,
        run_id=RunId("s"),
        path="a.sh",
        expression="0 * * * *",
        first=Slot(T0 + HOUR),
        status=Status.DISABLED,
        reason=Reason.PAUSED,
    )
    told = replace(past(), stretches=(stretch,))
    found = find(told, line(Status.OK, 0))
    assert [(len(gap.slots), gap.reason, gap.run_ids) for gap in found.gaps] == [(3, Reason.PAUSED, ("s",))]
    assert hours(find(told, line(Status.OK, 0), only=Only.MISSING)) == []


def test_what_is_in_flight_is_no_gap_yet() -> None:
    pending = frozenset({("a.sh", Slot(T0 + HOUR))})
    assert hours(find(past(), pending=pending)) == [0, 2, 3]


def test_what_is_about_to_be_decided_is_no_gap_yet() -> None:
    assert hours(find(past(), now=T0 + 2 * HOUR + 1, until=T0 + 4 * HOUR)) == [0, 1]


def test_what_is_to_come_is_no_gap() -> None:
    assert hours(find(past(), now=T0 + HOUR + 60, until=T0 + 4 * HOUR)) == [0, 1]


def test_gaps_are_told_by_slot_and_then_by_script() -> None:
    told = past(registered("b.sh"), registered("a.sh"))
    assert find(told, until=T0 + HOUR + 1).oldest(3) == [
        ("a.sh", T0),
        ("b.sh", T0),
        ("a.sh", T0 + HOUR),
    ]


def test_scripts_that_are_not_to_be_seen_are_not_told() -> None:
    told = past(registered("b.sh"), registered("a.sh"))
    assert {script for script, _ in find(told, sees=lambda script: script == "b.sh").oldest(10_000)} == {
        "b.sh"
    }
    assert {script for script, _ in find(told, script="a.sh").oldest(10_000)} == {"a.sh"}


def test_too_many_slots_are_cut_and_said_to_be() -> None:
    found = find(past(registered(expression="@every 1s")), max_slots=100)
    assert (len(found.oldest(10_000)), found.complete) == (100, False)


def test_what_the_ledger_does_not_reach_back_to_is_not_guessed() -> None:
    told = replace(past(), since_ms=(T0 + 2 * HOUR) * 1000)
    assert hours(find(told)) == [2, 3]


HOURS = st.lists(
    st.sampled_from(["ok", "failed", "missed", "skipped", "retried", "nothing"]), min_size=1, max_size=24
)


@given(HOURS)
def test_each_slot_is_either_ok_or_a_gap_and_never_both(fates: list[str]) -> None:
    lines = []
    for hour, fate in enumerate(fates):
        match fate:
            case "ok":
                lines.append(line(Status.OK, hour))
            case "failed":
                lines.append(line(Status.ERROR, hour, Reason.EXIT))
            case "missed":
                lines.append(line(Status.ERROR, hour, Reason.MISSED))
            case "skipped":
                lines.append(line(Status.SKIPPED_OVERLOAD, hour, Reason.OVERLAP))
            case "retried":
                lines += [line(Status.ERROR, hour, Reason.EXIT), line(Status.OK, hour, kind=Kind.RETRY)]
    found = find(past(), *lines, until=T0 + len(fates) * HOUR)
    assert hours(found) == [h for h, fate in enumerate(fates) if fate not in ("ok", "retried")]
