"""The timetable against a replay of cron's main loop: every clock change of eighteen zones, 2008 to 2030.

`SCHEDD_CAMPAIGN=20 pytest tests/pure/test_timetable_follows_debian_cron.py` draws twenty times as many.
"""

import os
import random
from datetime import UTC, datetime

import pytest

from schedd.errors import TimetableError
from schedd.timetable.instant import Slot, from_slot
from schedd.timetable.timetable import Timetable
from schedd.timetable.zone import versions
from tests.pure import oracle

ZONES = [
    "Africa/Cairo",
    "Africa/Casablanca",
    "America/New_York",
    "America/Santiago",
    "America/Sao_Paulo",
    "America/St_Johns",
    "America/Vancouver",
    "Antarctica/Casey",
    "Antarctica/Troll",
    "Asia/Gaza",
    "Australia/Lord_Howe",
    "Europe/Berlin",
    "Europe/Dublin",
    "Pacific/Apia",
    "Pacific/Chatham",
]
"""Half-hour and two-hour changes, negative summer time, a lost day, three hours ahead and three back."""

QUIET_ZONES = ["Asia/Kathmandu", "Pacific/Kiritimati", "UTC"]
"""Odd offsets and no changes since 2008."""

versions()  # from here on the whole process, the oracle too, reads the newer zone data

CAMPAIGN = int(os.environ.get("SCHEDD_CAMPAIGN", "1"))
HOUR_S = 3600
DAY_S = 86_400


def epoch(year, month=1, day=1):
    return int(datetime(year, month, day, tzinfo=UTC).timestamp())


BEGIN, END = epoch(2008), epoch(2031)


def slots_between(timetable, begin, end):
    found = []
    after = Slot(begin - 1)
    while batch := timetable.upcoming(after, 64):
        found += [slot for slot in batch if slot < end]
        if batch[-1] >= end:
            break
        after = batch[-1]
    return found


def differences(expression, zone, begin, end):
    ours = slots_between(Timetable.parse(expression, zone), begin, end)
    theirs = oracle.starts(expression, zone, begin, end)
    apart = [from_slot(slot) for slot in sorted(set(ours) ^ set(theirs))]
    return apart or ([] if ours == theirs else ["the order differs"])


class Draw:
    """Draws expressions; of the values of a field those near a wall time come often."""

    def __init__(self, seed, wall):
        self.random = random.Random(seed)
        self.wall = datetime.fromtimestamp(wall, UTC)

    def expression(self, zone):
        """An impossible day (30 February) is refused, and another one drawn."""
        while True:
            text = f"{self.minute()} {self.field('hour', self.wall.hour, 0.3)} {self.days()}"
            try:
                Timetable.parse(text, zone)
            except TimetableError as refused:
                if "never fires" not in str(refused):
                    raise
            else:
                return text

    def six_fields(self, zone):
        second = self.random.choice(["0", "0", "30", "59", "*/20", "*/45", "15,45", "0-20/10", "*"])
        return f"{second} {self.expression(zone)}"

    def minute(self):
        if self.random.random() < 0.3:
            return self.random.choice(
                ["0", "30", "*/15", "*/30", "0,30", "15,45", "*/7", "59", "*", "*,5", "5,*", "0-0"]
            )
        return self.field("minute", self.wall.minute, 0.1)

    def days(self):
        day, month = self.field("day", self.wall.day, 0.6), self.field("month", self.wall.month, 0.8)
        chance = self.random.random()
        if chance < 0.3:
            return f"* {month} *"
        if chance < 0.4:
            return f"{self.random.choice(['L', '1,L', '15,L', day])} {month} {self.weekday_form()}"
        if chance < 0.5:
            names = [
                "mon-fri",
                "SUN",
                "7",
                "5-7",
                "sat,sun",
                "0-7",
                "1-7/3",
                "Tue-Sat/2",
                "*/7",
                "0-6",
                "6-7",
            ]
            return f"{day} {month} {self.random.choice(names)}"
        return f"{day} {month} {self.field('dow', self.wall.isoweekday(), 0.6)}"

    def weekday_form(self):
        number, nth = self.random.randint(0, 7), self.random.randint(1, 5)
        return self.random.choice(
            ["*", "*/2", str(number), f"{number % 7}#{nth}", f"L{number % 7}", f"1#1,{number % 7}#3"]
        )

    def field(self, name, near, star):
        low, high = oracle.BOUNDS[name]
        if self.random.random() < star:
            return self.random.choice(["*", "*", "*", "*/2", "*/3", f"*/{self.random.randint(1, high)}"])
        return ",".join(self.term(near, low, high) for _ in range(self.random.choice([1, 1, 1, 2, 3])))

    def term(self, near, low, high):
        around = [value for value in range(near - 2, near + 3) if low <= value <= high]
        first = self.random.choice(around if self.random.random() < 0.7 else range(low, high + 1))
        shape = self.random.random()
        if shape < 0.5:
            return str(first)
        last = self.random.randint(first, high)
        return f"{first}-{last}" if shape < 0.75 else f"{first}-{last}/{self.random.randint(1, 8)}"


