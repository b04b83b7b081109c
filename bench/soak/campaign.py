"""One soak from start to end.

Early on and at the end everything is paused for a moment: with nothing running, descriptors and processes
are counts that must be equal, where under load they could only be guessed at.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from bench.soak.load import Load
from bench.soak.report import Quiet, Reading, Report
from bench.soak.slots import Follower, Line, Slots
from bench.soak.subject import ANSWERS_WITHIN_S, Sight, Subject
from bench.soak.traffic import API, PING, Asked, Counted, Traffic

READING_S = 10.0
READINGS = 6
"""A short run has shorter ones."""

LOOK_S = 1.0
EARLY = 0.3
"""When in the run the first quiet is: all scripts have run, the caches have what they will have."""

QUIET_WITHIN_S = 300
"""On a machine that is too small for the load, what waits for its start is worked off first."""
QUIET_LOOKS, QUIET_LOOK_S = 10, 0.2
LAST_SLOTS_S = 1.5
MOST_SAID = 20
PAUSE = f"{API}/schedules/pause"
RESUME = f"{API}/schedules/resume"


class Campaign:
    """Owns the daemon, its load, and what is found out about it."""

    def __init__(self, root: Path, *, seconds: float, rate: int, tell: Callable[[Reading], None]) -> None:
        self._load = Load.of(rate, seconds)
        self._tell = tell
        self._subject = Subject(root)
        self._traffic = Traffic(self._subject)
        self._log = Follower(self._subject.state)
        self._timetables = self._load.lay(self._subject.scripts)
        self._slots = Slots(self._timetables, 0)
        self._begun_s = 0.0
        self.report = Report(seconds, self._load.scripts, self._load.interval_s)

    def run(self) -> Report:
        """Do it; the report has the complaints, also when it had to be broken off."""
        seconds = self.report.seconds
        try:
            self._subject.start()
            self._slots = Slots(self._timetables, int(time.time()))
            self._begun_s = time.monotonic()
            self._traffic.start()
            self._work(seconds * EARLY)
            self.report.first_quiet = self._quiet()
            self._work(seconds)
            self.report.last_quiet = self._quiet()
            self._end()
        except AssertionError as error:
            self.report.complaints.append(f"broken off: {error}")
        finally:
            self._traffic.end()
            self._subject.close()
            self._traffic.join()
            self._log.close()
        self._conclude()
        return self.report

    def _at_s(self) -> float:
        return time.monotonic() - self._begun_s

    def _work(self, until_s: float) -> None:
        """Take readings until so long after the start."""
        reading_s = min(READING_S, self.report.seconds / READINGS)
        counted = self._counted()
        while (left_s := until_s - self._at_s()) > reading_s / 2:
            reading, counted = self._reading(counted, min(reading_s, left_s))
            self.report.readings.append(reading)
            self._tell(reading)

    def _reading(self, before: Counted, length_s: float) -> tuple[Reading, Counted]:
        """Look on for so long; return what was seen, and how the counters stand."""
        begun_s, cpu_s = time.monotonic(), self._subject.seen().cpu_s
        self._traffic.asked.clear()
        sights: list[Sight] = []
        late_s: list[float] = []
        queue = 0
        while (left_s := begun_s + length_s - time.monotonic()) > 0:
            time.sleep(min(LOOK_S, left_s))
            sights.append(self._subject.seen())
            queue = max(queue, self._counted().queue)
            for line in self._news():
                late_s += [line["latenessMs"] / 1000] if "latenessMs" in line else []
        took_s, counted = time.monotonic() - begun_s, self._counted()
        lags = counted.lags - before.lags
        requests = self._requests()
        reading = Reading(
            at_s=self._at_s(),
            sight=least(sights),
            load=os.getloadavg()[0],
            cpu=(sights[-1].cpu_s - cpu_s) / took_s,
            lag_s=(counted.lag_s - before.lag_s) / lags if lags else 0.0,
            worst_lag_s=counted.worst_lag_s(before),
            late_s=sorted(late_s),
            fires=len(late_s) / took_s,
            queue=queue,
            pings_s=sorted(asked.took_s for asked in requests if asked.what == PING),
            asked_s=sorted(asked.took_s for asked in requests if asked.what != PING),
        )
        return reading, counted

    def _counted(self) -> Counted:
        """Read what the daemon last told Prometheus."""
        deadline = time.monotonic() + ANSWERS_WITHIN_S
        while not self._traffic.metrics:
            assert time.monotonic() < deadline, f"no metrics: {[*self._traffic.failures]}"
            time.sleep(0.05)
        return Counted.read(self._traffic.metrics)

    def _news(self) -> Iterator[Line]:
        for line in self._log.news():
            self._slots.take(line)
            yield line

    def _requests(self) -> list[Asked]:
        """Take what was asked since the last time."""
        asked = [self._traffic.asked.popleft() for _ in range(len(self._traffic.asked))]
        for each in asked:
            self.report.requests.setdefault(each.what, []).append(each.took_s)
        return asked

    def _quiet(self) -> Quiet:
        """Pause everything, wait until nothing runs, and count what is left."""
        self._subject.ask("POST", PAUSE, {"all": True})
        deadline = time.monotonic() + QUIET_WITHIN_S
        while (ready := self._subject.ask("GET", "/readyz"))["running"] or ready["held"]:
            assert time.monotonic() < deadline, f"{ready['running']} runs do not end"
            self._follow(QUIET_LOOK_S)
        sights = []
        for _ in range(QUIET_LOOKS):
            self._follow(QUIET_LOOK_S)
            sights.append(self._subject.seen())
        self._subject.ask("POST", RESUME, {"all": True})
        seen = least(sights)
        return Quiet(seen.descriptors, seen.processes, seen.zombies)

    def _follow(self, length_s: float) -> None:
        """Read the log while time passes, so that it is not rotated away."""
        time.sleep(length_s)
        for _ in self._news():
            pass

    def _end(self) -> None:
        """Let the last slots fire, stop the daemon, and read what it has written."""
        self._follow(LAST_SLOTS_S)
        self._traffic.end()
        self._traffic.join()
        self._follow(0)
        until_s = int(time.time())
        code = self._subject.stop()
        self._follow(0)
        lost = self._slots.lost(until_s)
        complaints = self.report.complaints
        if lost:
            complaints.append(f"{lost} slots have no line")
        if code != -signal.SIGTERM:
            complaints.append(f"the daemon ended with {code}")

    def _conclude(self) -> None:
        """Fill in what the report has to say in the end."""
        report, traffic = self.report, self._traffic
        report.slots, report.segments = self._slots.told, self._log.segments
        report.listened, report.edits = traffic.listened, traffic.edits
        report.complaints += self._slots.complaints
        report.complaints += traffic.failures
        report.complaints += [f"it said: {said}" for said in self._subject.said().splitlines()[:MOST_SAID]]
        report.judge()


def least(sights: Sequence[Sight]) -> Sight:
    """Return the least of each count and size, and the last of what adds up."""
    return Sight(
        rss_mib=min(sight.rss_mib for sight in sights),
        nurseries_mib=min(sight.nurseries_mib for sight in sights),
        descriptors=min(sight.descriptors for sight in sights),
        threads=min(sight.threads for sight in sights),
        processes=min(sight.processes for sight in sights),
        zombies=min(sight.zombies for sight in sights),
        cpu_s=sights[-1].cpu_s,
    )
