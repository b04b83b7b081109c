"""The sockets: where they are bound, with which mode, what is refused, and how they close."""

import asyncio
import os
import socket
import ssl
import stat
from pathlib import Path

import aiohttp
import pytest

from schedd.errors import ConfigError, StateError
from schedd.fire import Outcome, Status
from schedd.web import app, server
from schedd.web.auth import Access
from schedd.web.tokens import TokenFile
from tests.api import SCHEDULES, serving
from tests.fake_control import NOW_MS, FakeControl


def built(state_dir: Path) -> app.web.Application:
    return app.build(FakeControl(), Access(TokenFile(str(state_dir))))


async def status_of(url: str) -> int:
    async with aiohttp.ClientSession() as session, session.get(url) as response:
        return response.status


@pytest.mark.parametrize(
    ("host", "shown"), [("127.0.0.1", "127.0.0.1"), ("::1", "[::1]"), ("localhost", "localhost")]
)
async def test_port_0_takes_a_free_one_and_says_which(tmp_path: Path, host: str, shown: str) -> None:
    async with server.serve(built(tmp_path), host=host) as bound:
        assert bound.port
        assert bound.url == f"http://{shown}:{bound.port}"
        assert await status_of(f"{bound.url}/healthz") == 200


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1"])
async def test_an_address_beyond_loopback_is_refused_with_the_remedy(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="set behind_proxy = true"):
        async with server.serve(built(tmp_path), host=host):
            pass


async def test_behind_a_declared_proxy_any_address_will_do(tmp_path: Path) -> None:
    async with server.serve(built(tmp_path), host="0.0.0.0", behind_proxy=True) as bound:
        assert await status_of(f"http://127.0.0.1:{bound.port}/healthz") == 200


async def test_with_tls_any_address_will_do(tmp_path: Path) -> None:
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    async with server.serve(built(tmp_path), host="0.0.0.0", tls=tls) as bound:
        assert (bound.url or "").startswith("https://0.0.0.0:")


@pytest.mark.parametrize("host", ["no.such.host.invalid", "256.1.1.1", "é" * 70])
async def test_a_host_that_is_none_is_named(tmp_path: Path, host: str) -> None:
    with pytest.raises(ConfigError, match="cannot listen on"):
        async with server.serve(built(tmp_path), host=host):
            pass


async def test_a_port_in_use_is_named(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(
            StateError, match=f"cannot listen on 127.0.0.1:{port}: another program listens there"
        ):
            async with server.serve(built(tmp_path), host="127.0.0.1", port=port):
                pass


async def test_a_second_server_cannot_take_the_same_port(tmp_path: Path) -> None:
    async with server.serve(built(tmp_path), host="127.0.0.1") as bound:
        with pytest.raises(StateError, match="another program listens there"):
            async with server.serve(built(tmp_path), host="127.0.0.1", port=bound.port or 0):
                pass


async def test_the_unix_socket_has_its_mode_whatever_the_umask(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        async with server.serve(built(tmp_path), socket_path=str(tmp_path / "s")):
            assert stat.S_IMODE((tmp_path / "s").stat().st_mode) == 0o660
    finally:
        os.umask(old)


async def test_the_unix_socket_is_gone_at_the_end(tmp_path: Path) -> None:
    async with server.serve(built(tmp_path), socket_path=str(tmp_path / "s")) as bound:
        assert bound == server.Bound(host=None, port=None, url=None, socket_path=str(tmp_path / "s"))
    assert os.listdir(tmp_path) == []


async def test_a_stale_socket_is_replaced(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(path)
    async with server.serve(built(tmp_path), socket_path=path):
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        await writer.wait_closed()


async def test_a_live_socket_is_refused_and_lives_on(tmp_path: Path) -> None:
    path = str(tmp_path / "s")
    async with server.serve(built(tmp_path), socket_path=path):
        with pytest.raises(StateError, match="another daemon answers on"):
            async with server.serve(built(tmp_path), socket_path=path):
                pass
        _, writer = await asyncio.open_unix_connection(path)
        writer.close()
        await writer.wait_closed()


async def test_a_socket_that_another_daemon_put_there_meanwhile_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "s"
    async with server.serve(built(tmp_path), socket_path=str(path)):
        path.unlink()
        path.touch()
    assert path.exists()


async def test_a_file_that_is_no_socket_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("mine")
    with pytest.raises(ConfigError, match="is there and is not a socket"):
        async with server.serve(built(tmp_path), socket_path=str(tmp_path / "notes")):
            pass
    assert (tmp_path / "notes").read_text() == "mine"


@pytest.mark.parametrize(("name", "kind"), [("x" * 200, ConfigError), ("nowhere/s", StateError)])
async def test_a_path_that_cannot_be_a_socket_is_one_sentence(
    tmp_path: Path, name: str, kind: type[Exception]
) -> None:
    with pytest.raises(kind, match=name):
        async with server.serve(built(tmp_path), socket_path=str(tmp_path / name)):
            pass


async def test_a_failed_start_leaves_nothing_behind(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(StateError):
            async with server.serve(
                built(tmp_path), host="127.0.0.1", port=port, socket_path=str(tmp_path / "s")
            ):
                pass
    assert os.listdir(tmp_path) == []


async def test_a_request_in_flight_is_answered_before_the_sockets_close(tmp_path: Path) -> None:
    control = FakeControl()
    control.register("a.py")
    control.ends_at_once = None
    async with serving(tmp_path, control) as api:
        waiting = asyncio.ensure_future(api.trigger("a.py"))
        await control.triggered.wait()
        (run,) = control.runs()
        asyncio.get_running_loop().call_later(
            0.05, control.end, run.fire.run_id, Outcome(status=Status.OK, ended_ms=NOW_MS)
        )
    assert (await waiting).status == 200


async def test_closing_is_bounded_though_a_fire_never_ends(tmp_path: Path) -> None:
    control = FakeControl()
    control.register("a.py")
    control.ends_at_once = None
    loop = asyncio.get_running_loop()
    async with serving(tmp_path, control) as api:
        waiting = asyncio.ensure_future(api.trigger("a.py"))
        await control.triggered.wait()
        began_s = loop.time()
    took_s = loop.time() - began_s
    with pytest.raises(aiohttp.ClientError):
        await waiting
    assert took_s < 1.0
    (run,) = control.runs()
    assert run.fire.script == "a.py"


async def test_connections_beyond_the_limit_are_cut_but_not_those_of_the_unix_socket(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schedd.web.server.MAX_CONNECTIONS", 2)
    async with serving(tmp_path, unix=True) as api:
        open_ones = [await asyncio.open_connection("127.0.0.1", api.bound.port) for _ in range(2)]
        assert await api.raw(b"") == b""
        reader, writer = await asyncio.open_unix_connection(api.bound.socket_path or "")
        writer.write(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert (await reader.readline()).startswith(b"HTTP/1.0 200")
        for _, each in [*open_ones, (reader, writer)]:
            each.close()
            await each.wait_closed()


async def test_an_idle_connection_does_not_hold_up_the_end(tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    async with serving(tmp_path) as api:
        await api.get(f"{SCHEDULES}/list")
        reader, writer = await asyncio.open_connection("127.0.0.1", api.bound.port)
        began_s = loop.time()
    assert loop.time() - began_s < 0.3
    assert await reader.read() == b""
    writer.close()
    await writer.wait_closed()
