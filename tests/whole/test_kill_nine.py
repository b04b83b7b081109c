"""kill -9 at random moments, again and again: no slot is lost, none is told twice.

Two daemons live, and are killed, side by side: each is mostly waited for.
"""

import os
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.whole import checker
from tests.whole.child import Child

KILLS = int(os.environ.get("SCHEDD_TEST_KILLS", "40"))
SEED = int(os.environ.get("SCHEDD_TEST_SEED", "20261124"))
DAEMONS = 2

SCRIPTS: dict[str, tuple[str, str, Callable[[int], bool]]] = {
    **{f"every_second_{n}.sh": ("@every 1s", "exit 0", lambda s: True) for n in range(12)},
    **{f"six_fields_{n}.sh": ("* * * * * *", "exit 0", lambda s: True) for n in range(4)},
    **{f"odd_{n}.sh": ("@every 3s", "exit 7", lambda s: s % 3 == 0) for n in range(6)},
    **{f"long_{n}.sh": ("@every 2s", "sleep 1.5", lambda s: s % 2 == 0) for n in range(3)},
    "queued.sh": ("@every 1s\n# @overlap queue-all", "sleep 0.9", lambda s: True),
    "off.sh": ("@every 1s\n# @enabled false", "exit 0", lambda s: True),
}
"""About 20 fires a second: what each header says, what the script does, and which seconds are due."""


def test_every_due_slot_is_told_exactly_once_across_kill_nine(tmp_path: Path) -> None:
    places = [tmp_path / str(number) for number in range(DAEMONS)]
    with ThreadPoolExecutor(DAEMONS) as threads:
        told = list(threads.map(live_and_die, places, range(SEED, SEED + DAEMONS)))
    slots, interrupted = (sum(column) for column in zip(*told, strict=True))
    print(f"{KILLS} kills, {slots} slots, {interrupted} interrupted, seed {SEED}")
    assert interrupted > 0, "no kill hit a run: the test has shown nothing"


def live_and_die(place: Path, seed: int) -> tuple[int, int]:
    """Kill one daemon its share of times; return how many slots it told, and how many as interrupted."""
    place.mkdir()
    child = Child(place)
    try:
        first_s, last_s = kill_again_and_again(child, random.Random(seed))
    finally:
        child.close()
    due = {name: is_due for name, (_, _, is_due) in SCRIPTS.items()}
    lines = child.lines()
    counts = checker.check(lines, due, first_s=first_s, last_s=last_s)
    return sum(counts.values()), sum(line.get("reason") == "interrupted" for line in lines)


def kill_again_and_again(child: Child, dice: random.Random) -> tuple[int, int]:
    """Return the first and the last second in which all scripts were registered for certain."""
    for name, (header, body, _) in SCRIPTS.items():
        child.write(name, f"#!/bin/sh\n# @schedule {header}\n{body}\n")
    child.start()
    first_s = int(time.time()) + 1
    for _ in range(KILLS // DAEMONS):
        time.sleep(dice.uniform(0.0, 0.9))
        child.kill()
        if dice.random() < 0.3:
            # Killed again while it starts: recovery must bear being cut short, too.
            child.spawn()
            time.sleep(dice.uniform(0.05, 0.8))
            child.kill()
        child.start()
    last_s = int(time.time()) - 1
    child.stop()
    return first_s, last_s
