"""The sockets: TCP and the Unix socket, opened in order and closed in order.

`serve` binds before it promises anything, so that a port in use is one clear sentence at the start. The
Unix socket is bound under another name, given its mode, and then moved to its place: nobody can connect
before the mode holds, and a stale file of a daemon that was killed is replaced in the same step. A live one
is refused (the lock on the state directory is the real guard; this one names the socket).

aiohttp answers in plain text what it cannot even parse, and what a handler did not expect; `_Conversation`
gives both our form of errors. It is also why nothing in this package catches `Exception`: aiohttp does, at
the very bottom, and calls us.
"""

import asyncio
import contextlib
import errno
import ipaddress
import logging
import os
import socket
import ssl
import stat
from collections.abc import AsyncIterator, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from aiohttp import HttpVersion11, web

from schedd.errors import ConfigError, StateError
from schedd.web import answers, gate, shortcut, state
from schedd.web.answers import AnswerError
from schedd.web.control import Phase

LOG = logging.getLogger(__name__)

SOCKET_MODE = 0o660
BACKLOG = 128
STOP_S = 5.0
"""How long requests in flight may take to end once the sockets close."""
KEEPALIVE_S = 75.0
LINGER_S = 2.0
"""How long the rest of a refused body is read, so that the client sees the refusal."""
PROBE_S = 1.0
UNHEARD_TURNS = 50
TURN_S = 0.01
"""How often is looked, before sockets that live on are left, whether everybody who is connected has asked: a
client that finds its new connection cut cannot tell that from a daemon that is not there."""
STARTING_TURN_S = 0.05
ANSWERED_AT_ONCE = frozenset({"/healthz", "/readyz", "/api/v1/exec/health"})
"""With socket activation a request may be what starts the daemon. It waits until that is up; these do not."""
MAX_CONNECTIONS = 512
"""Each is a descriptor that a run cannot have."""

_SUN_PATH_BYTES = 107
_NEW = ".new"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """Where the API can be reached."""

    host: str | None
    port: int | None
    """The real one, also when 0 was asked for."""
    url: str | None
    socket_path: str | None


@contextlib.asynccontextmanager
async def serve(
    app: web.Application,
    *,
    host: str | None = None,
    port: int = 0,
    socket_path: str | None = None,
    tls: ssl.SSLContext | None = None,
    behind_proxy: bool = False,
    passed: Iterable[socket.socket] = (),
    stop_s: float = STOP_S,
) -> AsyncIterator[Bound]:
    """Serve an application while the context is open.

    Args:
        app: what `app.build` returned.
        host: the address to listen on; None = no TCP.
        port: 0 = a free one.
        socket_path: of the Unix socket; None = none.
        tls: makes TCP speak HTTPS.
        behind_proxy: a proxy with TLS stands before it, so that it may listen beyond loopback.
        passed: sockets that somebody else has bound and keeps (systemd's activation), instead of `host`
            and `port`, or of `socket_path`. With them requests wait until the daemon is up.
        stop_s: how long requests in flight may take to end.

    Raises:
        ConfigError: an address that cannot be, or one beyond loopback without `tls` or `behind_proxy`.
        StateError: the address or the socket is taken, or may not be used.
    """
    runner = _Runner(
        app,
        patient=bool(given := list(passed)),
        access_log=None,
        logger=LOG,
        keepalive_timeout=KEEPALIVE_S,
        lingering_time=LINGER_S,
        # aiohttp waits twice: for the handlers, and once more after it has cut their bodies.
        shutdown_timeout=stop_s / 2,
        auto_decompress=False,
    )
    async with contextlib.AsyncExitStack() as stack:
        sockets = [sock for sock in given if sock.family != socket.AF_UNIX]
        locals_ = [sock for sock in given if sock.family == socket.AF_UNIX]
        guarded = tls is not None or behind_proxy
        if sockets:
            host = _address_of(sockets, guarded=guarded)
        elif host is not None:
            sockets = await _tcp(host, port, guarded=guarded)
        if locals_:
            socket_path = locals_[0].getsockname()
        elif socket_path is not None:
            locals_ = [stack.enter_context(_unix(socket_path))]
        for sock in sockets:
            stack.callback(sock.close)
        await runner.setup()
        stack.push_async_callback(_stop, runner, app, given)
        for sock in sockets:
            await web.SockSite(runner, sock, ssl_context=tls, backlog=BACKLOG).start()
        for sock in locals_:
            await web.SockSite(runner, sock, backlog=BACKLOG).start()
        yield _bound(host, sockets, socket_path, secure=tls is not None)


