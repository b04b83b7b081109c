"""What is wrong with a calendar file: a sentence, and the line."""

from typing import Final

MOST_EVENTS: Final = 20_000
MOST_RULES: Final = 500
"""Events that repeat: each is stepped for every year that is looked at."""
MOST_NAME_CHARS: Final = 100
FIRST_YEAR, LAST_YEAR = 1900, 2299
"""What is beyond is a typing error; slots are from 1970 to 2199."""


class CalendarError(ValueError):
    """A calendar that cannot be followed; with `line` None the file as a whole is meant."""

    def __init__(self, reason: str, line: int | None = None) -> None:
        super().__init__(reason)
        self.line = line


def shown(text: str) -> str:
    """Return a piece of a file as it can stand in a sentence: short, on one line, printable."""
    text = " ".join(text.split())
    short = text if len(text) <= MOST_NAME_CHARS else text[: MOST_NAME_CHARS - 1] + "…"
    return "".join(char if char.isprintable() else "?" for char in short)
