#!/usr/bin/env python3
# @schedule @every 20s
# @timeout 5s
# @description Says how the machine is: its load, its free memory, how long it has been up
# @tags example, machine
"""What main() returns is the result of the run. Each script has a directory to remember things in."""

import os
from pathlib import Path


def main():
    """Return what the run's result is to be: anything that JSON can hold."""
    beats = count_up(Path(os.environ["SCHEDD_STATE_DIR"]) / "beats")
    print(f"beat {beats}")
    return {
        "beats": beats,
        "load": round(os.getloadavg()[0], 2),
        "freeMemoryMiB": free_memory_kib() // 1024,
        "upHours": round(float(Path("/proc/uptime").read_text().split()[0]) / 3600, 1),
    }


def count_up(file):
    """Return one more than last time."""
    beats = int(file.read_text() or 0) + 1 if file.exists() else 1
    file.write_text(str(beats))
    return beats


def free_memory_kib():
    """Return how much memory could be had without swapping."""
    for line in Path("/proc/meminfo").read_text().splitlines():
        name, value, *_ = line.split()
        if name == "MemAvailable:":
            return int(value)
    return 0
