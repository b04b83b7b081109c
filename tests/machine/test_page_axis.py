"""The axis of time that the dashboard's timeline and heat map share: the module itself, run by node."""

import json
import shutil
import subprocess
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

MODULE = Path(__file__).parents[2] / "schedd" / "web" / "page" / "axis.js"
PROGRAM = """
import { readFileSync } from "node:fs";
import * as axis from "./axis.js";
const [name, ...given] = JSON.parse(readFileSync(0, "utf8"));
const found = typeof axis[name] === "function" ? axis[name](...given) : axis[name];
process.stdout.write(JSON.stringify(found));
"""
HOUR = 3_600_000
DAY = 24 * HOUR
QUARTERS = 4
Ask = Callable[..., Any]


@pytest.fixture
def axis(tmp_path: Path) -> Ask:
    """Return a function that calls one of the module's, or reads a constant, in a time zone."""
    shutil.copy(MODULE, tmp_path / "axis.js")
    (tmp_path / "package.json").write_text('{"type": "module"}')
    (tmp_path / "main.js").write_text(PROGRAM)
    node = shutil.which("node")
    assert node is not None

    def ask(*call: object, zone: str = "UTC") -> Any:
        done = subprocess.run(
            [node, "main.js"],
            cwd=tmp_path,
            input=json.dumps(call),
            env={"TZ": zone},
            capture_output=True,
            text=True,
            check=True,
            timeout=20,
        )
        return json.loads(done.stdout)

    return ask


def ms(text: str) -> int:
    """Return an instant in milliseconds."""
    return int(datetime.fromisoformat(text).timestamp() * 1000)


def window(start: str, end: str) -> dict[str, int]:
    return {"from": ms(start), "to": ms(end)}


def labels(ticks: list[dict[str, Any]]) -> list[str]:
    return [tick["label"] for tick in ticks]


def test_the_zooms_go_from_an_hour_to_thirty_days_in_steps_that_one_answer_holds(axis: Ask) -> None:
    zooms = axis("ZOOMS")
    assert [zoom["spanMs"] for zoom in zooms] == [HOUR, 6 * HOUR, DAY, 7 * DAY, 30 * DAY]
    for zoom in zooms:
        frame = axis("asked", {"from": 12_345, "to": 12_345 + zoom["spanMs"]})
        assert frame["stepMs"] == zoom["stepMs"]
        assert (frame["to"] - frame["from"]) / frame["stepMs"] <= 2_000
        assert frame["from"] % frame["stepMs"] == 0


def test_no_zoom_between_the_buttons_asks_for_too_many_steps(axis: Ask) -> None:
    for hours in (1, 2, 8, 9, 10, 36, 37, 100, 252, 253, 500, 720):
        frame = axis("asked", {"from": 0, "to": hours * HOUR})
        assert (frame["to"] - frame["from"]) / frame["stepMs"] <= 2_000


def test_an_answer_covers_a_window_moved_by_less_than_half_of_it(axis: Ask) -> None:
    view = {"from": 0, "to": DAY}
    known = axis("asked", view)
    assert axis("covers", known, axis("moved", view, 0.4 * DAY))
    assert not axis("covers", known, axis("moved", view, 0.6 * DAY))
    assert not axis("covers", known, {"from": 0, "to": HOUR})
    assert not axis("covers", None, view)


def test_zooming_leaves_what_is_pointed_at_where_it_is(axis: Ask) -> None:
    at = 3 * HOUR
    view = axis("zoomed", {"from": 0, "to": 12 * HOUR}, 0.5, at)
    assert view["to"] - view["from"] == 6 * HOUR
    assert (at - view["from"]) / (6 * HOUR) == pytest.approx(at / (12 * HOUR))


@pytest.mark.parametrize(("factor", "span"), [(0.001, HOUR), (1000, 30 * DAY)])
def test_zooming_ends_at_an_hour_and_at_thirty_days(axis: Ask, factor: float, span: int) -> None:
    view = axis("zoomed", {"from": 0, "to": DAY}, factor, HOUR)
    assert view["to"] - view["from"] == pytest.approx(span)


