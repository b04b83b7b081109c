"""Timetables in plain words, for the list, the preview and `check`.

Cron expressions are explained by cronsim, which knows Debian's day rule and names dates and times as people
do; cron-descriptor was rejected, it explains `61 * * * *`. It only sees what passed the front door.
"""

import re

from cronsim.explain import explain

from schedd.timetable.expression import Expression
from schedd.timetable.fields import WEEKDAY, Values
from schedd.timetable.observance import How, Observance

_UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
_ORDINAL_ENDS = {"1": "st", "2": "nd", "3": "rd"}


def of_cron(expression: Expression) -> str:
    """Explain a cron expression: `At 02:30 on Monday through Friday`."""
    read = expression.fields
    told = [read.minute, read.hour, read.day, read.month, read.weekday]
    if read.second is not None:
        told.insert(0, read.second)
    sentence = explain(" ".join(_spelled(values) for values in told))
    return re.sub(r"\b(\d+)th\b", _ordinal, str(sentence))


def of_interval(interval_s: int) -> str:
    """Say an interval: `Every 1 hour 30 minutes`, `Every minute`."""
    one = next((unit for unit, size in _UNITS if size == interval_s), None)
    return f"Every {one or of_length(interval_s)}"


def of_length(length_s: int) -> str:
    """Say a length of time, from one second on: `1 hour 30 minutes`."""
    terms = []
    rest = length_s
    for unit, size in _UNITS:
        count, rest = divmod(rest, size)
        if count:
            terms.append(f"{count} {unit}{'s' if count > 1 else ''}")
    return " ".join(terms)


def of_jitter(most_s: int, offset_s: int) -> str:
    """Say what a jitter does: `up to 5 minutes later, always by 2 minutes 13 seconds`."""
    always = f"always by {of_length(offset_s)}" if offset_s else "here on time"
    return f"up to {of_length(most_s)} later, {always}"


def of_observance(observance: Observance) -> str:
    """Say what a calendar does: `not when holidays.txt says so`."""
    name = observance.calendar.file
    match observance.how:
        case How.SKIP:
            return f"not when it is in {name}"
        case How.NEXT:
            return f"later when it is in {name}, on the next open day"
        case How.PREVIOUS:
            return f"earlier when it is in {name}, on the last open day"


def _ordinal(number: re.Match[str]) -> str:
    digits = number[1]
    return digits + ("th" if digits[-2:-1] == "1" else _ORDINAL_ENDS.get(digits[-1], "th"))


def _spelled(values: Values) -> str:
    """Return a field as cronsim spells it: the last Friday is `5L` there."""
    if values.field is not WEEKDAY:
        return values.written
    return re.sub(r"\bL(\w+)", r"\1L", values.written)
