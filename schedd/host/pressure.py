"""How hard the host is working, as the kernel measures it: pressure stall information (PSI).

`/proc/pressure/{cpu,io,memory}` say for how much of the last ten seconds some task had to wait for that
resource. What can wait, as a catch-up can, goes slower when that is much.

Rejected: the load average, which counts tasks, not what they lose by each other, and says nothing of memory;
the pressure of the own cgroup, which does not show whom the scripts would disturb.
"""

import os
import re

DIRECTORY = "/proc/pressure"
RESOURCES = ("cpu", "io", "memory")

_SOME_AVG10 = re.compile(rb"^some avg10=(\d{1,3}\.\d{1,2})\b", re.MULTILINE)


class Pressure:
    """The host's pressure; `directory` is where the kernel shows it."""

    def __init__(self, directory: str = DIRECTORY) -> None:
        self._paths = tuple(os.path.join(directory, resource) for resource in RESOURCES)

    def read(self) -> float:
        """Return the worst of the three pressures over the last ten seconds, in percent.

        A resource that the kernel does not measure (older than 4.20, or started with psi=0) has none: 0.
        """
        return max(map(_some_avg10, self._paths))


def _some_avg10(path: str) -> float:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return 0.0
    try:
        found = _SOME_AVG10.search(os.read(fd, 512))
    except OSError:
        return 0.0
    finally:
        os.close(fd)
    return float(found[1]) if found else 0.0