@pytest.mark.parametrize(
    ("hours", "direction", "next_id"),
    [(24, 1, "7d"), (24, -1, "6h"), (10, 1, "24h"), (10, -1, "6h"), (1, -1, "1h"), (720, 1, "30d")],
)
def test_a_key_goes_to_the_next_zoom_that_has_a_button(
    axis: Ask, hours: int, direction: int, next_id: str
) -> None:
    assert axis("nextZoom", hours * HOUR, direction)["id"] == next_id


def test_ticks_are_round_local_times_and_a_midnight_names_its_day(axis: Ask) -> None:
    view = window("2026-11-24T03:00:00+00:00", "2026-11-24T09:00:00+00:00")
    assert labels(axis("ticks", view, 600, zone="America/New_York")) == [
        *("22:00", "23:00", "Tue 24", "01:00", "02:00", "03:00", "04:00"),
    ]


def test_ticks_in_a_zone_of_three_quarters_are_round_there(axis: Ask) -> None:
    view = window("2026-11-24T00:00:00+00:00", "2026-11-24T03:00:00+00:00")
    assert labels(axis("ticks", view, 300, zone="Asia/Kathmandu")) == ["06:00", "07:00", "08:00"]


def test_the_hour_that_is_left_out_in_spring_has_no_tick(axis: Ask) -> None:
    view = window("2026-03-08T05:30:00+00:00", "2026-03-08T09:30:00+00:00")
    assert labels(axis("ticks", view, 400, zone="America/New_York")) == ["01:00", "03:00", "04:00", "05:00"]


def test_the_hour_that_comes_twice_in_autumn_has_a_tick_each_time(axis: Ask) -> None:
    view = window("2026-11-01T04:30:00+00:00", "2026-11-01T08:30:00+00:00")
    found = axis("ticks", view, 400, zone="America/New_York")
    assert labels(found) == ["01:00", "01:00", "02:00", "03:00"]
    assert found[1]["at"] - found[0]["at"] == HOUR


def test_ticks_of_days_stay_at_midnight_across_a_change(axis: Ask) -> None:
    view = window("2026-10-24T00:00:00+02:00", "2026-10-28T00:00:00+01:00")
    found = axis("ticks", view, 400, zone="Europe/Berlin")
    assert labels(found) == ["24 Oct", "25 Oct", "26 Oct", "27 Oct", "28 Oct"]
    assert found[2]["at"] - found[1]["at"] == 25 * HOUR


@pytest.mark.parametrize("hours", [1, 2, 5, 6, 11, 24, 60, 168, 400, 720])
@pytest.mark.parametrize("width", [280, 1000])
def test_ticks_never_touch_one_another(axis: Ask, hours: int, width: int) -> None:
    view = {"from": ms("2026-10-24T00:07:00+00:00"), "to": ms("2026-10-24T00:07:00+00:00") + hours * HOUR}
    found = axis("ticks", view, width, zone="Europe/Berlin")
    apart = [(b["at"] - a["at"]) / (hours * HOUR) * width for a, b in pairwise(found)]
    assert found
    assert all(gap > 60 for gap in apart)


def test_neighbouring_steps_are_one_stretch(axis: Ask) -> None:
    assert axis("stretches", [[1, 2], [2, 1], [3, 0], [5, 4]]) == [
        {"first": 1, "last": 2, "n": 3},
        {"first": 5, "last": 5, "n": 4},
    ]


