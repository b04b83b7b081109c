"""When the daemon is woken: at the next slot, and for a sign of life.

The alarm is set only when it would ring too late, not after each message: with thousands of runs that end
the next slot stays what it is.
"""

from schedd.host.clock import Alarm, Clock


class Waking:
    """Owns the alarm, and sets it again after each ring."""

    def __init__(self, alarm: Alarm, clock: Clock, *, heartbeat_s: float) -> None:
        """`heartbeat_s` is the longest sleep."""
        self._alarm = alarm
        self._clock = clock
        self._heartbeat_ms = int(heartbeat_s * 1000)
        self._at_ms: int | None = None

    def by(self, due_ms: int | None) -> None:
        """See to it that it rings at this instant (ms since the epoch), or before."""
        at_ms = self._clock.now_ms() + self._heartbeat_ms
        if due_ms is not None:
            at_ms = min(at_ms, due_ms)
        if self._at_ms is None or at_ms < self._at_ms:
            self._at_ms = at_ms
            self._alarm.set(at_ms)

    def rang(self, now_ms: int) -> float:
        """Note that it rang; return how late that was, in seconds."""
        at_ms, self._at_ms = self._at_ms, None
        return 0.0 if at_ms is None else (now_ms - at_ms) / 1000

    def close(self) -> None:
        """Give it back."""
        self._alarm.close()