class _Runner(web.AppRunner):
    """An AppRunner whose connections are `_Conversation`s."""

    def __init__(self, app: web.Application, *, patient: bool, **options: Any) -> None:
        super().__init__(app, **options)
        self._patient = patient

    async def hear_out(self, passed: Iterable[socket.socket]) -> None:
        """Accept no more on sockets that live on, and wait for the requests of who was accepted by then.

        Closing them does not do: asyncio drops what it has accepted and not yet given a transport.
        """
        loop, server = asyncio.get_running_loop(), self.server
        assert isinstance(server, _Server)
        for sock in passed:
            loop.remove_reader(sock)
        for _ in range(UNHEARD_TURNS):
            await asyncio.sleep(TURN_S)
            if server.has_heard_all():
                return

    async def _make_server(self) -> web.Server:
        plain = await super()._make_server()
        return _Server(plain, self.app[state.STATE], self._kwargs, patient=self._patient)


class _Server(web.Server):
    def __init__(
        self, plain: web.Server, here: state.State, options: dict[str, Any], *, patient: bool
    ) -> None:
        super().__init__(self._answer, request_factory=plain.request_factory, handler_cancellation=False)
        self._plain = plain.request_handler
        self._here = here
        self._shortcut = shortcut.Shortcut(here)
        self._options = options
        self._patient = patient

    def __call__(self) -> web.RequestHandler:
        return _Conversation(self, self._here, loop=asyncio.get_running_loop(), **self._options)

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        """Cut TCP connections beyond the limit; the Unix socket, which is guarded, stays open to people."""
        super().connection_made(handler, transport)
        family = transport.get_extra_info("socket").family
        if len(self._connections) > MAX_CONNECTIONS and family != socket.AF_UNIX:
            LOG.debug("cut a connection: there are %d already", MAX_CONNECTIONS)
            transport.abort()

    def has_heard_all(self) -> bool:
        """Whether nobody is connected who has not said anything yet."""
        return all(handler.heard for handler in self.connections if isinstance(handler, _Conversation))

    async def _answer(self, request: Any) -> web.StreamResponse:
        """Answer what aiohttp refuses before any middleware: an `Expect` that is not `100-continue`.

        aiohttp repeats it in its refusal, and fails at bytes that are no text.
        """
        if (ready := self._shortcut.answer(request)) is not None:
            return ready
        if self._patient and request.path not in ANSWERED_AT_ONCE:
            await self._started()
        expected = request.headers.get("Expect", "") if request.version >= HttpVersion11 else ""
        if expected and expected.lower() != "100-continue":
            failure = answers.invalid("this Expect cannot be met: only 100-continue can")
            return answers.failed(failure, now_ms=self._here.control.now_ms())
        return await self._plain(request)

    async def _started(self) -> None:
        """Wait until the daemon is up; starting is short, and nobody else asks for the moment."""
        here = self._here
        while here.control.health().phase is Phase.STARTING and not here.closing.is_set():  # noqa: ASYNC110
            await asyncio.sleep(STARTING_TURN_S)


class _Conversation(shortcut.Conversation):
    """One connection. Answers what no handler could, in the form of all errors."""

    __slots__ = ("_here", "heard")

    def __init__(self, server: web.Server, here: state.State, **options: Any) -> None:
        super().__init__(server, **options)
        self._here = here
        self.heard = False
        self.known = None

    def data_received(self, data: bytes) -> None:
        """Take what the client sent."""
        self.heard = True
        super().data_received(data)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 # has what the client sent; it knows that
    ) -> web.StreamResponse:
        """Answer 400 to what is not HTTP, and 500, with its traceback in the log, to what nobody expected."""
        if status < 500:
            LOG.debug("not HTTP from %s: %s", request.remote, exc)
            error = AnswerError(400, "this is not a well-formed HTTP request", close=True)
        else:
            LOG.error("unexpected error in %s %s", request.method, request.path, exc_info=exc)
            error = AnswerError(500, "Internal server error", close=True)
        if request.writer.output_size > 0:
            raise ConnectionResetError("the answer had begun: the connection is cut so that this shows")
        response = answers.failed(error, now_ms=self._here.control.now_ms())
        response.headers.update(gate.SECURITY_HEADERS)
        return response


async def _stop(runner: _Runner, app: web.Application, passed: list[socket.socket]) -> None:
    """Refuse new work, end the streams, wait for what is in flight, close the sockets."""
    app[state.STATE].closing.set()
    if passed:
        await runner.hear_out(passed)
    await runner.cleanup()


