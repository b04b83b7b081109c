"""Who may ask what: bearer tokens over TCP, uids over the Unix socket, and strangers not at all."""

import logging
import os
from pathlib import Path

import aiohttp
import pytest

from schedd.web import app, auth, tokens
from schedd.web.state import OPEN
from schedd.web.tokens import Scope
from tests.api import RUNS, SCHEDULES, Api, is_error, serving
from tests.fake_control import entry

LIST = f"{SCHEDULES}/list"
GOOD_LOOKING = tokens.TOKEN_PREFIX + "A" * 43


@pytest.mark.parametrize("route", app.ROUTES, ids=lambda route: f"{route.method} {route.path}")
async def test_every_route_but_the_open_ones_wants_a_token(tmp_path: Path, route: app.Route) -> None:
    async with serving(tmp_path) as api:
        answer = await api.ask(route.method, asked(route), token=None)
    if route.wants is OPEN:
        assert answer.status == 200
    else:
        assert is_error(answer, 401, "UNAUTHORIZED")
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("method", "path"), [("GET", "/nothing"), ("PUT", LIST)])
async def test_a_stranger_learns_nothing_from_paths_either(tmp_path: Path, method: str, path: str) -> None:
    async with serving(tmp_path) as api:
        assert is_error(await api.ask(method, path, token=None), 401, "UNAUTHORIZED")


@pytest.mark.parametrize(
    "header",
    [
        f"Bearer {GOOD_LOOKING}",
        "Bearer x",
        "Bearer",
        "Bearer ",
        "Basic YTpi",
        "",
        "Bearer café",
        "Bearer \udcff\udcfe",
        "Bearer " + "x" * 5000,
        "Bearer schedd_\t",
    ],
)
async def test_a_token_that_is_none_is_a_401(tmp_path: Path, header: str) -> None:
    async with serving(tmp_path) as api:
        came = await api.raw(
            f"GET {LIST} HTTP/1.1\r\nHost: localhost\r\nAuthorization: {header}\r\n"
            "Connection: close\r\n\r\n".encode("utf-8", "surrogateescape")
        )
    assert came.startswith(b"HTTP/1.1 401 ")
    assert b"WWW-Authenticate: Bearer" in came
    assert b'"code":"UNAUTHORIZED"' in came


