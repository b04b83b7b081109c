"""Reads what schedd sends to journald, independently of how it was written."""

import struct


def parsed(datagram: bytes) -> dict[str, str]:
    """Read one entry as journald does."""
    fields, rest = {}, datagram
    while rest:
        line, _, rest = rest.partition(b"\n")
        name, equals, value = line.partition(b"=")
        if not equals:
            (size,) = struct.unpack("<Q", rest[:8])
            value, rest = rest[8 : 8 + size], rest[8 + size + 1 :]
        fields[name.decode()] = value.decode()
    return fields
