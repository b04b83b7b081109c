"""The front door: what a cron expression may say, read by the grammar of Debian's cron 3.0pl1.

Everything is refused that cron refuses, that cron takes and never fires, or that two schedulers read in
two ways; each refusal names the spelling that means what was meant. What passes becomes plain sets of
numbers, so that nothing behind the door depends on how a library reads `9-9`, `22-2` or `5/15`. Beyond
Debian there are a sixth field, seconds, which stands first, the day forms `L`, `5#2` and `L5`, and `H`,
a number drawn from a hash of the script's path.

The star rules look at the first character of a field as it was written: `*/2` is a star, `0-59` is not.
"""

import re
from dataclasses import dataclass
from typing import Final
from zlib import crc32


@dataclass(frozen=True, slots=True)
class Field:
    """A position of the expression: its name for people, its bounds and its names for numbers."""

    name: str
    low: int
    high: int
    hash_shift: int
    names: tuple[str, ...] = ()

    @property
    def whole(self) -> range:
        """All its values; cron's weekday 7 is Sunday, which is 0."""
        return range(self.low, min(self.high, 6) + 1) if self is WEEKDAY else range(self.low, self.high + 1)


SECOND: Final = Field("second", 0, 59, 5)
MINUTE: Final = Field("minute", 0, 59, 0)
HOUR: Final = Field("hour", 0, 23, 1)
DAY: Final = Field("day of month", 1, 31, 2)
MONTH: Final = Field(
    "month", 1, 12, 3, ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
)
WEEKDAY: Final = Field("day of week", 0, 7, 4, ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"))

FIVE: Final = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)
SIX: Final = (SECOND, *FIVE)

_MONTH_DAYS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_MONTH_NAMES = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
                "October", "November", "December")  # fmt: skip

_RANGE = re.compile(r"(\w+)-(\w+)(?:/(\d+))?", re.ASCII)
_NTH = re.compile(r"(\w+)#(\w+)", re.ASCII)
_LAST = re.compile(r"L(\w+)|(\w+)L", re.ASCII | re.IGNORECASE)
_HASHED = re.compile(r"H(?:\((\d+)-(\d+)\))?(?:/(\d+))?", re.ASCII | re.IGNORECASE)
_MAX_DIGITS = 4
_SHOWN_CHARS = 40


@dataclass(frozen=True, slots=True)
class Values:
    """What one field matches: plain numbers, and day forms that depend on the month (`L`, `5#2`, `L5`)."""

    field: Field
    written: str
    """As in the expression, in capitals; the numbers drawn where that is an `H`."""
    numbers: tuple[int, ...]
    forms: tuple[str, ...] = ()
    step: int | None = None
    """Of a field written `*/step`."""

    @property
    def starred(self) -> bool:
        """Begins with `*`, as the star rules want it: `*/2` does."""
        return self.written.startswith("*")

    @property
    def text(self) -> str:
        """The field written out, without ranges: what the stepper gets."""
        if len(self.numbers) == len(self.field.whole):
            return "*"
        return ",".join([*map(str, self.numbers), *self.forms])


@dataclass(frozen=True, slots=True)
class Fields:
    """A cron expression, read."""

    second: Values | None
    minute: Values
    hour: Values
    day: Values
    month: Values
    weekday: Values

    @property
    def wildcard(self) -> bool:
        """Cron's word for a job that follows elapsed time when the clock changes; others are fixed-time."""
        return self.minute.starred or self.hour.starred or (self.second is not None and self.second.starred)

    @property
    def both_days(self) -> bool:
        """The day of month and the day of week must both match; otherwise either may."""
        return self.day.starred or self.weekday.starred


def parse(text: str, *, seed: str = "") -> Fields:
    """Read an expression of five fields, or of six with seconds first; `seed` is for `H`.

    Raises ValueError with what is wrong and the spelling that was probably meant; with nothing to add
    (an empty message) if the text is not even an attempt.
    """
    words = text.split()
    if len(words) not in (len(FIVE), len(SIX)):
        raise ValueError(_count(words))
    second = _values(SECOND, words.pop(0), seed) if len(words) == len(SIX) else None
    others = (_values(field, word, seed) for field, word in zip(FIVE, words, strict=True))
    return Fields(second, *others)


def impossible_day(fields: Fields) -> str | None:
    """Say why no day of month can ever match (`February has no day 30`), or None if one can."""
    days, months = fields.day.numbers, fields.month.numbers
    if fields.day.forms or any(_MONTH_DAYS[month - 1] >= min(days) for month in months):
        return None
    if len(months) == 1:
        return f"{_MONTH_NAMES[months[0] - 1]} has no day {min(days)}"
    return f"none of its months has a day {min(days)}"


def _count(words: list[str]) -> str:
    if not any(character in "*/0123456789" for word in words for character in word):
        return ""
    behind = next((at for at, word in enumerate(words) if word.startswith(("#", "@", ";", "//"))), None)
    if behind is not None:
        return f"nothing may stand behind it, remove '{' '.join(words[behind:])[:_SHOWN_CHARS]}'"
    hint = ", a year cannot be given" if len(words) == len(SIX) + 1 else ""
    noun = "field" if len(words) == 1 else "fields"
    return f"it has {len(words)} {noun}, write five, or six with seconds first{hint}"


