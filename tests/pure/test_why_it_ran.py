"""A slot that ran, runs or waits to gets the sentence that a person would want to read, whole."""

from schedd.fire import Kind, Reason, Status
from schedd.insight.verdict import Word
from tests.pure.telling_why import Past, claimed, down, fire, held, line, ms, run, up

TUE = "2026-11-24T02:30"


def test_a_run_that_went_well() -> None:
    past = Past(lines=[line(Status.OK, at=TUE, started=f"{TUE}:00.010", ended=f"{TUE}:01.210")])
    assert past.why().word is Word.RAN_OK
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET and ended ok after 1.2 s."
    )


def test_a_run_that_started_late_because_it_had_to_wait() -> None:
    past = Past(
        told=[held(fire(TUE), TUE), claimed(fire(TUE), f"{TUE}:14")],
        lines=[line(Status.OK, at=TUE, started=f"{TUE}:14", ended=f"{TUE}:15")],
    )
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET, 14 s late because it had to wait for "
        "its turn, and ended ok after 1 s."
    )


def test_a_run_that_started_late_because_the_daemon_was_restarted() -> None:
    past = Past(
        told=[down("2026-11-24T02:29:50"), up(f"{TUE}:08")],
        lines=[line(Status.OK, at=TUE, started=f"{TUE}:08", ended=f"{TUE}:09")],
    )
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET, 8 s late since schedd was down from "
        "02:29:50 to 02:30:08, and ended ok after 1 s."
    )


def test_a_run_that_failed() -> None:
    error = "exit code 7: no route to host"
    past = Past(
        lines=[line(Status.ERROR, Reason.EXIT, at=TUE, started=TUE, ended=f"{TUE}:01.200", error=error)]
    )
    assert past.why().word is Word.RAN_FAILED
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET and failed after 1.2 s: exit code 7: no "
        "route to host."
    )


def test_a_run_that_was_killed() -> None:
    error = "killed by SIGKILL (kill -9, or the kernel was out of memory)"
    past = Past(
        lines=[
            line(Status.ERROR, Reason.SIGNAL, at=TUE, started=TUE, ended="2026-11-24T02:34:10", error=error)
        ]
    )
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET and failed after 4 min 10 s: killed by "
        "SIGKILL (kill -9, or the kernel was out of memory)."
    )


def test_a_run_that_took_too_long() -> None:
    error = "ran longer than its limit of 30 s"
    past = Past(
        lines=[line(Status.TIMEOUT, Reason.TIMEOUT, at=TUE, started=TUE, ended=f"{TUE}:30", error=error)]
    )
    assert past.why().word is Word.TIMED_OUT
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET and was stopped after 30 s: it ran "
        "longer than its limit of 30 s."
    )


def test_a_run_that_somebody_stopped() -> None:
    past = Past(
        lines=[
            line(
                Status.ERROR,
                Reason.STOPPED,
                at=TUE,
                started=TUE,
                ended=f"{TUE}:05",
                error="stopped by uid:1000",
            )
        ]
    )
    assert past.why().word is Word.STOPPED
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET and was stopped by uid:1000, after 5 s."
    )


def test_a_run_that_was_replaced() -> None:
    error = "stopped: replaced by the slot of 2026-11-24T01:40:00.000Z (@overlap replace)"
    past = Past(
        lines=[line(Status.ERROR, Reason.STOPPED, at=TUE, started=TUE, ended="2026-11-24T02:40", error=error)]
    )
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET and was stopped after 10 min: replaced "
        "by the slot of 02:40 (@overlap replace)."
    )


def test_a_run_that_could_not_be_started() -> None:
    error = "/bin/zsh is not there: no such file"
    past = Past(lines=[line(Status.ERROR, Reason.SPAWN, at=TUE, ended=TUE, error=error)])
    assert past.why().word is Word.NOT_STARTED
    assert past.why().sentence == (
        "shop/export.sh could not be started for its slot of Tue 2026-11-24 02:30 CET: /bin/zsh is not "
        "there: no such file."
    )


