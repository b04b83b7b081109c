"""What the tests of the ledger share: facts of fires, a disk that fails on demand, a reader of its own."""

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path

from schedd.fire import Entry, Fire, Kind, Outcome, Reason, RunId, Status, not_run, ran
from schedd.ledger.disk import Disk
from schedd.ledger.facts import Claimed, Ended, Held, Registered, Stretch
from schedd.timetable.instant import Slot

START_MS = 1_795_000_020_000  # a whole minute, November 2026
MINUTE_MS = 60_000


def run_id(number: int) -> RunId:
    return RunId(f"019a0000-0000-7000-8000-{number:012x}")


def fire(
    number: int, *, script: str = "default/a.py", slot: int | None = None, kind: Kind = Kind.SCHEDULE
) -> Fire:
    nominal = START_MS // 1000 + number * 60 if slot is None else slot
    return Fire(run_id(number), script, "* * * * *", kind, Slot(nominal))


def claimed(fire: Fire) -> Claimed:
    return Claimed(
        at=at_ms(fire),
        run_id=fire.run_id,
        path=fire.script,
        expression=fire.expression,
        kind=fire.kind,
        slot=fire.slot,
    )


def held(fire: Fire) -> Held:
    return Held(
        at=at_ms(fire),
        run_id=fire.run_id,
        path=fire.script,
        expression=fire.expression,
        kind=fire.kind,
        slot=fire.slot,
    )


def ended(
    fire: Fire, *, status: Status = Status.OK, ended_ms: int | None = None, error: str | None = None
) -> Ended:
    outcome = Outcome(
        status=status,
        reason=None if status is Status.OK else Reason.EXIT,
        error=error,
        started_ms=at_ms(fire),
        ended_ms=at_ms(fire) if ended_ms is None else ended_ms,
    )
    return Ended(entry=ran(fire, outcome, host="h"))


def skipped(
    fire: Fire, *, last_slot: Slot | None = None, count: int | None = None, at: int | None = None
) -> Ended:
    return Ended(
        entry=not_run(
            fire,
            at_ms=at_ms(fire) if at is None else at,
            status=Status.SKIPPED_OVERLOAD,
            reason=Reason.OVERLAP,
            error="still running",
            host="h",
            last_slot=last_slot,
            count=count,
        )
    )


def registered(path: str = "default/a.py") -> Registered:
    return Registered(
        at=START_MS, path=path, expression="* * * * *", timezone="UTC", enabled=True, sha256="0" * 64
    )


def stretch(fire: Fire) -> Stretch:
    assert fire.slot is not None
    return Stretch(
        at=at_ms(fire),
        run_id=fire.run_id,
        path=fire.script,
        expression=fire.expression,
        first=fire.slot,
        status=Status.DISABLED,
        reason=Reason.DISABLED,
    )


def at_ms(fire: Fire) -> int:
    return START_MS if fire.slot is None else fire.slot * 1000


def entries_of(directory: Path, name: str = "fires.log") -> list[Entry]:
    """Read all entries, oldest first, by no code of the reader: every file, whole, one JSON object a line."""
    return [Entry(**_snake(line)) for line in lines_of(directory, name) if "fact" not in line]


def lines_of(directory: Path, name: str) -> list[dict[str, object]]:
    """Read all whole lines of a file and of its older segments, oldest first; garbage is left out."""
    return list(_lines(directory, name))


def _lines(directory: Path, name: str) -> Iterator[dict[str, object]]:
    older = [p for p in directory.glob(f"{name}.*") if p.suffix[1:].isdigit()]
    for path in [*sorted(older, key=lambda p: -int(p.suffix[1:])), directory / name]:
        if path.exists():
            for line in path.read_bytes().split(b"\n")[:-1]:
                try:
                    value = json.loads(line)
                except ValueError:
                    continue
                if isinstance(value, dict):
                    yield value


def _snake(line: dict[str, object]) -> dict[str, object]:
    return {"".join(f"_{c.lower()}" if c.isupper() else c for c in key): value for key, value in line.items()}


class FailingDisk(Disk):
    """Fails the calls whose number is in `fail` (all from the first one on, if `for_ever`), in one order.

    A write that fails has taken half of what it was given, as a full disk does.
    """

    def __init__(self, *, fail: int = 0, for_ever: bool = False, error: int = errno.ENOSPC) -> None:
        self.fail = fail
        self.for_ever = for_ever
        self.error = error
        self.calls: list[str] = []

    def _call(self, name: str) -> bool:
        self.calls.append(name)
        number = len(self.calls)
        return bool(self.fail) and (number == self.fail or (self.for_ever and number > self.fail))

    def _raise(self) -> None:
        raise OSError(self.error, os.strerror(self.error))

    def write(self, fd: int, data: memoryview) -> int:
        if self._call("write"):
            if len(data) > 1:
                super().write(fd, data[: len(data) // 2])
            self._raise()
        return super().write(fd, data)

    def truncate(self, fd: int, size: int) -> None:
        if self._call("truncate"):
            self._raise()
        super().truncate(fd, size)

    def sync(self, fd: int) -> None:
        if self._call("sync"):
            self._raise()

    def sync_directory(self, path: str) -> None:
        if self._call("sync_directory"):
            self._raise()

    def link(self, path: str, name: str) -> None:
        if self._call("link"):
            self._raise()
        super().link(path, name)

    def rename(self, path: str, name: str) -> None:
        if self._call("rename"):
            self._raise()
        super().rename(path, name)

    def unlink(self, path: str) -> None:
        if self._call("unlink"):
            self._raise()
        super().unlink(path)
