"""docs/time-rules.md is true: its examples are run, against the timetable and against cron's loop."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from schedd.errors import TimetableError
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import NICKNAMES, Timetable
from schedd.timetable.zone import versions
from tests.pure import oracle

versions()  # from here on the whole process, the oracle too, reads the newer zone data

PAGE = (Path(__file__).parents[2] / "docs/time-rules.md").read_text()


def rows(*headings):
    """Return the rows of the tables that have these columns, without the marks around code."""
    wanted = f"| {' | '.join(headings)} |"
    tables = [part.split("\n\n")[0] for part in PAGE.split(wanted)[1:]]
    lines = [line for table in tables for line in table.splitlines()[2:]]
    cells = [re.split(r"(?<!\\)\|", line.strip("|")) for line in lines]
    return [tuple(cell.strip().replace("\\|", "|").strip("`") for cell in line) for line in cells]


NIGHTS = rows("expression", "zone", "day", "slots")
REFUSALS = rows("written", "refused because", "write")


def slots_of_the_day(instants, zone, day):
    """Write the instants that fall on a day of the zone's calendar as the page does."""
    shown = (datetime.fromtimestamp(at, ZoneInfo(zone)).isoformat(timespec="minutes") for at in instants)
    return ", ".join(text[11:] for text in shown if text.startswith(day)) or "none"


def about(day):
    noon = datetime.fromisoformat(f"{day}T12:00").replace(tzinfo=UTC)
    return [int((noon + timedelta(hours=hours)).timestamp()) for hours in (-38, 38)]


def test_the_page_has_its_tables():
    assert len(NIGHTS) > 20
    assert len(REFUSALS) > 8


@pytest.mark.parametrize(("expression", "zone", "day", "slots"), NIGHTS)
def test_a_night_goes_as_the_page_says(expression, zone, day, slots):
    begin, end = about(day)
    ours = [slot for slot in Timetable.parse(expression, zone).upcoming(Slot(begin - 1), 300) if slot < end]
    assert slots_of_the_day(ours, zone, day) == slots
    assert slots_of_the_day(oracle.starts(expression, zone, begin, end), zone, day) == slots


@pytest.mark.parametrize(("written", "_", "instead"), REFUSALS)
def test_what_the_page_calls_refused_is_refused_and_what_it_offers_is_taken(written, _, instead):
    with pytest.raises(TimetableError, match="Invalid cron expression"):
        Timetable.parse(written, "UTC")
    if instead:
        Timetable.parse(instead, "UTC")


@pytest.mark.parametrize("nickname", [*NICKNAMES, "@every", "@at", "@reboot"])
def test_every_nickname_is_on_the_page(nickname):
    assert f"`{nickname}" in PAGE
    assert nickname not in NICKNAMES or f"`{NICKNAMES[nickname]}`" in PAGE
