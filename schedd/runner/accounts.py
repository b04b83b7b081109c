"""Whom a run is to be, by the names in its header: what the kernel and the script want to know of a user.

Looked up when the script's file is looked at, in that thread: a directory service may take its time. So a
change to a user is known to a run after the next reload, or change of the script. Whether the script may be
this user was settled when it was registered (`scripts.accounts`).
"""

import grp
import os
import pwd
from dataclasses import replace

from schedd.runner.command import CannotStartError
from schedd.runner.order import Identity


def resolve(user: str | None, group: str | None) -> Identity | None:
    """Return the identity for `@user` and `@group` (blocking); None for the daemon's own.

    The groups of the user come with it. Raises CannotStartError.
    """
    if user is None and group is None:
        return None
    found = _own() if user is None else _of(user)
    return found if group is None else replace(found, gid=_gid_of(group))


def _of(user: str) -> Identity:
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise CannotStartError(
            f"cannot run as {user}: there is no such user on this host; make it, or correct @user"
        ) from None
    groups = tuple(sorted(os.getgrouplist(user, entry.pw_gid)))
    return Identity(user, entry.pw_uid, entry.pw_gid, groups, entry.pw_dir)


def _own() -> Identity:
    uid = os.geteuid()
    groups = tuple(sorted({os.getegid(), *os.getgroups()}))
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        # Containers and DynamicUser=: a number is a user without a name.
        return Identity(str(uid), uid, os.getegid(), groups, "/")
    return Identity(entry.pw_name, uid, os.getegid(), groups, entry.pw_dir)


def _gid_of(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise CannotStartError(
            f"cannot run in the group {group}: there is none on this host; make it, or correct @group"
        ) from None