def around(at, moved, hours):
    """A window about a clock change that also holds the times it left out or brought back."""
    span = hours * HOUR_S + abs(moved)
    begin = (at - span) // 60 * 60
    return begin, begin + 2 * span


@pytest.mark.parametrize("zone", ZONES)
def test_every_clock_change_is_lived_through_as_cron_does(zone):
    for at, moved in oracle.clock_changes(zone, BEGIN, END):
        begin, end = around(at, moved, hours=6)
        offset = oracle.walk(zone, at, at + 60, 60)[0][1].timestamp() - at
        for number in range(5 * CAMPAIGN):
            expression = Draw(f"{zone} {at} {number}", at + offset).expression(zone)
            assert differences(expression, zone, begin, end) == [], (expression, zone, from_slot(at))


@pytest.mark.parametrize("zone", ZONES)
def test_any_start_in_the_night_of_a_change_leads_to_the_slot_that_cron_starts_next(zone):
    for at, moved in oracle.clock_changes(zone, BEGIN, END):
        begin, end = around(at, moved, hours=4)
        offset = oracle.walk(zone, at, at + 60, 60)[0][1].timestamp() - at
        for number in range(3 * CAMPAIGN):
            draw = Draw(f"start {zone} {at} {number}", at + offset)
            expression = draw.expression(zone)
            timetable = Timetable.parse(expression, zone)
            slots = oracle.starts(expression, zone, begin, end)
            for start in [*(draw.random.randrange(begin, end) for _ in range(5)), at - 1, at, at + 1]:
                following = next((slot for slot in slots if slot > start), None)
                if following is not None:
                    assert timetable.next_after(Slot(start)) == following, (
                        expression,
                        zone,
                        from_slot(start),
                    )


@pytest.mark.parametrize(
    "zone", ["America/St_Johns", "Antarctica/Troll", "Australia/Lord_Howe", "Europe/Berlin"]
)
def test_six_fields_live_through_clock_changes_by_the_same_rules(zone):
    for at, moved in oracle.clock_changes(zone, epoch(2026), epoch(2028)):
        begin, end = around(at, moved, hours=2)
        offset = oracle.walk(zone, at, at + 60, 60)[0][1].timestamp() - at
        for number in range(6 * CAMPAIGN):
            expression = Draw(f"six {zone} {at} {number}", at + offset).six_fields(zone)
            assert differences(expression, zone, begin, end) == [], (expression, zone, from_slot(at))


@pytest.mark.parametrize("zone", ZONES + QUIET_ZONES)
def test_ordinary_weeks_are_those_of_cron(zone):
    for number in range(4 * CAMPAIGN):
        draw = Draw(f"ordinary {zone} {number}", epoch(2008) + number)
        begin = draw.random.randrange(BEGIN, END, 60)
        draw.wall = datetime.fromtimestamp(begin + 9 * DAY_S, UTC)
        expression = draw.expression(zone)
        assert differences(expression, zone, begin, begin + 18 * DAY_S) == [], (
            expression,
            zone,
            from_slot(begin),
        )


