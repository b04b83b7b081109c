"""`GET /metrics`: what Prometheus reads is well-formed, bounded, and what happened."""

from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.samples import Sample

from schedd.fire import Entry, Kind, Reason, RunId, Status
from schedd.ledger import facts
from schedd.web import meters
from schedd.web.meters import Meters, Now
from tests.api import serving
from tests.machine.listening import listening

NOW = Now(version="1.2.3", host="here", states={}, failed=0, running=0, held=0, up_since_s=0.0)


def _entry(script: str, status: Status = Status.OK, **more: object) -> Entry:
    fields: dict[str, object] = {"duration_ms": 1500, "started_at": "2026-11-24T10:00:00.000Z", **more}
    return Entry(
        ts="2026-11-24T10:00:01.500Z",
        script_path=script,
        expression="@hourly",
        run_id=RunId("0"),
        status=status,
        kind=Kind.SCHEDULE,
        **fields,  # type: ignore[arg-type]
    )


def _samples(told: Meters, now: Now = NOW, accept: str = "") -> list[Sample]:
    text, _ = told.text(now, accept)
    return [sample for family in text_string_to_metric_families(text.decode()) for sample in family.samples]


def _value(samples: list[Sample], name: str, **labels: str) -> float | None:
    found = [s.value for s in samples if s.name == name and labels.items() <= s.labels.items()]
    assert len(found) <= 1, (name, labels)
    return found[0] if found else None


def test_a_fire_is_counted_by_script_kind_status_and_reason() -> None:
    told = Meters()
    told.heard(facts.Ended(entry=_entry("a.sh")))
    told.heard(facts.Ended(entry=_entry("a.sh")))
    told.heard(facts.Ended(entry=_entry("a.sh", Status.ERROR, reason=Reason.EXIT)))
    samples = _samples(told)
    assert _value(samples, "schedd_fires_total", script="a.sh", status="ok", reason="", kind="schedule") == 2
    assert _value(samples, "schedd_fires_total", script="a.sh", status="error", reason="exit") == 1


def test_a_span_counts_its_slots_and_has_no_duration() -> None:
    told = Meters()
    span = _entry("a.sh", Status.ERROR, reason=Reason.MISSED, count=40, started_at=None, duration_ms=0)
    told.heard(facts.Ended(entry=span))
    samples = _samples(told)
    assert _value(samples, "schedd_fires_total", reason="missed") == 40
    assert _value(samples, "schedd_fire_duration_seconds_count", script="a.sh") is None


def test_durations_and_lateness_are_seconds() -> None:
    told = Meters()
    told.heard(facts.Ended(entry=_entry("a.sh", lateness_ms=250)))
    samples = _samples(told)
    assert _value(samples, "schedd_fire_duration_seconds_sum", script="a.sh") == 1.5
    assert _value(samples, "schedd_fire_lateness_seconds_sum") == 0.25
    assert _value(samples, "schedd_fire_duration_seconds_bucket", script="a.sh", le="1.0") == 0
    assert _value(samples, "schedd_fire_duration_seconds_bucket", script="a.sh", le="5.0") == 1


def test_a_flood_of_scripts_ends_in_other() -> None:
    told = Meters()
    for number in range(meters.MOST_SCRIPTS + 50):
        told.heard(facts.Ended(entry=_entry(f"{number}.sh")))
    counted = [s for s in _samples(told) if s.name == "schedd_fires_total"]
    assert len(counted) == meters.MOST_SCRIPTS + 1
    assert _value(counted, "schedd_fires_total", script="other") == 50


def test_a_script_that_is_removed_leaves_its_series_and_makes_room() -> None:
    told = Meters()
    for number in range(meters.MOST_SCRIPTS):
        told.heard(facts.Ended(entry=_entry(f"{number}.sh")))
    told.reloaded({"1.sh"}, 1_795_514_400_000)
    told.heard(facts.Ended(entry=_entry("new.sh")))
    samples = _samples(told)
    assert {s.labels["script"] for s in samples if s.name == "schedd_fires_total"} == {"1.sh", "new.sh"}
    assert _value(samples, "schedd_fire_duration_seconds_count", script="0.sh") is None
    assert _value(samples, "schedd_reload_last_success_timestamp_seconds") == 1_795_514_400


def test_jumps_of_the_clock_are_counted() -> None:
    told = Meters()
    told.heard(facts.ClockStep(at=1, step_ms=-5000))
    told.heard(facts.Suspended(at=1, duration_ms=90_000))
    samples = _samples(told)
    assert _value(samples, "schedd_clock_steps_total") == 1
    assert _value(samples, "schedd_suspend_seconds_total") == 90


def test_every_state_is_there_also_at_0() -> None:
    samples = _samples(Meters())
    assert {s.labels["state"] for s in samples if s.name == "schedd_schedules"} == set(meters.STATES)


@pytest.mark.parametrize("script", ['a"b.sh', "a\\b.sh", "a\nb.sh", "ä.sh"])
def test_the_name_of_a_script_cannot_break_the_form(script: str) -> None:
    told = Meters()
    told.heard(facts.Ended(entry=_entry(script)))
    assert _value(_samples(told), "schedd_fires_total", script=script) == 1


async def test_the_route_answers_in_the_form_that_prometheus_reads(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.register("default/a.sh")
        answer = await api.get("/metrics")
    assert answer.status == 200
    assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = [s for f in text_string_to_metric_families(answer.raw.decode()) for s in f.samples]
    assert _value(samples, "schedd_info", version="0.1.0") == 1
    assert _value(samples, "schedd_schedule_next_fire_timestamp_seconds", script="default/a.sh")


async def test_requests_are_counted_by_route_never_by_path(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        await api.get("/api/v1/exec/runs/one")
        await api.get("/api/v1/exec/runs/two")
        await api.get("/made-up-1")
        await api.get("/made-up-2")
        answer = await api.get("/metrics")
    samples = [s for f in text_string_to_metric_families(answer.raw.decode()) for s in f.samples]
    routes = {s.labels["route"]: s.value for s in samples if s.name == "schedd_http_requests_total"}
    assert routes == {"/api/v1/exec/runs/{runId}": 2, "unknown": 2}


async def test_who_listens_to_what_happens_is_counted(tmp_path: Path) -> None:
    async def listeners() -> float | None:
        raw = (await api.get("/metrics")).raw.decode()
        samples = [s for f in text_string_to_metric_families(raw) for s in f.samples]
        return _value(samples, "schedd_event_listeners")

    async with serving(tmp_path) as api:
        assert await listeners() == 0
        async with listening(api) as one, listening(api) as other:
            await one.until("hello")
            await other.until("hello")
            assert await listeners() == 2


async def test_metrics_want_a_token(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        assert (await api.get("/metrics", token=None)).status == 401
