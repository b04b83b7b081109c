"""Where the daemon is that a verb talks to.

Flags first, then SCHEDD_URL, then the socket that the configuration names; with no socket, its TCP
address. A person who is not root and runs no daemon of their own means the host's. The token never stands
on the command line, where every user of the host could read it.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import click

from schedd import config
from schedd.config import places
from schedd.errors import ScheddError

TOKEN_CHARS = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A daemon's Unix socket, or its address and perhaps a token."""

    socket: str | None = None
    url: str | None = None
    token: str | None = field(default=None, repr=False)

    def __str__(self) -> str:
        return self.socket or self.url or ""


def find(*, socket: str | None, url: str | None, token_file: str | None) -> Target:
    """Return where to ask.

    Raises click.UsageError for flags that contradict each other or are malformed, ConfigError for a broken
    configuration (only when it is needed), ScheddError for a token file that cannot be read.
    """
    environ = os.environ
    if socket is not None and url is not None:
        raise click.UsageError("--socket and --url exclude each other; give one.")
    if socket is not None:
        return Target(socket=os.path.abspath(socket))
    url = url or environ.get("SCHEDD_URL") or None
    if url is not None:
        return Target(url=_checked(url), token=_token(environ, token_file))
    return _configured(environ, token_file)


def _configured(environ: Mapping[str, str], token_file: str | None) -> Target:
    settings = config.load(environ=environ, optional=True)
    own = settings.socket
    if own is None and settings.listen is not None:
        return Target(url=f"http://{settings.listen}", token=_token(environ, token_file))
    hosts = places.SYSTEM.defaults["socket"]
    usual = settings.origins["socket"].source.startswith(config.DEFAULT)
    if own is None or (usual and not os.path.exists(own) and os.path.exists(hosts)):
        return Target(socket=hosts)
    return Target(socket=own)


def _checked(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.query or parts.fragment:
        raise click.UsageError(
            f"{url!r} is not the address of a daemon; write it like http://127.0.0.1:8173."
        )
    if parts.username is not None or parts.password is not None:
        raise click.UsageError("A URL carries no credentials here; put the token into SCHEDD_TOKEN.")
    return url.rstrip("/")


def _token(environ: Mapping[str, str], token_file: str | None) -> str | None:
    if token_file is None and environ.get("SCHEDD_TOKEN"):
        return _clean(environ["SCHEDD_TOKEN"], "SCHEDD_TOKEN")
    path = token_file or environ.get("SCHEDD_TOKEN_FILE")
    if not path:
        return None
    try:
        with open(path, encoding="ascii") as file:
            return _clean(file.read(TOKEN_CHARS), path)
    except OSError as problem:
        raise ScheddError(f"{path}: the token cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise ScheddError(f"{path}: holds something else than a token") from None


def _clean(text: str, origin: str) -> str:
    token = text.strip()
    if not token or not token.isascii() or not token.isprintable() or " " in token:
        raise ScheddError(
            f"{origin}: holds something else than a token, which is one word of letters and digits"
        )
    return token
