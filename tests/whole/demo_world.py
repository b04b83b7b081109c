"""A believable world to look at: a dozen and more scripts with a past of some days, and the real daemon.

The past is written as the two files of the ledger (docs/ledger.md); the daemon then finds it as its own. It
is drawn from a seed, so two worlds of one minute are alike. What runs and what comes next is real.

    python -m tests.whole.demo_world                  serve it until ^C, and print where to look
    python -m tests.whole.demo_world --into docs      take the pictures of the documentation

Rejected: a past that is played by a daemon under a wrong clock (five days take minutes).
"""

import argparse
import hashlib
import random
import tempfile
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from schedd.fire import Entry, Fire, Kind, Outcome, Reason, Status, not_run, ran
from schedd.host import identity
from schedd.ledger.facts import Down, Ended, Fact, Registered, Up, Watermark, encode
from schedd.runner import store
from schedd.timetable.instant import Slot
from schedd.timetable.timetable import Timetable
from tests.whole import browser
from tests.whole.child import Child
from tests.whole.demo_jobs import JOBS, TROUBLES, Job, Trouble

DAYS = 5
HOST = "web1"
SEED = 8173
SPREAD = 0.12
"""How much a run's length varies about the usual one."""
DOWN_H = (61.0, 60.7)
"""The daemon was not there between these, in hours ago."""
RUNNING = ("search/reindex.sh", "media/make-thumbnails.sh")
PAUSED = "warehouse/export-stock.sh"
PRINTED_H = 24
"""So far back the output of runs is kept."""
FOLDER = "default"
MOST_BYTES = 200_000
PICTURES = (
    ("overview-light.png", "#/", "light"),
    ("overview-dark.png", "#/", "dark"),
    ("timeline-dark.png", "#/timeline", "dark"),
)


def build(child: Child, now_s: int, *, days: float = DAYS) -> None:
    """Write the scripts and the past up to now; the daemon is not running yet."""
    for job in JOBS:
        child.write(f"{FOLDER}/{job.script}", job.text())
    entries = sorted(past(now_s, days), key=lambda entry: entry.ts)
    child.state.mkdir(exist_ok=True)
    (child.state / "fires.log").write_bytes(b"".join(map(encode, entries)))
    begin_ms, end_ms = int((now_s - days * 86_400) * 1000), now_s * 1000
    facts: list[Fact] = [Up(at=begin_ms, boot_id="0", version="1")]
    facts += [_registered(job, begin_ms) for job in JOBS]
    facts += [Ended(entry=entry) for entry in entries]
    facts += [Watermark(slot=Slot(now_s)), Down(at=end_ms, why="SIGTERM")]
    (child.state / "ledger.log").write_bytes(b"".join(map(encode, facts)))
    _print(child, entries, end_ms - PRINTED_H * 3_600_000)


def _registered(job: Job, at_ms: int) -> Registered:
    """Return the fact that a script was there all the time, as it is now."""
    text = job.text()
    header = [line for line in text.splitlines() if line.startswith("# @")]
    return Registered(
        at=at_ms,
        path=f"{FOLDER}/{job.script}",
        expression=job.schedule,
        timezone=job.zone,
        enabled=True,
        sha256=hashlib.sha256(text.encode()).hexdigest(),
        header="\n".join("# @token (withheld)" if "@token" in line else line for line in header),
    )


def _print(child: Child, entries: Iterable[Entry], since_ms: int) -> None:
    """Keep what the runs of the last day printed."""
    says = {f"{FOLDER}/{job.script}": job.says for job in JOBS}
    for entry in entries:
        text = printed(says[entry.script_path], entry.error)
        if text and entry.started_at is not None and store.made_ms(entry.run_id) >= since_ms:
            path = Path(f"{store.place_of(str(child.state), entry.run_id)}.log")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)