@pytest.mark.parametrize(
    "expression",
    [
        "0 0 13 * 5",
        "0 0 */2 * 5",
        "0 0 13 * */5",
        "0 0 1-31 * 5",
        "0 0 5,* * 1",
        "0 0 *,5 * 1",
        "0 0 29 2 *",
        "0 0 30 2 1",
        "0 0 30 2 0-7",
        "0 0 31 2 0",
        "0 0 L * 5",
        "0 0 L * */5",
        "0 0 31 * L5",
        "0 0 13 * 5#2",
        "0 0 * 2 1#5",
        "0 0 * * L0,L6",
    ],
)
def test_the_day_rule_is_that_of_cron_over_five_years(expression):
    midnights = range(epoch(2024), epoch(2029), DAY_S)
    theirs = [day for day in midnights if oracle.starts(expression, "UTC", day, day + 60)]
    assert slots_between(Timetable.parse(expression, "UTC"), epoch(2024), epoch(2029)) == theirs


@pytest.mark.parametrize("number", range(60 * CAMPAIGN))
def test_an_expression_is_refused_as_never_firing_if_and_only_if_no_day_in_28_years_starts_it(number):
    draw = Draw(f"never {number}", epoch(2024, 2, 29))
    month = draw.random.choice([2, 2, 2, 4])
    day = draw.random.choice(["30", "31", "30-31", "*/29", "*/30", "29", "29-31/2", "L"])
    weekday = draw.random.choice([draw.weekday_form(), draw.field("dow", 3, 0.3), "0-7", "1#5", "L1"])
    expression = f"0 0 {day} {month} {weekday}"
    days = [epoch(year, month, 1) + day * DAY_S for year in range(2024, 2052) for day in range(30)]
    starts = any(oracle.starts(expression, "UTC", day, day + 60) for day in days)
    refused = False
    try:
        Timetable.parse(expression, "UTC")
    except TimetableError as error:
        refused = "never fires" in str(error)
    assert refused is not starts, expression


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"),
    [
        # Samoa skipped 30 December 2011: 24 hours are a correction, nothing is made up.
        ("0 12 * * *", "Pacific/Apia", "2011-12-29", ["12-29T22:00", "12-30T22:00"]),
        ("0 12 30 12 *", "Pacific/Apia", "2010-12-31", ["12-29T22:00"]),
        # Three hours ahead are a correction (cron sees its clock move by 181 minutes), three back are not.
        ("0 1 * * *", "Antarctica/Casey", "2016-10-21", ["10-22T14:00"]),
        ("0 2 * * *", "Antarctica/Casey", "2018-03-10", ["03-10T15:00", "03-11T18:00"]),
        # Half an hour at Lord Howe, two hours at Troll.
        ("15 2 * * *", "Australia/Lord_Howe", "2026-10-03", ["10-03T15:30"]),
        ("*/30 1 * * *", "Australia/Lord_Howe", "2026-04-04", ["04-04T14:00", "04-04T14:30", "04-04T15:00"]),
        ("30 2 * * *", "Antarctica/Troll", "2027-03-28", ["03-28T01:00", "03-29T00:30"]),
        # Several starts due in the minutes left out are one.
        ("0,15,30 2 * * *", "Europe/Berlin", "2027-03-28", ["03-28T01:00", "03-29T00:00"]),
        # A wildcard job is one whose minute or hour field begins with a star.
        ("*/15 2 * * *", "Europe/Berlin", "2027-03-28", ["03-29T00:00"]),
        ("0-59/15 2 * * *", "Europe/Berlin", "2027-03-28", ["03-28T01:00", "03-29T00:00"]),
    ],
)
def test_these_nights_are_as_cron_has_them(expression, zone, after, expected):
    since = Slot(int(datetime.fromisoformat(f"{after}T00:00Z").timestamp()))
    told = [
        from_slot(slot)[5:16] for slot in Timetable.parse(expression, zone).upcoming(since, len(expected))
    ]
    assert told == expected
