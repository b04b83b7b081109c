"""A short crash campaign with a fixed seed; `make torture` runs longer ones."""

from pathlib import Path

from tests.torture.campaign import Campaign

SECONDS = 20
SEED = 20261124
ENOUGH_SLOTS = 100
ENOUGH_KINDS = 12
"""Of things done; a campaign that did next to nothing proves nothing."""


def test_random_load_and_random_crashes_lose_and_double_nothing(tmp_path: Path) -> None:
    report = Campaign(tmp_path, seed=SEED, seconds=SECONDS).run()
    print(report)
    assert not report.complaints, f"{report}\neverything is in {tmp_path}"
    assert report.slots > ENOUGH_SLOTS
    assert len(report.done) > ENOUGH_KINDS
    assert report.by_end["error/interrupted"] > 0
