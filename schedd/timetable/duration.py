"""Durations as people write them: `90s`, `1h30m`, `1.5h`, `250ms`.

One spelling for all directives and settings. A number without a unit is refused here: whether it means
milliseconds (`@timeout 5000`) or nothing at all is for the caller to say. Fractions are exact integers of
milliseconds or an error; floats were rejected, `0.1h` must be 360,000 ms and not one less.
"""

import functools
import re
from typing import Final

MAX_DAYS: Final = 3660
"""Ten years: beyond it a duration is a typing error, and timers overflow long after it."""

UNIT_MS: Final = {"ms": 1, "s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}

_TERM = re.compile(r"([0-9]+(?:\.[0-9]+)?|\.[0-9]+)(ms|[smhd])", re.ASCII)
_MAX_CHARS = 32
_SCALE: Final[int] = 10**_MAX_CHARS


@functools.lru_cache(maxsize=1024)
def parse_ms(text: str) -> int:
    """Read a duration and return it in milliseconds (0 is allowed).

    Raises ValueError with one sentence: no unit, an unknown unit, finer than a millisecond, over ten years.
    """
    text = text.strip()
    if re.fullmatch(r"[0-9.]+", text):
        raise ValueError(f"'{text[:_MAX_CHARS]}' has no unit, write {text[:_MAX_CHARS]}s or use m, h, d")
    if len(text) > _MAX_CHARS or not re.fullmatch(f"(?:{_TERM.pattern})+", text, re.ASCII):
        raise ValueError(f"{text[:_MAX_CHARS]!a} is not a duration, write it like 90s, 1h30m or 2d")
    terms: list[tuple[str, str]] = _TERM.findall(text)
    total, finer = divmod(sum(_scaled(number) * UNIT_MS[unit] for number, unit in terms), _SCALE)
    if finer:
        raise ValueError(f"'{text}' is finer than a millisecond")
    if total > MAX_DAYS * UNIT_MS["d"]:
        raise ValueError(f"'{text}' is longer than {MAX_DAYS} days")
    return total


def _scaled(number: str) -> int:
    """Return a decimal number as a whole number of the finest fractions that can be written."""
    whole, _, part = number.partition(".")
    return int(whole + part) * int(_SCALE // 10 ** len(part))
