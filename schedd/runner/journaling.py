"""What scripts print, line by line into the journal, with the fields of their runs.

So `journalctl SCHEDD_SCRIPT=… -f` follows a script, and `journalctl SCHEDD_RUN_ID=…` shows a run whole. The
journal is a convenience and the output's file the record: nothing waits for journald. Some lines are sent in
each turn of the event loop, of all runs by turns; what a run prints faster than that waits, up to a bound,
and beyond it is counted. When journald takes nothing for long, all that waits is given up, and counted.
"""

import asyncio
import re
from collections import deque

from schedd.fire import Fire
from schedd.host.journald import Journal, about
from schedd.runner.lines import Backlog, Gap, Item

LINES_A_TURN = 32
"""Sending one takes some ten microseconds."""

TURN_S = 0.001
"""Between two turns, so that a script that floods is not slowed down by telling the journal of it."""

FIRST_RETRY_S = 0.001
LAST_RETRY_S = 0.05
"""How soon it is tried again when journald has no room: it takes some hundred entries in a millisecond."""

PATIENCE_S = 5.0
"""How long journald may take nothing before what waits for it is given up."""

ROOM_BYTES = 128 * 1024

INFO, WARNING = 6, 4

_PRIORITY = re.compile(r"<([0-7])>")


class Journaling:
    """Sends lines of runs, never for long at once."""

    def __init__(self, loop: asyncio.AbstractEventLoop, journal: Journal | None) -> None:
        """`journal` None: there is none, and nothing is sent."""
        self._loop = loop
        self._journal = journal
        self._taps: deque[Tap] = deque()
        """Those with something to send; each once."""
        self._turning: asyncio.Handle | None = None
        self._stuck_since: float | None = None
        self._retry_s = FIRST_RETRY_S
        self._full = False
        """journald had no room for the last one."""
        self.dropped = 0
        """Lines that were not sent, since the start."""

    def tap(self, fire: Fire) -> "Tap | None":
        """Return what a run's output is to be fed to, if it is to go to the journal."""
        return None if self._journal is None else Tap(self, fire)

    def wake(self, tap: "Tap") -> None:
        """Something waits in this one."""
        if not tap.waiting:
            tap.waiting = True
            self._taps.append(tap)
        if self._turning is None:
            self._turning = self._loop.call_soon(self._turn)

    def close(self) -> None:
        """Send what still can be sent at once, and nothing later."""
        if self._turning is not None:
            self._turning.cancel()
        while self._taps and not self._full:
            self._send_some()
        self._give_up()

    def _turn(self) -> None:
        self._turning = None
        if self._send_some():
            self._stuck_since, self._retry_s = None, FIRST_RETRY_S
        if self._full:
            self._try_again()
        elif self._taps:
            self._turning = self._loop.call_later(TURN_S, self._turn)

    def _try_again(self) -> None:
        now_s = self._loop.time()
        self._stuck_since = self._stuck_since or now_s
        if now_s - self._stuck_since > PATIENCE_S:
            self._give_up()
            return
        self._turning = self._loop.call_later(self._retry_s, self._turn)
        self._retry_s = min(2 * self._retry_s, LAST_RETRY_S)

    def _send_some(self) -> int:
        """Send some lines of the run whose turn it is; return how many."""
        assert self._journal is not None
        tap, sent = self._taps.popleft(), 0
        self._full = False
        for _ in range(LINES_A_TURN):
            entry = tap.entry()
            if entry is None:
                tap.waiting = False
                return sent
            if entry:
                self._full = not self._journal.send(entry)
                if self._full:
                    break
                sent += 1
            tap.sent()
        self._taps.append(tap)
        return sent

    def _give_up(self) -> None:
        for tap in self._taps:
            tap.give_up()
            tap.waiting = False
        self._taps.clear()


class Tap:
    """The output of one run, on its way to the journal."""

    def __init__(self, owner: Journaling, fire: Fire) -> None:
        self.waiting = False
        """It is among those whose turn comes."""
        self._owner = owner
        self._backlog = Backlog(room_bytes=ROOM_BYTES)
        self._entry: dict[str, str] | None = None
        """Made, and not sent."""
        self._fields = {"SYSLOG_IDENTIFIER": fire.script.rpartition("/")[2], **about(fire=fire)}
        self._begins = True
        """What comes next is not the rest of a line."""
        self._priority = INFO
        self._counted = 0

    def feed(self, chunk: bytes, at_ms: int) -> None:
        """Take a chunk of output."""
        self._backlog.feed(chunk, at_ms)
        self._count()
        self._owner.wake(self)

    def close(self) -> None:
        """The output has ended."""
        self._backlog.close()
        self._owner.wake(self)

    def entry(self) -> dict[str, str] | None:
        """Return what is to be sent next: nothing for a blank line, None when there is none."""
        if self._entry is None:
            items = self._backlog.take(1)
            self._entry = self._entry_of(items[0]) if items else None
        return self._entry

    def sent(self) -> None:
        """That has been sent."""
        self._entry = None

    def give_up(self) -> None:
        """Let go of what waits."""
        if self._entry:
            self._entry = None
            self._owner.dropped += 1
        self._backlog.drop()
        self._count()

    def _count(self) -> None:
        self._owner.dropped += self._backlog.missed_lines - self._counted
        self._counted = self._backlog.missed_lines

    def _entry_of(self, item: Item) -> dict[str, str]:
        if isinstance(item, Gap):
            self._begins = False
            text = f"… {item.lines or 0:,} lines ({item.size_bytes:,} bytes) not sent to the journal"
            return {"MESSAGE": text, "PRIORITY": str(WARNING), **self._fields}
        text = item.text
        if self._begins:
            prefix = _PRIORITY.match(text)
            self._priority = int(prefix[1]) if prefix else INFO
            text = text[3:] if prefix else text
        self._begins = item.whole
        # As systemd does with what services print: a blank line is no entry.
        return {"MESSAGE": text, "PRIORITY": str(self._priority), **self._fields} if text.strip() else {}
