"""How large the directory may get that holds what Node.js compiled.

Node.js keeps a file for each module that a script ever loaded, and removes none. All of it can be made again,
in some milliseconds for a module, so when there is too much of it, all of it goes. Rejected: to look for what
is no longer used (most hosts do not keep the time of a file's last use).
"""

import os
import shutil

MOST_BYTES = 256 * 1024 * 1024
"""What some thousand modules take."""


def place(state_dir: str) -> str:
    """Return its path."""
    return os.path.join(os.path.abspath(state_dir), "node-cache")


def bound(directory: str, *, most_bytes: int = MOST_BYTES) -> bool:
    """Remove the directory when its files are larger together; tell whether that was done. Blocking."""
    if _size(directory) <= most_bytes:
        return False
    # Scripts may be writing to it; what they cannot keep, they make again.
    shutil.rmtree(directory, ignore_errors=True)
    return True


def _size(directory: str) -> int:
    total = 0
    for root, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(root, name)).st_size
            except OSError:
                continue
    return total
