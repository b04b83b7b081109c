"""What all tests share: an environment without this person's settings, one way to draw examples, the lab."""

import os
import re
from collections import Counter
from collections.abc import Iterator

import hypothesis
import pytest

from tests.whole.systemd_lab import Lab

# Time limits on examples only tell how busy the machine is. CI draws the same examples each time, so that a
# red run is red again; at a desk they are drawn anew, and what fails is remembered.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")

DRAWN = re.compile(r"(\d+) passing, (\d+) failing")
LEAVES_TRACES = ("SCHEDD_", "NOTIFY_", "WATCHDOG_", "LISTEN_", "XDG_")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many examples hypothesis drew, so that a fuzz that draws none is seen."""
    drawn: Counter[str] = Counter()
    for report in terminalreporter.getreports(""):
        for passing, failing in DRAWN.findall(getattr(report, "_hypothesis_stats", "")):
            drawn[report.nodeid.partition("::")[0]] += int(passing) + int(failing)
    if drawn:
        terminalreporter.section(f"{drawn.total():,} examples")
        for path, count in sorted(drawn.items()):
            terminalreporter.write_line(f"{count:>7,}  {path}")


@pytest.fixture(autouse=True)
def _nobodys_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(LEAVES_TRACES) or name in ("JOURNAL_STREAM", "NO_COLOR", "FORCE_COLOR"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="module")
def lab() -> Iterator[Lab]:
    """A real systemd of the module's own."""
    with Lab() as booted:
        yield booted
