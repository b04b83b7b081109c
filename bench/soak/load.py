"""The scripts that are due, and when.

Their slots are spread by `@jitter` over one interval, so that each second has its share: bursts are measured
in `bench.burst`. Nine of ten are over at once, since what is under test is what a fire leaves behind.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from schedd.timetable.timetable import Timetable

LONGEST_INTERVAL_S = 40
SHORTEST_INTERVAL_S = 5
ROUNDS = 3
"""A run that is too short for the longest interval has one that fits in so often."""

PYTHON = "#!/usr/bin/python3\n"
NO_OP = "no_op", "sh", "#!/bin/sh\n"
WARM = "warm", "py", f"{PYTHON}import json\n\ndef main():\n    return json.loads('[1, 2]')\n"
PRINTS = "prints", "sh", '#!/bin/sh\nx=0\nwhile [ $x -lt 200 ]; do echo "line $x"; x=$((x+1)); done\n'
FAILS = "fails", "sh", "#!/bin/sh\necho 'nothing to copy' >&2\nexit 3\n"
RAISES = "raises", "py", f"{PYTHON}raise ValueError('nothing to copy')\n"
TALKS = (
    "talks",
    "py",
    f"""{PYTHON}import time
for number in range(10):
    print("step", number, flush=True)
    time.sleep(0.2)
""",
)
TWENTY = (*[NO_OP] * 10, *[WARM] * 6, PRINTS, FAILS, RAISES, TALKS)
"""Every twenty scripts are these."""


@dataclass(frozen=True, slots=True)
class Load:
    """So many scripts, each due once in an interval."""

    rate: int
    """Fires a second."""
    interval_s: int

    @staticmethod
    def of(rate: int, seconds: float) -> "Load":
        """Return the load for a run of this length."""
        interval_s = min(LONGEST_INTERVAL_S, max(SHORTEST_INTERVAL_S, int(seconds / ROUNDS)))
        return Load(rate, interval_s)

    @property
    def scripts(self) -> int:
        """How many there are."""
        return self.rate * self.interval_s

    def lay(self, directory: Path) -> dict[str, Timetable]:
        """Write the scripts; return when each is due."""
        timetables = {}
        for path, text in self._texts():
            file = directory / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(text)
            timetables[path] = Timetable.parse(
                f"@every {self.interval_s}s", "UTC", seed=path, jitter_s=self.interval_s
            )
        return timetables

    def _texts(self) -> Iterator[tuple[str, str]]:
        header = f"# @schedule @every {self.interval_s}s\n# @jitter {self.interval_s}s\n"
        for number in range(self.scripts):
            name, suffix, text = TWENTY[number % len(TWENTY)]
            first, _, rest = text.partition("\n")
            yield f"soak/{name}/{number}.{suffix}", f"{first}\n{header}{rest}"


def edit(directory: Path, number: int) -> None:
    """Change a script as an editor does, without changing what it does or when."""
    edited = sorted((directory / "soak" / "warm").iterdir())
    file = edited[number % len(edited)]
    text = file.read_text().partition("# edit ")[0]
    new = file.with_name(f".{file.name}.new")
    new.write_text(f"{text}# edit {number}\n")
    os.replace(new, file)
