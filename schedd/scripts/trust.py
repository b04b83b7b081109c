"""Who could have written a script: files and directories are refused as cron refuses them.

schedd runs what it finds, often as root. A script, or a directory on the way to it, that somebody else may
change is that somebody's way to run anything; so both are looked at, on every scan, since a `chmod` leaves
no trace in a file's modification time.

Writable by the group is writable by others, with one exception: a user's private group, the one that has
the user's own number. Without it, everything that a person with the umask 002 checks out would be refused.
"""

import os
import shlex
import stat

_LOOSE = stat.S_IWGRP | stat.S_IWOTH


def is_safe(info: os.stat_result, trusted_uids: frozenset[int]) -> bool:
    """Tell quickly whether nothing is wrong; if not, `fault` knows what is."""
    return info.st_uid in trusted_uids and not info.st_mode & _LOOSE


def fault(path: str, info: os.stat_result, trusted_uids: frozenset[int]) -> str | None:
    """Return why this file or directory is unsafe, with the command that mends it; None when it is safe."""
    if info.st_uid not in trusted_uids:
        who = "neither root nor the user that schedd runs as"
        return f"unsafe: {path} belongs to uid {info.st_uid}, {who}: chown root {shlex.quote(path)}"
    loose = info.st_mode & _LOOSE
    if info.st_gid == info.st_uid:
        loose &= ~stat.S_IWGRP
    if not loose:
        return None
    whom = "everybody" if loose & stat.S_IWOTH else f"its group (gid {info.st_gid})"
    classes = ("g" if loose & stat.S_IWGRP else "") + ("o" if loose & stat.S_IWOTH else "")
    mode = stat.S_IMODE(info.st_mode)
    return f"unsafe: {path} is writable by {whom} (mode {mode:04o}): chmod {classes}-w {shlex.quote(path)}"