def day_of(steps: int, **more: object) -> dict[str, Any]:
    """Return an answer of the calendar in quarters of an hour, one slot in each."""
    return {"stepMs": HOUR // QUARTERS, "slots": [1] * steps, "fires": {}, **more}


def test_the_days_of_a_clock_change_have_the_hours_they_had(axis: Ask) -> None:
    start = ms("2026-03-08T00:00:00-05:00")
    (short,) = axis("hours", day_of(23 * QUARTERS, **{"from": start}), zone="America/New_York")
    assert short["hours"][2] is None
    assert sum(cell is None for cell in short["hours"]) == 1
    start = ms("2026-11-01T00:00:00-04:00")
    (long,) = axis("hours", day_of(25 * QUARTERS, **{"from": start}), zone="America/New_York")
    assert [cell["coming"] for cell in long["hours"][:3]] == [4, 8, 4]


def test_the_cells_count_what_fired_what_failed_and_what_comes(axis: Ask) -> None:
    fires = {"ok": [3, 0, 0, 1], "error": [0, 3, 0, 0], "skipped_overload": [0, 0, 5, 0]}
    frame = {"from": 0, "stepMs": HOUR // QUARTERS, "slots": [0, 0, 0, 7]}
    (day,) = axis("hours", {**frame, "fires": fires, "missed": [0, 1, 0, 0]})
    assert day["hours"][0] == {"from": 0, "to": HOUR, "past": 12, "failed": 2, "missed": 1, "coming": 7}


def test_what_was_missed_is_told_from_what_failed(axis: Ask) -> None:
    assert axis("parted", {"error": [0, 3, 1]}, [0, 2, 0]) == {"error": [0, 1, 1], "missed": [0, 2, 0]}
    pairs = axis("parted", {"error": [[5, 3], [9, 1]]}, [[5, 3]])
    assert pairs == {"error": [[5, 0], [9, 1]], "missed": [[5, 3]]}
    assert axis("parted", {"ok": [1, 2]}, [0, 0]) == {"ok": [1, 2]}


def test_even_load_is_of_one_middling_tone_and_a_peak_is_the_darkest(axis: Ask) -> None:
    even = axis("hours", day_of(24 * QUARTERS, **{"from": 0}))
    assert axis("level", 4, axis("darkest", even)) == 3
    answer = day_of(24 * QUARTERS, **{"from": 0})
    answer["slots"][40] = 400
    assert axis("level", 403, axis("darkest", axis("hours", answer))) == 5
    assert axis("darkest", []) == 1


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        ("2026-11-24T02:00", "2026-11-24T08:00", "24 Nov"),
        ("2026-11-24T07:00", "2026-11-25T07:00", "24\N{EN DASH}25 Nov"),
        ("2026-11-28T07:00", "2026-12-05T07:00", "28 Nov \N{EN DASH} 5 Dec"),
        ("2026-12-20T07:00", "2027-01-19T07:00", "20 Dec 2026 \N{EN DASH} 19 Jan 2027"),
        ("2025-11-24T02:00", "2025-11-24T08:00", "24 Nov 2025"),
    ],
)
def test_the_days_of_a_window_are_said_in_few_words(axis: Ask, first: str, last: str, words: str) -> None:
    view = {"from": ms(f"{first}:00+00:00"), "to": ms(f"{last}:00+00:00")}
    assert axis("daysLabel", view, ms("2026-11-24T12:00:00+00:00")) == words


def test_one_fire_is_seen_beside_a_million(axis: Ask) -> None:
    assert [axis("level", n, 1_000_000) for n in (0, 1, 1_000_000)] == [0, 1, 5]


def test_the_busiest_hour_is_summed_over_the_days(axis: Ask) -> None:
    answer = day_of(48 * QUARTERS, **{"from": 0})
    answer["slots"][2 * QUARTERS] = 101
    answer["slots"][26 * QUARTERS] = 61
    days = axis("hours", answer)
    peak = axis("busiest", days, 0)
    assert (peak["hour"], peak["slots"], peak["days"]) == (2, 168, 2)
    assert axis("hourSpan", 23) == "23:00\N{EN DASH}00:00"
    assert axis("busiest", axis("hours", {**answer, "slots": [0]}), 0) is None


def test_an_hour_that_is_over_for_today_is_not_less_busy_for_that(axis: Ask) -> None:
    days = axis("hours", day_of(48 * QUARTERS, **{"from": 0}))
    assert axis("busiest", days, 12 * HOUR)["ratio"] == 1


def test_a_request_names_so_many_scripts_as_an_address_may_hold(axis: Ask) -> None:
    short = [f"a/{n}.sh" for n in range(450)]
    long = [f"{n}/{'ä' * 100}" for n in range(40)]
    for names in (short, long, []):
        found = axis("batches", names)
        assert [name for batch in found for name in batch] == names
        assert all(len(batch) <= 200 for batch in found)
    assert max(len(batch) for batch in axis("batches", long)) < 10