def _values(field: Field, word: str, seed: str) -> Values:
    hashed = _HASHED.fullmatch(word)
    if hashed:
        drawn = _draw(field, hashed, seed)
        return Values(field, ",".join(map(str, drawn)), drawn)
    numbers: set[int] = set()
    forms: dict[str, None] = {}
    for term in word.split(","):
        form = _day_form(field, term)
        if form is None:
            numbers.update(_term(field, term))
        else:
            forms[form] = None
    if field is WEEKDAY and forms and numbers:
        raise ValueError(f"'{word}' mixes plain days of week with # or L, join two expressions by | instead")
    step = re.fullmatch(r"\*/(\d+)", word)
    return Values(
        field,
        word.upper(),
        numbers=tuple(sorted({number % 7 for number in numbers} if field is WEEKDAY else numbers)),
        forms=tuple(forms),
        step=int(step[1]) if step else None,
    )


def _term(field: Field, term: str) -> range:
    if term == "*":
        return range(field.low, field.high + 1)
    head, slash, step = term.partition("/")
    if slash and head == "*":
        return range(field.low, field.high + 1, _step(field, term, step))
    between = _RANGE.fullmatch(term)
    if between:
        low, high = _number(field, between[1]), _number(field, between[2])
        size = _step(field, term, between[3]) if between[3] else 1
        if low > high:
            raise ValueError(
                f"'{term}' in the {field.name} field runs backwards, write {_wrapped(field, low, high, size)}"
            )
        return range(low, high + 1, size)
    if slash and "-" not in head:
        low = _number(field, head)
        raise ValueError(
            f"'{term}' in the {field.name} field has a step but no range, "
            f"write {low}-{field.whole[-1]}/{step}"
        )
    number = _number(field, term)
    return range(number, number + 1)


def _number(field: Field, word: str) -> int:
    if word.upper() in field.names:
        return field.names.index(word.upper()) + field.low
    if not word.isdigit():
        raise ValueError(_not_understood(field, word))
    if len(word) > _MAX_DIGITS or not field.low <= int(word) <= field.high:
        raise ValueError(f"{word[:8]} in the {field.name} field is not within {field.low}-{field.high}")
    return int(word)


def _step(field: Field, term: str, word: str) -> int:
    if not word.isdigit() or len(word) > _MAX_DIGITS or int(word) == 0:
        raise ValueError(f"'{term}' in the {field.name} field needs a step of 1 or more")
    return int(word)


def _wrapped(field: Field, low: int, high: int, step: int) -> str:
    """Spell out the range that goes over the end of the field: `22-2` is `22-23,0-2`."""
    if step > 1:
        size = len(field.whole)
        steps = range(0, (high - low) % size + 1, step)
        return ",".join(str((low - field.low + at) % size + field.low) for at in steps)
    last = field.whole[-1]
    ends = ((low, last), (field.low, high))
    return ",".join(str(a) if a == b else f"{a}-{b}" for a, b in ends if a <= b)


def _day_form(field: Field, term: str) -> str | None:
    """Return a day form in the stepper's spelling, or None if the term is not one."""
    if field is DAY and term.upper() == "L":
        return "L"
    if field is not WEEKDAY:
        return None
    nth = _NTH.fullmatch(term)
    if nth:
        if nth[2] not in ("1", "2", "3", "4", "5"):
            raise ValueError(
                f"'{term}' in the {field.name} field: a month has the first to the fifth, #1 to #5"
            )
        return f"{_number(field, nth[1]) % 7}#{nth[2]}"
    last = _LAST.fullmatch(term)
    if last is None:
        return None
    day = _number(field, last[1] or last[2]) % 7
    if last[1] is None:
        raise ValueError(f"'{term}' in the {field.name} field is written L{day}")
    return f"L{day}"


def _draw(field: Field, hashed: re.Match[str], seed: str) -> tuple[int, ...]:
    """Draw the number, or the phase of the steps, that `H` stands for.

    The hash is croniter's. A bare `H` for the day of month stays within 1-28, which all months have.
    """
    bare = hashed[1] is None and hashed[3] is None
    low, high = (field.low, 28 if field is DAY and bare else field.whole[-1])
    if hashed[1] is not None:
        low, high = _number(field, hashed[1]), _number(field, hashed[2])
        if low >= high or high > field.whole[-1]:
            raise ValueError(f"'{hashed[0]}' in the {field.name} field needs a range that runs forwards")
    drawn = crc32(seed.encode()) >> field.hash_shift
    if hashed[3] is None:
        return (low + drawn % (high - low + 1),)
    step = _step(field, hashed[0], hashed[3])
    return tuple(range(low + drawn % min(step, high - low + 1), high + 1, step))


def _not_understood(field: Field, word: str) -> str:
    advice = ""
    if word == "?":
        advice = ", write *"
    elif re.fullmatch(r"R(\(.*)?", word, re.IGNORECASE):
        advice = ", R would draw a new time at each start, write H for a stable one"
    elif re.fullmatch(r"H(\(.*)?", word, re.IGNORECASE):
        advice = ", H stands alone: H, H/15, H(0-29) or H(0-29)/10"
    elif re.fullmatch(r"\d+W|W\d+|LW", word, re.IGNORECASE):
        advice = ", the nearest working day is not known, use 1-5 in the day of week field"
    elif word.upper() == "L" and field is WEEKDAY:
        advice = ", write L5 for the last Friday of the month"
    elif len(word) > 3 and word[:3].upper() in field.names:
        advice = f", write {word[:3].lower()}"
    return f"{word[:20]!r} in the {field.name} field is not understood{advice}"
