"""kill -9 at random moments, again and again: no slot is lost, none is told twice."""

import os
import random
import time
from collections.abc import Callable

from tests.whole import checker
from tests.whole.child import Child

KILLS = int(os.environ.get("SCHEDD_TEST_KILLS", "50"))
SEED = int(os.environ.get("SCHEDD_TEST_SEED", "20261124"))

SCRIPTS: dict[str, tuple[str, str, Callable[[int], bool]]] = {
    **{f"every_second_{n}.sh": ("@every 1s", "exit 0", lambda s: True) for n in range(12)},
    **{f"six_fields_{n}.sh": ("* * * * * *", "exit 0", lambda s: True) for n in range(4)},
    **{f"odd_{n}.sh": ("@every 3s", "exit 7", lambda s: s % 3 == 0) for n in range(6)},
    **{f"long_{n}.sh": ("@every 2s", "sleep 1.5", lambda s: s % 2 == 0) for n in range(3)},
    "queued.sh": ("@every 1s\n# @overlap queue-all", "sleep 0.9", lambda s: True),
    "off.sh": ("@every 1s\n# @enabled false", "exit 0", lambda s: True),
}
"""About 20 fires a second: what each header says, what the script does, and which seconds are due."""


def test_every_due_slot_is_told_exactly_once_across_kill_nine(child: Child) -> None:
    dice = random.Random(SEED)
    for name, (header, body, _) in SCRIPTS.items():
        child.write(name, f"#!/bin/sh\n# @schedule {header}\n{body}\n")
    child.start()
    first_s = int(time.time()) + 1
    for _ in range(KILLS):
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
    due = {name: is_due for name, (_, _, is_due) in SCRIPTS.items()}
    lines = child.lines()
    counts = checker.check(lines, due, first_s=first_s, last_s=last_s)
    interrupted = sum(line.get("reason") == "interrupted" for line in lines)
    print(f"{KILLS} kills, {sum(counts.values())} slots, {interrupted} interrupted, seed {SEED}")
    assert interrupted > 0, "no kill hit a run: the test has shown nothing"