async def test_two_tokens_are_none(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        line = f"Authorization: Bearer {api.admin}\r\n"
        came = await api.raw(
            f"GET {LIST} HTTP/1.1\r\nHost: localhost\r\n{line}{line}Connection: close\r\n\r\n".encode()
        )
    assert came.split(b" ")[1] in {b"400", b"401"}


async def test_the_scheme_is_written_in_any_case(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        assert (
            await api.get(LIST, token=None, headers={"Authorization": f"bearer {api.admin}"})
        ).status == 200


def asked(route: app.Route) -> str:
    """Return a path of the route, that of a file of the dashboard or of any run."""
    file = "htm.mjs" if "vendor" in route.path else "main.js"
    return route.path.format(runId="019357a0-0000-7000-8000-000000000000", file=file)


ALLOWED = {Scope.READ: {"read", "admin"}, Scope.TRIGGER: {"trigger", "admin"}, Scope.ADMIN: {"admin"}}


@pytest.mark.parametrize("scope", list(Scope))
async def test_each_scope_opens_its_routes_and_no_others(tmp_path: Path, scope: Scope) -> None:
    async with serving(tmp_path) as api:
        token = api.token("tester", scope)
        for route in app.ROUTES:
            endless = route.path.endswith("/events")
            answer = await api.ask(route.method, asked(route), token=token, endless=endless)
            if route.wants is OPEN or scope in ALLOWED[route.wants]:
                assert answer.status != 403, route.path
            else:
                assert is_error(answer, 403, "FORBIDDEN")
                assert answer.body["details"] == {"scope": route.wants}
                assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]


async def test_a_revoked_token_is_refused_by_the_next_request(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("ci", "read")
        before = await api.get(LIST, token=token)
        tokens.revoke(str(tmp_path), "ci")
        assert before.status == 200
        assert is_error(await api.get(LIST, token=token), 401, "UNAUTHORIZED")


async def test_a_limited_token_sees_and_fires_its_scripts_only(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("shop", "read", "trigger", scripts="shop/*")
        for script in ("shop/a.py", "bank/b.py"):
            api.control.register(script)
        listed = (await api.get(LIST, token=token)).body
        own = await api.ask("POST", f"{SCHEDULES}/trigger", token=token, json={"scriptPath": "shop/a.py"})
        other = await api.ask("POST", f"{SCHEDULES}/trigger", token=token, json={"scriptPath": "bank/b.py"})
        past = await api.get(f"{SCHEDULES}/history?scriptPath=bank/b.py", token=token)
        assert api.control.asked == [("trigger", "shop/a.py", "shop")]
    assert (listed["total"], [item["id"] for item in listed["schedules"]]) == (1, ["shop/a.py"])
    assert own.status == 200
    assert is_error(other, 403, "FORBIDDEN")
    assert is_error(past, 403, "FORBIDDEN")


async def test_a_limited_admin_cannot_reload_what_is_not_theirs(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("shop", "admin", scripts="shop/*")
        answer = await api.ask("POST", f"{SCHEDULES}/reload", token=token)
        assert not api.control.reload_ended.is_set()
    assert is_error(answer, 403, "FORBIDDEN")


async def test_a_limited_token_cannot_read_a_past_run_of_another_script(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        token = api.token("shop", "read", scripts="shop/*")
        api.control.entries = [entry("bank/b.py")]
        answer = await api.get(f"{RUNS}/{api.control.entries[0].run_id}", token=token)
    assert is_error(answer, 404, "NOT_FOUND", "run not found")


async def test_too_many_wrong_tokens_are_a_429_and_a_right_one_still_passes(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        wrong = [await api.get(LIST, token=f"{GOOD_LOOKING}{number}") for number in range(12)]
        right = await api.get(LIST)
    assert [answer.status for answer in wrong] == [401] * 10 + [429] * 2
    assert is_error(wrong[-1], 429, "RATE_LIMITED")
    assert 1 <= wrong[-1].body["retryAfter"] <= 60
    assert wrong[-1].headers["Retry-After"] == str(wrong[-1].body["retryAfter"])
    assert right.status == 200


async def test_the_log_has_the_address_and_six_characters_of_the_hash_and_never_the_token(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    async with serving(tmp_path) as api:
        await api.get(LIST, token=GOOD_LOOKING)
    assert f"wrong token from 127.0.0.1 (sha256 {tokens.digest(GOOD_LOOKING)[:6]}…)" in caplog.text
    assert GOOD_LOOKING not in caplog.text
    assert tokens.digest(GOOD_LOOKING)[:7] not in caplog.text


async def test_asking_without_a_token_is_no_attempt(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        for _ in range(15):
            answer = await api.get(LIST, token=None)
    assert answer.status == 401


async def test_behind_a_declared_proxy_strangers_are_told_apart_by_its_word(tmp_path: Path) -> None:
    async with serving(tmp_path, behind_proxy=True) as api:
        for _ in range(11):
            first = await api.get(LIST, token="x", headers={"X-Forwarded-For": "1.1.1.1, 198.51.100.7"})
        second = await api.get(LIST, token="x", headers={"X-Forwarded-For": "198.51.100.7, 203.0.113.9"})
    assert (first.status, second.status) == (429, 401)


async def test_without_one_its_word_is_not_asked(tmp_path: Path) -> None:
    async with serving(tmp_path) as api:
        for number in range(11):
            answer = await api.get(LIST, token="x", headers={"X-Forwarded-For": f"198.51.100.{number}"})
    assert answer.status == 429


async def test_a_tokens_file_that_broke_is_a_503_and_one_line_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as api:
        (tmp_path / "tokens.json").write_text("{")
        answers = [await api.get(LIST) for _ in range(3)]
    for answer in answers:
        assert is_error(answer, 503, "SERVICE_UNAVAILABLE", "Service unavailable")
    assert caplog.text.count("no token is accepted") == 1


def test_failures_are_forgotten_after_a_minute() -> None:
    failures = auth.Failures()
    waits = [failures.note("a", now_s=100.0 + number) for number in range(12)]
    assert waits == [0] * 10 + [50, 49]
    assert failures.note("b", now_s=111.0) == 0
    assert failures.note("a", now_s=160.0) == 0


def test_failures_of_a_million_addresses_fit_in_a_bounded_table() -> None:
    failures = auth.Failures()
    for number in range(auth.MAX_ADDRESSES * 3):
        failures.note(str(number), now_s=1.0)
    assert len(failures._seen) == auth.MAX_ADDRESSES


async def ask_unix(api: Api, path: str, **headers: str) -> tuple[int, bytes]:
    connector = aiohttp.UnixConnector(api.bound.socket_path or "")
    async with (
        aiohttp.ClientSession(connector=connector) as session,
        session.get(f"http://any.host.at.all{path}", headers=headers) as response,
    ):
        return response.status, await response.read()


async def test_the_unix_socket_wants_no_token(tmp_path: Path) -> None:
    async with serving(tmp_path, unix=True) as api:
        status, _ = await ask_unix(api, LIST)
    assert status == 200


async def test_over_the_unix_socket_a_caller_is_called_by_their_uid(tmp_path: Path) -> None:
    async with serving(tmp_path, unix=True) as api:
        api.control.register("a.py")
        async with (
            aiohttp.ClientSession(connector=aiohttp.UnixConnector(api.bound.socket_path or "")) as session,
            session.post(f"http://localhost{SCHEDULES}/trigger", json={"scriptPath": "a.py"}) as response,
        ):
            assert response.status == 200
        assert api.control.asked == [("trigger", "a.py", f"uid:{os.geteuid()}")]


async def test_a_token_that_is_sent_over_the_unix_socket_is_honoured(tmp_path: Path) -> None:
    async with serving(tmp_path, unix=True) as api:
        token = api.token("deploy", "trigger")
        status, body = await ask_unix(api, LIST, Authorization=f"Bearer {token}")
        wrong, _ = await ask_unix(api, LIST, Authorization="Bearer x")
    assert (status, wrong) == (403, 401)
    assert b"lacks the scope read" in body


async def test_only_allowed_uids_may_use_the_unix_socket_if_any_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serving(tmp_path, unix=True, allowed_uids=[4711]) as api:
        own, _ = await ask_unix(api, LIST)
        monkeypatch.setattr("schedd.web.auth.peer_uid", lambda _: 4711)
        listed, _ = await ask_unix(api, LIST)
        monkeypatch.setattr("schedd.web.auth.peer_uid", lambda _: 4712)
        other, body = await ask_unix(api, LIST)
        app.apply(api.app, cors_origins=(), allowed_hosts=(), allowed_uids=())
        after, _ = await ask_unix(api, LIST)
    assert (own, listed, other, after) == (200, 200, 403, 200)
    assert b"uid 4712 may not use this socket" in body
