"""Whom a script may run as (`@user`, `@group`), as far as the configuration and the daemon itself decide it.

A daemon that runs as root would run any script as anybody, so the names have to be said twice: in the
header, and in the setting `allowed_users`, which belongs to whoever runs the daemon. The daemon's own user
needs no permission. A group goes with the user: beside `@user` it is looked up when the script is started,
alone it must be one that the daemon's own user is in.

Whether there is such a user on this host is not asked here: it may be made, or removed, between two reloads.
"""

import re
from dataclasses import dataclass, replace

from schedd.scripts.values import quoted

# What useradd(8) takes, and what directories have besides: dots, capitals, `name@domain`, `DOMAIN\name`.
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.@\\-]{0,254}\$?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Accounts:
    """Who the daemon is, and whom it may run scripts as."""

    allowed_users: tuple[str, ...] = ()
    """The setting of that name."""
    own_user: str = "schedd"
    own_groups: tuple[str, ...] | None = ()
    """None = not known."""
    may_switch: bool = True
    """The kernel lets the daemon become somebody else."""

    def elsewhere(self) -> "Accounts":
        """Return what can be said of a daemon on another host, with the same configuration."""
        return replace(self, own_groups=None, may_switch=True)

    def user(self, text: str) -> str | None:
        """Return whom a script runs as; None = the daemon's own user. Raises ValueError."""
        name = _name(text, "user")
        if name == self.own_user:
            return None
        if name not in self.allowed_users:
            advice = f"whoever runs schedd has to add {quoted(name)} to it, or remove @user"
            raise ValueError(f"{quoted(name)} is not in the setting allowed_users: {advice}")
        self._check_switch(name, "@user")
        return name

    def group(self, text: str, *, with_user: bool) -> str:
        """Return the group that a script runs in. Raises ValueError."""
        name = _name(text, "group")
        if not with_user and self.own_groups is not None and name not in self.own_groups:
            advice = "write a group of that user, or add @user"
            raise ValueError(f"{self.own_user}, as whom the script runs, is not in {quoted(name)}: {advice}")
        self._check_switch(name, "@group")
        return name

    def _check_switch(self, name: str, directive: str) -> None:
        if not self.may_switch:
            advice = f"run schedd as root, or remove {directive}"
            raise ValueError(f"schedd runs as {self.own_user} and cannot become {quoted(name)}: {advice}")


def _name(text: str, what: str) -> str:
    if text.isdecimal():
        raise ValueError(f"{quoted(text)} is a number: write the {what}'s name")
    user, _, group = text.partition(":")
    if what == "user" and _NAME.fullmatch(user) and _NAME.fullmatch(group):
        raise ValueError(f"{quoted(text)} are two: write @user {user} and @group {group}")
    if not _NAME.fullmatch(text):
        raise ValueError(f"{quoted(text)} is not a {what}'s name")
    return text
