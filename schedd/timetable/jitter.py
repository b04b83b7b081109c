"""Jitter: a small offset that keeps a thousand scripts on one expression from starting in the same second.

It is drawn from a hash of the script's path, and so is the same for ever: each night's run starts at the
same time as last night's, a restart or a reload moves nothing, and a preview is right. Fresh dice at each
fire, as systemd's RandomizedDelaySec throws them, were rejected: nobody could say beforehand when a slot is
due, nor afterwards whether one was lost.
"""

import hashlib
from typing import Final

from schedd.errors import TimetableError

MAX_S: Final = 86_400
"""A day: more would move a slot out of the week and the month that its expression names."""


def offset_s(seed: str, most_s: int) -> int:
    """Return by how much the slots of a script are moved: whole seconds from 0 to below `most_s`.

    `seed` is the script's relative path. Raises TimetableError if `most_s` is not within 1 s and a day.
    """
    if not 1 <= most_s <= MAX_S:
        raise TimetableError(f"A jitter of {most_s} s is not within 1 s and {MAX_S} s")
    digest = hashlib.sha256(seed.encode(errors="surrogatepass")).digest()
    return int.from_bytes(digest[:8]) % most_s
