"""Slots and instants: how a moment is held and how it is written.

A slot is the nominal instant that was due: whole seconds since the epoch, UTC. Everything is stored and
compared as integers; text exists only at the edges, in one form (`YYYY-MM-DDTHH:MM:SS.mmmZ`).
"""

from datetime import UTC, datetime
from typing import NewType

Slot = NewType("Slot", int)
"""The nominal instant that was due, in seconds since the epoch, UTC."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def from_ms(at_ms: int) -> str:
    """Write an instant given in milliseconds since the epoch as `YYYY-MM-DDTHH:MM:SS.mmmZ`."""
    at_s, millis = divmod(at_ms, 1000)
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S}.{millis:03d}Z"


def from_slot(slot: int) -> str:
    """Write a slot (seconds since the epoch) as an instant."""
    return from_ms(slot * 1000)


def to_ms(text: str) -> int:
    """Read back what `from_ms` wrote (any ISO 8601 instant with an offset will do).

    Raises ValueError when the text is not one.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"an instant needs an offset or Z: {text!r}")
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * 1000 + since.microseconds // 1000
