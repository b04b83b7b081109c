"""The command line of a run, and the reason why there may be none."""

import errno
from dataclasses import dataclass

from schedd.errors import ScheddError

TRANSIENT = frozenset({errno.EMFILE, errno.ENFILE, errno.EAGAIN, errno.ENOMEM})
"""What failed for want of room, for one of these errors, may well succeed a little later."""


class CannotStartError(ScheddError):
    """A run cannot be started; the message becomes the fire's `error` (reason `spawn`)."""


@dataclass(frozen=True, slots=True)
class Tools:
    """Where to look for interpreters."""

    path: str
    """PATH of the scripts."""
    python: str | None = None
    """The configured interpreter for `.py`; None = the host's."""
    node: str | None = None
    """The configured Node.js; None = that of the extra `schedd[node]`, else the one on PATH."""
    node_cache: str = ""
    """A directory for what Node.js compiles, whose parent is there when scripts run; empty = none is kept."""
