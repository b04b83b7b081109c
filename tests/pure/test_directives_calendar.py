"""What may stand behind `@calendar`, and what is said of everything else."""

import pytest

from schedd.scripts import values
from schedd.timetable.observance import How
from tests.pure.headers import found, refused

FORMS = "write `holidays skip`, `holidays next` or `holidays previous`"


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("holidays skip", ("holidays", How.SKIP)),
        ("holidays.ics  next", ("holidays.ics", How.NEXT)),
        ("uk-2026_bank.v2 previous", ("uk-2026_bank.v2", How.PREVIOUS)),
    ],
)
def test_a_calendar_is_a_name_and_what_becomes_of_a_slot(written, meant):
    assert values.calendar(written) == meant


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("", f"'' is not understood: {FORMS}"),
        ("holidays", f"'holidays' does not say what becomes of a closed slot: {FORMS}"),
        ("my holidays skip", f"'my holidays skip' is not understood: {FORMS}"),
        (
            "../holidays skip",
            (
                "'../holidays' is not a name for a calendar: write up to 100 letters, digits and - _ ., "
                "the name of a file in the calendars directory"
            ),
        ),
        ("holidays skip", "there is no calendars directory: set calendars_dir"),
    ],
)
def test_what_cannot_be_followed_is_told_what_to_write(written, reason):
    told, _ = refused(f"@calendar {written}".rstrip())
    assert told == f"@calendar: {reason}"


def test_a_word_that_is_no_way_out_is_pointed_at():
    assert refused("@calendar holidays later") == (f"@calendar: 'later' is not understood: {FORMS}", "later")


def test_a_bad_calendar_does_not_hide_a_bad_expression():
    lines = [p.line for p in found("@schedule every blue moon", "@calendar holidays skip").problems]
    assert lines == [1, 2]
