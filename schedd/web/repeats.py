"""Idempotency keys: the same question asked twice starts one fire.

A client that lost its connection cannot know whether its trigger arrived. With an `Idempotency-Key` it asks
again and gets the fire that there is. The keys are kept where the fires are, in the ledger, so a restart
between the two questions changes nothing.

What is kept is a hash of the caller's name and the key. Two clients that both count from 1 do not meet, and a
key in which somebody has put a secret is not on our disk.
"""

import hashlib

from schedd.web import answers
from schedd.web.auth import Caller

MAX_KEY_CHARS = 255
DIGEST_BYTES = 16


def key_of(caller: Caller, header: str | None) -> str | None:
    """Return what this caller's key is kept as; None when none was sent.

    Raises AnswerError (400) unless it is 1 to 255 printable ASCII characters.
    """
    if header is None:
        return None
    if not (0 < len(header) <= MAX_KEY_CHARS and header.isascii() and header.isprintable()):
        raise answers.invalid(f"Idempotency-Key must be 1 to {MAX_KEY_CHARS} printable ASCII characters")
    named = f"{caller.name}\0{header}".encode()
    return hashlib.blake2b(named, digest_size=DIGEST_BYTES).hexdigest()
