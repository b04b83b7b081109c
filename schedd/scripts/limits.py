"""What a run may use: sizes, shares and counts as they are written in a header.

As in `values`: a text in, what it means out, or ValueError with a sentence that says what to write instead.
Bounds are those beyond which a number is a slip of the keyboard, or the kernel's own; whether the machine
has so much is not known here.
"""

import re
from fractions import Fraction

from schedd.scripts.values import quoted

UNIT_BYTES = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
LEAST_MEMORY_BYTES = 1 << 20
"""No program starts with less; a number without its unit would be bytes."""
MOST_BYTES = 1 << 50
MOST_CPU_PERCENT = 100_000
"""A thousand processors."""
MOST_PIDS = 4_194_304
"""PID_MAX_LIMIT of Linux (proc(5), /proc/sys/kernel/pid_max)."""
LEAST_FILES = 16
"""An interpreter opens about ten before it comes to the script."""
MOST_FILES = 1_048_576
"""What /proc/sys/fs/nr_open allows by default (proc(5))."""

# Also `512m`, `512MB`, `512MiB` and Kubernetes' `512Mi`.
_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,6})?)([KMGT]?)(?:(?<=[KMGT])i)?B?", re.ASCII | re.IGNORECASE)
_COUNT = re.compile(r"[0-9]{1,12}")


def size_bytes(text: str) -> int:
    """Return a size in bytes, of a number and perhaps K, M, G or T (powers of 1024)."""
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"{quoted(text)} is not a size: write it like 64K, 512M or 1.5G")
    size = Fraction(match[1]) * UNIT_BYTES[match[2].upper()]
    if size.denominator != 1:
        raise ValueError(f"{quoted(text)} is not a number of whole bytes")
    if size > MOST_BYTES:
        raise ValueError(f"{quoted(text)} is too large: write {MOST_BYTES // UNIT_BYTES['T']}T or less")
    return int(size)


def memory_bytes(text: str) -> int:
    """Return how much memory a run may have."""
    size = size_bytes(text)
    if size < LEAST_MEMORY_BYTES:
        raise ValueError(f"{quoted(text)} is too little to start anything: write a size like 64M or 1.5G")
    return size


def cpu_percent(text: str) -> int:
    """Return how much of one processor a run may have; 200 = two whole ones."""
    number = text.removesuffix("%").rstrip()
    if not text.endswith("%") or not _COUNT.fullmatch(number):
        raise ValueError(f"{quoted(text)} is not a share: write percents of one processor, 50% or 200%")
    if not 1 <= int(number) <= MOST_CPU_PERCENT:
        raise ValueError(f"{quoted(text)} will not do: write something from 1% to {MOST_CPU_PERCENT}%")
    return int(number)


def pids(text: str) -> int:
    """Return how many processes and threads a run may consist of."""
    return _count(text, least=1, most=MOST_PIDS)


def files(text: str) -> int:
    """Return how many descriptors each process of a run may have open."""
    return _count(text, least=LEAST_FILES, most=MOST_FILES)


def _count(text: str, *, least: int, most: int) -> int:
    if not _COUNT.fullmatch(text) or not least <= int(text) <= most:
        raise ValueError(f"{quoted(text)} will not do: write a number from {least} to {most}")
    return int(text)