async def _tcp(host: str, port: int, *, guarded: bool) -> list[socket.socket]:
    """Return bound sockets for all addresses of a host; they share one port, also when it is a free one."""
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"cannot listen on {where}: {host} is no address of this host ({error})") from error
    addresses = list(dict.fromkeys((family, address) for family, _, _, _, address in found))
    if not guarded:
        _check_loopback(where, [str(address[0]) for _, address in addresses])
    sockets: list[socket.socket] = []
    for family, address in addresses:
        try:
            sockets.append(_bind(family, (address[0], port, *address[2:])))
        except OSError as error:
            for sock in sockets:
                sock.close()
            raise StateError(_why_not(where, error)) from error
        port = sockets[0].getsockname()[1]
    return sockets


def _address_of(sockets: list[socket.socket], *, guarded: bool) -> str:
    """Return the address of sockets that were passed, after the same question as of our own."""
    addresses = [str(sock.getsockname()[0]) for sock in sockets]
    if not guarded:
        _check_loopback(f"{addresses[0]} (passed by systemd)", addresses)
    for sock in sockets:
        sock.setblocking(False)  # noqa: FBT003 # not our signature
    return addresses[0]


def _check_loopback(where: str, addresses: list[str]) -> None:
    if not all(map(_is_loopback, addresses)):
        raise ConfigError(
            f"will not listen on {where}: other hosts can reach it and it is not encrypted; set tls_cert, "
            "put a proxy with TLS before it and set behind_proxy = true, or listen on 127.0.0.1"
        )


def _bind(family: int, address: tuple[Any, ...]) -> socket.socket:
    sock = socket.socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)  # noqa: FBT003 # not our signature
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(address)
        # Not only when the site starts: a port that is merely bound lets a second daemon bind it, too.
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _why_not(where: str, error: OSError) -> str:
    match error.errno:
        case errno.EADDRINUSE:
            hint = "another program listens there; choose another port, or 0 for a free one"
        case errno.EACCES:
            hint = "no permission; ports below 1024 need CAP_NET_BIND_SERVICE"
        case errno.EADDRNOTAVAIL:
            hint = "this host does not have that address"
        case _:
            hint = error.strerror or str(error)
    return f"cannot listen on {where}: {hint}"


@contextlib.contextmanager
def _unix(path: str) -> Iterator[socket.socket]:
    """Bind the Unix socket with its mode already on; remove the file at the end if it is still ours."""
    _check_path(path)
    new = path + _NEW
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(new)
        sock.setblocking(False)  # noqa: FBT003 # not our signature
        sock.bind(new)
        os.chmod(new, SOCKET_MODE)
        sock.listen(BACKLOG)
        os.rename(new, path)
    except OSError as error:
        sock.close()
        with contextlib.suppress(OSError):
            os.unlink(new)
        raise StateError(f"cannot make the socket {path}: {error.strerror or error}") from error
    ours = os.stat(path)
    try:
        yield sock
    finally:
        sock.close()
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.stat(path), ours):
                os.unlink(path)


def _check_path(path: str) -> None:
    """Refuse a path that cannot be a socket, is something else, or belongs to a daemon that lives."""
    if len(os.fsencode(path + _NEW)) > _SUN_PATH_BYTES:
        most = _SUN_PATH_BYTES - len(_NEW)
        raise ConfigError(f"the path of the socket is too long, at most {most} bytes can be used: {path}")
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise StateError(f"cannot make the socket {path}: {error.strerror}") from error
    if not stat.S_ISSOCK(mode):
        raise ConfigError(f"{path} is there and is not a socket: choose another path, or remove it")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(PROBE_S)
        try:
            probe.connect(path)
        except (ConnectionRefusedError, FileNotFoundError):
            return
        except OSError as error:
            raise StateError(f"cannot replace the socket {path}: {error.strerror or error}") from error
    raise StateError(f"another daemon answers on {path}: stop it first, or choose another path")


def _is_loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback


def _bound(host: str | None, sockets: list[socket.socket], socket_path: str | None, *, secure: bool) -> Bound:
    if not sockets:
        return Bound(host=None, port=None, url=None, socket_path=socket_path)
    port = sockets[0].getsockname()[1]
    shown = f"[{host}]" if host is not None and ":" in host else host
    url = f"{'https' if secure else 'http'}://{shown}:{port}"
    return Bound(host=host, port=port, url=url, socket_path=socket_path)
