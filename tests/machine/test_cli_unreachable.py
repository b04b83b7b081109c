"""What a person is told when there is no daemon, when it is another program, and when it wants a token."""

import asyncio
import contextlib
import os
import socket

import pytest
from aiohttp import web

from tests.api import serving
from tests.fake_control import FakeControl
from tests.machine.cli import Shell


@pytest.fixture
def shell(capsys, tmp_path, monkeypatch):
    """A person's shell: no root, and a home of its own."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", str(tmp_path))
    return Shell(capsys)


@contextlib.asynccontextmanager
async def answering(path, handler):
    """Serve one handler for everything on a Unix socket."""
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handler)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, path).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
def place(tmp_path):
    return str(tmp_path / "api.sock")


async def test_no_daemon_exits_with_3_and_says_what_to_do(shell, place):
    told = await shell.ask("list", "--socket", place)
    assert (told.code, told.out) == (3, "")
    assert told.err == (
        f"schedd: no daemon answers at {place}; see `systemctl status schedd`, "
        "or say where the daemon is with --socket or --url\n"
    )


async def test_the_socket_of_a_dead_daemon_is_no_daemon(shell, place):
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(place)
    told = await shell.ask("runs", "--socket", place)
    assert told.code == 3
    assert "no daemon answers" in told.err


async def test_a_port_where_nobody_listens_is_no_daemon(shell):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        told = await shell.ask("list", "--url", f"http://127.0.0.1:{taken.getsockname()[1]}")
    assert told.code == 3
    assert told.err.count("\n") == 1


async def test_a_connection_that_ends_early_is_no_daemon(shell, place):
    async def hang_up(_reader, writer):
        writer.close()

    async with await asyncio.start_unix_server(hang_up, place):
        told = await shell.ask("list", "--socket", place)
    assert told.code == 3
    assert "ended the connection" in told.err


async def test_what_is_not_schedd_is_named_as_such(shell, place):
    async def somebody_else(_request):
        return web.Response(text="<html>It works!</html>", status=404)

    async with answering(place, somebody_else):
        told = await shell.ask("list", "--socket", place)
    assert (told.code, told.out) == (1, "")
    assert told.err == f"schedd: what answers at {place} is not schedd (HTTP 404); check the address\n"


async def test_json_of_another_program_is_named_as_such(shell, place):
    async def somebody_else(_request):
        return web.json_response(["hello"])

    async with answering(place, somebody_else):
        for verb in ("list", "runs", "history", "next"):
            told = await shell.ask(verb, "--socket", place)
            assert told.code == 1
            assert "is not schedd" in told.err


async def test_a_redirect_is_not_followed(shell, place):
    asked = []

    async def elsewhere(request):
        asked.append(request.path)
        raise web.HTTPFound("/elsewhere")

    async with answering(place, elsewhere):
        told = await shell.ask("list", "--socket", place)
    assert told.code == 1
    assert asked == ["/api/v1/exec/schedules/list"]


async def test_over_http_a_token_is_wanted_and_its_absence_explained(shell, tmp_path):
    async with serving(tmp_path, FakeControl()) as api:
        told = await shell.ask("list", "--url", api.bound.url)
    assert told.code == 1
    assert told.err == (
        f"schedd: the daemon at {api.bound.url} wants a token: put it into SCHEDD_TOKEN "
        "(`schedd token add NAME` on the daemon's host makes one)\n"
    )


async def test_over_http_the_token_comes_from_the_environment_or_a_file(shell, tmp_path, monkeypatch):
    async with serving(tmp_path, FakeControl()) as api:
        monkeypatch.setenv("SCHEDD_URL", api.bound.url)
        monkeypatch.setenv("SCHEDD_TOKEN", api.admin)
        assert (await shell.ask("list")).code == 0
        monkeypatch.delenv("SCHEDD_TOKEN")
        (tmp_path / "token").write_text(f"{api.admin}\n")
        assert (await shell.ask("list", "--token-file", str(tmp_path / "token"))).code == 0


async def test_a_wrong_token_is_said_to_be_unknown_and_never_shown(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("SCHEDD_TOKEN", "schedd_wrong")
    async with serving(tmp_path, FakeControl()) as api:
        told = await shell.ask("list", "--url", api.bound.url)
    assert told.code == 1
    assert told.err == (
        f"schedd: the daemon at {api.bound.url} does not know the token "
        "(`schedd token add NAME` on the daemon's host makes one)\n"
    )
    assert "schedd_wrong" not in told.err + told.out


async def test_a_token_file_that_holds_something_else_is_refused_unsent(shell, tmp_path):
    (tmp_path / "token").write_text("two words\nand a header: x")
    told = await shell.ask("list", "--url", "http://127.0.0.1:9", "--token-file", str(tmp_path / "token"))
    assert told.code == 1
    assert "something else than a token" in told.err
    assert "two words" not in told.err


@pytest.mark.parametrize("url", ["127.0.0.1:8173", "ftp://a", "http://", "http://u:p@host", "http://a/?b"])
def test_a_malformed_url_is_a_usage_error(shell, url):
    assert shell.run("list", "--url", url).code == 2


def test_a_socket_and_a_url_exclude_each_other(shell):
    assert shell.run("list", "--url", "http://127.0.0.1:1", "--socket", "/s").code == 2


async def test_the_socket_is_the_one_of_the_configuration(shell, tmp_path, place, monkeypatch):
    monkeypatch.setenv("SCHEDD_CONFIG", str(tmp_path / "c.toml"))
    (tmp_path / "c.toml").write_text(f'socket = "{place}"\n')
    assert place in (await shell.ask("list")).err


async def test_a_person_with_a_daemon_of_their_own_means_that_one(shell, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    os.mkdir(tmp_path / "schedd")
    (tmp_path / "schedd" / "api.sock").touch()
    assert f"{tmp_path}/schedd/api.sock" in (await shell.ask("list")).err


async def test_without_a_socket_the_tcp_address_is_asked(shell, monkeypatch):
    monkeypatch.setenv("SCHEDD_SOCKET", "")
    monkeypatch.setenv("SCHEDD_LISTEN", "127.0.0.1:9")
    assert "http://127.0.0.1:9" in (await shell.ask("list")).err


async def test_a_broken_configuration_does_not_matter_when_the_socket_is_given(shell, place, monkeypatch):
    monkeypatch.setenv("SCHEDD_GRACE", "nonsense")
    assert (await shell.ask("list")).code == 2
    assert (await shell.ask("list", "--socket", place)).code == 3
