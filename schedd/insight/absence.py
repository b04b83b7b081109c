"""Why nobody was there to decide: the daemon was down, the host slept, or the clock was set past it."""

from dataclasses import dataclass
from itertools import pairwise

from schedd.insight.telling import Teller, length
from schedd.ledger.annals import Chronicle, Life


@dataclass(frozen=True, slots=True, kw_only=True)
class Absence:
    """A stretch of time without the daemon; instants are ms, None = not known."""

    since_ms: int | None
    until_ms: int
    words: str
    """A clause that goes on after `since`: `schedd was down from 02:00 to 03:10`."""


def find(chronicle: Chronicle, at_ms: int, teller: Teller) -> Absence | None:
    """Return why nobody was there at an instant; None if nothing on record says so."""
    return (
        _down(chronicle, at_ms, teller)
        or _slept(chronicle, at_ms, teller)
        or _skipped(chronicle, at_ms, teller)
    )


def crash_after(chronicle: Chronicle, at_ms: int) -> tuple[Life, Life] | None:
    """Return the life that was in flight at this instant and ended in a crash, and the one after it."""
    for life, following in pairwise(chronicle.lives):
        assert following.up_ms is not None, "only the first may be without its start"
        if life.crashed and (life.up_ms or 0) <= at_ms < following.up_ms:
            return life, following
    return None


def _down(chronicle: Chronicle, at_ms: int, teller: Teller) -> Absence | None:
    for life, following in pairwise(chronicle.lives):
        assert following.up_ms is not None, "only the first may be without its start"
        down_ms = life.down_ms
        if at_ms >= following.up_ms or (down_ms is not None and at_ms < down_ms // 1000 * 1000):
            continue
        if life.up_ms is not None and at_ms < life.up_ms:
            continue
        back = teller.near(following.up_ms)
        if life.crashed:
            words = f"{died(life, following, teller)} and came back at {back}"
        else:
            assert down_ms is not None, "who stopped in order has said when"
            words = f"schedd was down from {teller.near(down_ms)} to {back}"
        return Absence(since_ms=down_ms, until_ms=following.up_ms, words=words)
    return None


def died(life: Life, following: Life, teller: Teller) -> str:
    """Say that a daemon died, or its host, and when it was last heard of."""
    who = "schedd had died"
    if life.boot_id is not None and life.boot_id != following.boot_id:
        who = "the host had gone down with schedd"
    return who if life.down_ms is None else f"{who} (last heard of at {teller.near(life.down_ms)})"


def _slept(chronicle: Chronicle, at_ms: int, teller: Teller) -> Absence | None:
    for each in chronicle.suspends:
        since_ms = each.at - each.duration_ms
        if since_ms <= at_ms < each.at:
            words = f"the host was suspended from {teller.near(since_ms)} to {teller.near(each.at)}"
            return Absence(since_ms=since_ms, until_ms=each.at, words=words)
    return None


def _skipped(chronicle: Chronicle, at_ms: int, teller: Teller) -> Absence | None:
    for each in chronicle.steps:
        since_ms = each.at - each.step_ms
        if since_ms <= at_ms < each.at:
            words = (
                f"the clock was set ahead by {length(each.step_ms)}, "
                f"from {teller.near(since_ms)} to {teller.near(each.at)}"
            )
            return Absence(since_ms=since_ms, until_ms=each.at, words=words)
    return None
