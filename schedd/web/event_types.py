"""What the events of `GET /events` say that no other answer says."""

from schedd.web.types import Answer


class HelloEvent(Answer, frozen=True, kw_only=True):
    """The first event: where the listener stands."""

    position: str
    """The id of the newest event there is."""
    now: str
    version: str
    host: str
    resumed: bool
    """All that has ended since `Last-Event-ID` follows."""


class HealthEvent(Answer, frozen=True, kw_only=True):
    """How the daemon is."""

    ready: bool
    reasons: tuple[str, ...]
    phase: str


class GoneEvent(Answer, frozen=True, kw_only=True):
    """A script is no longer registered."""

    script_rel: str
