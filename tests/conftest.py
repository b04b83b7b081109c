"""What all tests share: an environment without this person's settings, one way to draw examples, the lab."""

import os
from collections.abc import Iterator

import hypothesis
import pytest

from tests.whole.systemd_lab import Lab

# Time limits on examples only tell how busy the machine is. CI draws the same examples each time, so that a
# red run is red again; at a desk they are drawn anew, and what fails is remembered.
hypothesis.settings.register_profile("desk", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, print_blob=True)
hypothesis.settings.load_profile("ci" if os.environ.get("CI") else "desk")

LEAVES_TRACES = ("SCHEDD_", "NOTIFY_", "WATCHDOG_", "LISTEN_", "XDG_")


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