def test_a_run_that_died_with_the_daemon() -> None:
    error = "schedd died while this run was in flight; its process had outlived schedd and was stopped"
    past = Past(
        told=[(up("2026-11-24T02:41"), ms("2026-11-24T02:33:10"))],
        lines=[
            line(Status.ERROR, Reason.INTERRUPTED, at=TUE, started=TUE, ended="2026-11-24T02:41", error=error)
        ],
    )
    assert past.why().word is Word.INTERRUPTED
    assert past.why().sentence == (
        "shop/export.sh was running for its slot of Tue 2026-11-24 02:30 CET when schedd died (last heard of "
        "at 02:33:10), and was cut off; schedd came back at 02:41; its process had outlived schedd and was "
        "stopped."
    )


def test_a_run_in_flight() -> None:
    past = Past(now="2026-11-24T02:33", told=[claimed(fire(TUE), TUE)], running=(fire(TUE),))
    assert past.why().word is Word.RUNNING
    assert past.why().sentence == (
        "shop/export.sh is running for its slot of Tue 2026-11-24 02:30 CET, since 02:30 (3 min)."
    )


def test_a_fire_that_waits_behind_a_run() -> None:
    before = fire("2026-11-24T02:20", number=7)
    past = Past(
        now="2026-11-24T02:33",
        told=[claimed(before, "2026-11-24T02:20"), held(fire(TUE), TUE)],
        running=(before,),
        held=(fire(TUE),),
    )
    assert past.why().word is Word.HELD
    assert past.why().sentence == (
        "shop/export.sh waits to run for its slot of Tue 2026-11-24 02:30 CET: its run for the slot of "
        f"02:20, started at 02:20 (run {run(7)}), is still in flight."
    )


def test_a_fire_that_waits_for_a_place() -> None:
    past = Past(now="2026-11-24T02:33", told=[held(fire(TUE), TUE)], held=(fire(TUE),))
    assert past.why().sentence == (
        "shop/export.sh waits to run for its slot of Tue 2026-11-24 02:30 CET: as many runs are in flight as "
        "may be (max_running)."
    )


def test_a_failure_that_will_be_tried_again() -> None:
    failed = line(Status.ERROR, Reason.EXIT, at=TUE, started=TUE, ended=f"{TUE}:01", error="exit code 7")
    again = fire(TUE, Kind.RETRY, attempt=2, number=2)
    past = Past(
        now=f"{TUE}:30",
        told=[held(again, f"{TUE}:01", due="2026-11-24T02:31:01")],
        lines=[failed],
        held=(again,),
    )
    assert past.why().word is Word.RETRYING
    assert past.why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET and failed after 1 s: exit code 7; "
        "attempt 2 is due at 02:31:01."
    )


def test_a_failure_that_a_retry_made_good() -> None:
    failed = line(Status.ERROR, Reason.EXIT, at=TUE, started=TUE, ended=f"{TUE}:01", error="exit code 7")
    retried = line(
        Status.OK,
        at=TUE,
        kind=Kind.RETRY,
        attempt=2,
        started="2026-11-24T02:31:01",
        ended="2026-11-24T02:31:02",
        number=2,
    )
    verdict = Past(lines=[failed, retried]).why()
    assert (verdict.word, verdict.run_id) == (Word.RAN_OK, run(2))
    assert verdict.sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET and failed after 1 s: exit code 7; "
        "attempt 2 at 02:31:01 ended ok after 1 s."
    )


def test_a_failure_that_no_retry_made_good() -> None:
    tries = [
        line(
            Status.ERROR,
            Reason.EXIT,
            at=TUE,
            kind=Kind.SCHEDULE if n == 1 else Kind.RETRY,
            attempt=n,
            started=f"2026-11-24T02:3{n}",
            ended=f"2026-11-24T02:3{n}:01",
            error="exit code 7",
            number=n,
        )
        for n in range(1, 5)
    ]
    assert Past(lines=tries).why().word is Word.RAN_FAILED
    assert Past(lines=tries).why().sentence == (
        "shop/export.sh ran for its slot of Tue 2026-11-24 02:30 CET, 1 min late, and failed after 1 s: exit "
        "code 7; 2 more attempts did not end ok either; attempt 4 at 02:34 failed after 1 s: exit code 7."
    )
