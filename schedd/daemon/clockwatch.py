"""Notices that the clock was set, or the host suspended, by comparing each reading with the one before.

Linux slews the wall clock and the clock since the boot alike, so that their distance changes only when
somebody sets the wall clock. The comparison is with the last reading, never with the first: no drift and no
rounding adds up, nor do many small steps. What is noticed is recorded for whoever asks later why slots were
missed; the planner does not need it, it goes by the wall clock and the watermark alone.
"""

import logging

from schedd.host.clock import Reading
from schedd.host.journald import Event, about
from schedd.ledger import facts

log = logging.getLogger("schedd")

NOTICED_MS = 1000
"""Smaller steps and shorter suspends change nothing that anybody could see: slots are whole seconds."""
SLEW = 500e-6
"""The most that adjtimex(2) slews: a host, or a hypervisor, that slews one of two clocks sets neither."""

Jump = facts.ClockStep | facts.Suspended


class ClockWatch:
    """Keeps the last reading."""

    def __init__(self, first: Reading) -> None:
        self._last = first

    def look(self, reading: Reading) -> list[Jump]:
        """Return what happened to the clocks since the last look, oldest first, as facts for the ledger."""
        last, self._last = self._last, reading
        awake_ms = (reading.monotonic_s - last.monotonic_s) * 1000
        asleep_ms = (reading.suspended_s - last.suspended_s) * 1000
        step_ms = reading.now_ms - last.now_ms - awake_ms - asleep_ms
        jumps: list[Jump] = []
        if asleep_ms > NOTICED_MS:
            jumps.append(facts.Suspended(at=reading.now_ms, duration_ms=round(asleep_ms)))
        if abs(step_ms) > NOTICED_MS + SLEW * awake_ms:
            jumps.append(facts.ClockStep(at=reading.now_ms, step_ms=round(step_ms)))
        return jumps


def tell(jump: Jump) -> None:
    """Log a jump of the clock."""
    log.warning("%s", sentence(jump), extra=about(Event.CLOCK))


def sentence(jump: Jump) -> str:
    """Say in one line what happened to the clock."""
    match jump:
        case facts.Suspended(duration_ms=duration_ms):
            return f"the host was suspended for {_seconds(duration_ms)}"
        case facts.ClockStep(step_ms=step_ms):
            return f"the clock was set {'ahead' if step_ms > 0 else 'back'} by {_seconds(abs(step_ms))}"


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:,.1f} s"
