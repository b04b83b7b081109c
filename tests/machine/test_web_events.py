"""`GET /events`: who listens is told what happens, once, in order, and only of what they may see."""

import asyncio
import json
import socket
from pathlib import Path

import aiohttp
import pytest

from schedd.fire import Outcome, RunId, Status
from schedd.ledger import facts
from schedd.schedule import Lock
from schedd.web import events, listeners, state, tokens
from schedd.web import feed as feed_
from schedd.web.control import Phase
from tests.api import DEADLINE_S, RUNS, is_error, serving
from tests.fake_control import NOW_MS
from tests.machine.listening import EVENTS, feed_of, line, listening, numbers, publish


async def test_the_first_event_says_where_the_listener_stands(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        publish(api, line(7))
        async with listening(api) as listener:
            hello = await listener.until("hello")
    assert hello.id == hello.data.pop("position") == f"{line(7).run_id}.0"
    assert hello.data == {
        "now": "2026-11-24T10:00:00.123Z",
        "version": "0.1.0",
        "host": "here",
        "resumed": False,
    }


async def test_a_run_is_told_of_when_it_starts_and_when_it_ends(tmp_path: Path) -> None:
    async with serving(tmp_path) as api, listening(api) as listener:
        api.control.register("a.py")
        api.control.ends_at_once = None
        run_id = RunId((await api.trigger("a.py", wait=False)).body["runId"])
        feed_of(api).started(run_id)
        listed = (await api.get(RUNS)).body["runs"]
        entry = api.control.end(run_id, Outcome(status=Status.OK, ended_ms=NOW_MS, duration_ms=12))
        feed_of(api).published(entry)
        started, ended = await listener.until("started"), await listener.next()
    assert [started.data] == listed
    assert ended is not None
    assert ended.name == "ended"
    assert ended.data == json.loads(facts.encode(entry))


async def test_ids_tell_the_newest_line_and_the_starts_since(tmp_path: Path) -> None:
    async with serving(tmp_path) as api, listening(api) as listener:
        publish(api, line(1))
        api.control.register("a.py")
        api.control.ends_at_once = None
        for _ in range(2):
            feed_of(api).started(RunId((await api.trigger("a.py", wait=False)).body["runId"]))
        found = [await listener.until("ended"), await listener.next(), await listener.next()]
    assert [event and event.id for event in found] == [f"{line(1).run_id}.{n}" for n in range(3)]


async def test_what_changed_twice_in_a_second_is_told_once_as_the_list_has_it(tmp_path: Path) -> None:
    async with serving(tmp_path) as api, listening(api) as listener:
        await listener.until("hello")
        api.control.register("a.py", label="A")
        for _ in range(5):
            feed_of(api).heard(facts.KeptUp(at=NOW_MS, path="a.py"))
        told = await listener.until("schedule")
        feed_of(api).published(line(1))
        behind = await listener.next()
        assert behind is not None
        assert behind.name == "ended"
        assert told.data == (await api.list())["schedules"][0]


async def test_a_script_that_is_no_longer_registered_is_gone(tmp_path: Path) -> None:
    async with serving(tmp_path) as api, listening(api) as listener:
        await listener.until("hello")
        feed_of(api).heard(facts.Unregistered(at=NOW_MS, path="a.py"))
        assert (await listener.until("gone")).data == {"scriptRel": "a.py"}


async def test_a_reload_tells_of_the_scripts_whose_headers_changed(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        before = {script: api.control.register(script) for script in ("a.py", "b.py")}
        feed_of(api).reloaded(before)
        async with listening(api) as listener:
            await listener.until("hello")
            changed = api.control.register("b.py", label="B")
            feed_of(api).reloaded(before | {"b.py": changed})
            assert (await listener.until("schedule")).data["name"] == "B"


async def test_who_shares_a_lock_is_told_of_when_it_is_taken(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        lock = Lock("database")
        names = ("a.py", "b.py")
        shared = {script: api.control.register(script, lock=lock) for script in names}
        feed_of(api).reloaded(shared | {"c.py": api.control.register("c.py")})
        async with listening(api) as listener:
            await listener.until("hello")
            feed_of(api).heard(facts.Ended(entry=line(1, "a.py")))
            told = [await listener.until("schedule") for _ in names]
    assert [event.data["scriptRel"] for event in told] == ["a.py", "b.py"]


async def test_a_pause_of_all_is_told_and_changes_every_script(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        feed_of(api).reloaded({script: api.control.register(script) for script in ("a.py", "b.py")})
        async with listening(api) as listener:
            await listener.until("hello")
            await api.control.pause(None, note="moving", until_ms=None, by="kim")
            feed_of(api).heard(facts.Paused(at=NOW_MS, by="kim", note="moving"))
            pauses = await listener.until("pauses")
            told = [await listener.until("schedule") for _ in range(2)]
    assert [pause["note"] for pause in pauses.data["pauses"]] == ["moving"]
    assert [event.data["scriptRel"] for event in told] == ["a.py", "b.py"]


async def test_the_health_is_told_when_it_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feed_, "LOOK_S", 0.01)
    async with serving(tmp_path) as api, listening(api) as listener:
        await listener.until("hello")
        api.control.not_ready = ("the disk is full",)
        told = await listener.next()
    assert told is not None
    assert (told.name, told.data) == (
        "health",
        {"ready": False, "reasons": ["the disk is full"], "phase": "running"},
    )


async def test_a_limited_token_hears_of_its_scripts_only(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("shop", "read", scripts="shop/*")
        async with listening(api, token=token) as listener, listening(api) as other:
            publish(api, line(1, "a.py"), line(2, "shop/b.py"), line(3, "a.py"), line(4, "shop/c.py"))
            seen = [await listener.until("ended") for _ in range(2)]
            all_ = [await other.until("ended") for _ in range(4)]
    assert (numbers(seen), numbers(all_)) == ([2, 4], [1, 2, 3, 4])


async def test_a_limited_token_hears_of_its_pauses_and_that_of_all(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("shop", "read", scripts="shop/*")
        async with listening(api, token=token) as listener:
            await listener.until("hello")
            for script in ("a.py", "shop/b.py"):
                api.control.register(script)
                await api.control.pause(script, note=None, until_ms=None, by="kim")
            await api.control.pause(None, note=None, until_ms=None, by="kim")
            feed_of(api).heard(facts.Paused(at=NOW_MS, by="kim"))
            told = (await listener.until("pauses")).data
    assert [pause["scriptPath"] for pause in told["pauses"]] == [None, "shop/b.py"]


async def test_the_link_is_pinged_and_the_ping_says_how_far_it_has_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(listeners, "PING_S", 0.01)
    monkeypatch.setattr(feed_, "LOOK_S", 0.01)
    async with serving(tmp_path) as api:
        token = api.token("shop", "read", scripts="shop/*")
        async with listening(api, token=token) as listener:
            publish(api, line(1, "a.py"), line(2, "shop/b.py"), line(3, "a.py"))
            await listener.until("ended")
            await listener.response.content.readuntil(f": ping\nid: {line(3).run_id}.0\n".encode())


async def test_a_revoked_token_hears_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listeners, "PING_S", 0.01)
    monkeypatch.setattr(feed_, "LOOK_S", 0.01)
    async with serving(tmp_path) as api:
        token = api.token("guest", "read")
        async with listening(api, token=token) as listener, listening(api) as other:
            await listener.until("hello")
            tokens.revoke(str(tmp_path), "guest")
            assert await listener.rest() == []
            publish(api, line(1))
            assert numbers([await other.until("ended")]) == [1]


@pytest.mark.parametrize("bound", ["MAX_LEFT_BYTES", "MAX_ALL_LEFT_BYTES"])
async def test_who_reads_nothing_is_cut_and_the_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    monkeypatch.setattr(listeners, bound, 64 * 1024)
    monkeypatch.setattr(listeners, "GATHER_S", 0)
    async with serving(tmp_path) as api, listening(api) as listener:
        with socket.create_connection(("127.0.0.1", api.bound.port or 0)) as deaf:
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            ask = f"GET {EVENTS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {api.admin}\r\n\r\n"
            deaf.sendall(ask.encode())
            deaf.setblocking(False)
            present = api.app[state.STATE].events.listeners
            async with asyncio.timeout(DEADLINE_S):
                await asyncio.get_running_loop().sock_recv(deaf, 1)
                sent = 0
                while len(present) > 1:
                    sent += 500
                    publish(api, *(line(n, error="x" * 500) for n in range(sent - 499, sent + 1)))
                    assert numbers([await listener.until("ended") for _ in range(500)])[-1] == sent


async def test_who_is_too_far_behind_is_cut_and_not_told_of_half(tmp_path: Path) -> None:
    async with serving(tmp_path) as api, listening(api) as listener:
        await listener.until("hello")
        publish(api, *(line(n) for n in range(feed_.KEPT + 1)))
        with pytest.raises(aiohttp.ClientError):
            await listener.next()


async def test_only_so_many_listen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MAX_LISTENERS", 1)
    async with serving(tmp_path) as api:
        async with listening(api) as listener:
            await listener.until("hello")
            assert is_error(await api.get(EVENTS), 503, "SERVICE_UNAVAILABLE", "1 listen already")
        for _ in range(200):
            await asyncio.sleep(0.01)
            if not len(api.app[state.STATE].events.listeners):
                break
        async with listening(api) as listener:
            await listener.until("hello")


async def test_nobody_listens_before_there_is_anything_to_ask_for(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        api.control.phase = Phase.STARTING
        assert is_error(await api.get(EVENTS), 503, "SERVICE_UNAVAILABLE")


async def test_the_stream_ends_well_when_the_sockets_close_and_says_why(tmp_path: Path) -> None:
    async with serving(tmp_path) as api, listening(api) as listener:
        await listener.until("hello")
        api.control.phase, api.control.not_ready = Phase.DRAINING, ("the daemon is draining",)
        publish(api, line(1))
        api.app[state.STATE].closing.set()
        found = await listener.rest()
    assert [event.name for event in found] == ["ended", "health"]
    assert found[1].data["phase"] == "draining"


async def test_head_says_what_get_would_give(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        answer = await api.ask("HEAD", EVENTS)
    assert (answer.status, answer.headers["Content-Type"], answer.raw) == (200, "text/event-stream", b"")


async def test_an_old_client_gets_plain_bytes(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        publish(api, line(1))
        reader, writer = await asyncio.open_connection("127.0.0.1", api.bound.port)
        writer.write(f"GET {EVENTS} HTTP/1.0\r\nAuthorization: Bearer {api.admin}\r\n\r\n".encode())
        async with asyncio.timeout(DEADLINE_S):
            await reader.readuntil(b'"resumed":false}\n\n')
            publish(api, line(2))
            assert (await reader.readuntil(b"\n\n")).startswith(b"event: ended\nid: ")
        writer.close()


async def test_a_line_break_in_an_error_cannot_end_an_event(tmp_path: Path) -> None:
    async with serving(tmp_path) as api, listening(api) as listener:
        publish(api, line(1, error="a\n\nevent: gone\ndata: {}\n\n\ud800"))
        assert (await listener.until("ended")).data["error"].startswith("a\n\nevent: gone\n")
