"""Who changed what will happen: one line in the journal for each act that came in over the API.

The ledger has the act itself; this line has the token or the user behind it, where an operator looks first.
A trigger has its line where the fire is made, together with its id.
"""

import logging

from schedd.fire import Fire
from schedd.host.journald import about
from schedd.web.auth import Caller

LOG = logging.getLogger("schedd")


def tell(caller: Caller, act: str, *, script: str | None = None, fire: Fire | None = None) -> None:
    """Log that a caller does this; `act` goes on after their name: `pauses all scripts`."""
    who = caller.name if caller.token is None else f"token {caller.name}"
    LOG.info("%s %s", who, act, extra=about(fire=fire, script=script))