def printed(lines: Sequence[str], error: str | None) -> str:
    """Return what a run printed: all that it says; if it failed as far as it came, and then why."""
    if error is not None:
        lines = (*lines[: len(lines) // 3], error.splitlines()[0])
    return "".join(f"{line}\n" for line in lines)


def past(now_s: int, days: float = DAYS) -> Iterator[Entry]:
    """Yield the line of each slot of each job in these days."""
    draw = random.Random(SEED)
    new_run_id = identity.run_ids(draw.getrandbits)
    first, end = Slot(int(now_s - days * 86_400)), Slot(now_s)
    due: list[tuple[Slot, Job]] = []
    for job in JOBS:
        timetable = Timetable.parse(job.schedule, job.zone, seed=job.script)
        slot = timetable.next_after(first)
        while slot is not None and slot < end:
            due.append((slot, job))
            slot = timetable.next_after(slot)
    for slot, job in sorted(due, key=lambda each: (each[0], each[1].script)):
        fire = Fire(new_run_id(slot * 1000 + 3), f"{FOLDER}/{job.script}", job.schedule, Kind.SCHEDULE, slot)
        entry = _line(fire, job, (now_s - slot) / 3600, draw)
        # What would not be over yet has not been; the rest of it belongs to the daemon.
        if entry is not None and entry.ts < _text(now_s):
            yield entry


def _line(fire: Fire, job: Job, ago_h: float, draw: random.Random) -> Entry | None:
    assert fire.slot is not None
    if DOWN_H[1] < ago_h < DOWN_H[0]:
        return not_run(
            fire,
            at_ms=fire.slot * 1000 + 19 * 60_000,
            status=Status.ERROR,
            reason=Reason.MISSED,
            error="schedd was not running",
            host=HOST,
        )
    trouble = next((x for x in TROUBLES if x.script == job.script and x.until_h < ago_h < x.since_h), None)
    if trouble is not None and trouble.took_s is None:
        return not_run(
            fire,
            at_ms=fire.slot * 1000 + 2,
            status=trouble.status,
            reason=trouble.reason,
            error=trouble.error,
            host=HOST,
        )
    return ran(fire, _outcome(fire.slot, job, trouble, draw), host=HOST)


def _outcome(slot: Slot, job: Job, trouble: Trouble | None, draw: random.Random) -> Outcome:
    usual_s = job.usual_s if trouble is None or trouble.took_s is None else trouble.took_s
    took_ms = max(40, int(1000 * usual_s * draw.lognormvariate(0, SPREAD)))
    if trouble is not None and trouble.status is Status.TIMEOUT:
        took_ms = int(usual_s * 1000) + draw.randrange(40)
    started_ms = slot * 1000 + draw.randrange(2, 9)
    return Outcome(
        status=Status.OK if trouble is None else trouble.status,
        reason=None if trouble is None else trouble.reason,
        error=None if trouble is None else trouble.error,
        started_ms=started_ms,
        ended_ms=started_ms + took_ms,
        duration_ms=took_ms,
        exit_code=0 if trouble is None else trouble.exit_code,
        signal="SIGKILL" if trouble is not None and trouble.exit_code is None else None,
        cpu_ms=int(took_ms * draw.uniform(0.05, 0.4)),
        max_rss_kb=draw.randrange(8_000, 90_000),
        output_bytes=len(printed(job.says, None if trouble is None else trouble.error).encode()),
    )


def _text(at_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(at_s))


def enliven(child: Child) -> None:
    """Start what is to be seen running, and pause what is to be seen paused."""
    for script in RUNNING:
        browser.trigger(child, f"{FOLDER}/{script}")
    note = {
        "scriptPath": f"{FOLDER}/{PAUSED}",
        "note": "the warehouse moves; Ines, until Monday",
        "until": "4d",
    }
    child.schedules("pause", method="POST", body=note)


def pictures(child: Child, into: Path) -> None:
    """Take the pictures of the documentation."""
    with browser.chromium() as started:
        at = browser.Dashboard(child, started, zone="Europe/Berlin")
        try:
            for name, place, theme in PICTURES:
                page = at.open(place)
                page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
                page.wait_for_timeout(1500)
                page.screenshot(path=into / name, animations="disabled")
                size = (into / name).stat().st_size
                print(f"{into / name}: {size:,} bytes")
                assert size <= MOST_BYTES, f"{name} has {size:,} bytes; {MOST_BYTES:,} are enough"
        finally:
            at.close()


def main() -> None:
    """Serve the world, or take its pictures."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--into", type=Path, help="take the pictures into this folder, and end")
    into = options.parse_args().into
    with tempfile.TemporaryDirectory(prefix="schedd-demo-") as base:
        child = Child(Path(base))
        build(child, int(time.time()))
        try:
            child.start()
            child.schedules("list")
            enliven(child)
            if into is not None:
                time.sleep(25)  # so that what runs has come a part of its way
                pictures(child, into)
            else:
                print(f"{child.url()}/#token={browser.token(child)}", flush=True)
                assert child.process is not None
                child.process.wait()
        except KeyboardInterrupt:
            print("Stopping.")
        finally:
            browser.calm(child)
            child.stop()


if __name__ == "__main__":
    main()
