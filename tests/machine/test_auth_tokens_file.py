"""The tokens file: what it holds, who can read it, and that nothing is ever half written."""

import json
import os
import stat
import threading
from pathlib import Path

import pytest

from schedd.errors import ConfigError, StateError
from schedd.web import tokens
from schedd.web.tokens import Scope, TokenFile

NOW_MS = 1_795_514_400_123


def add(
    directory: Path, name: str = "ci", scopes: tuple[str, ...] = ("read",), scripts: str | None = None
) -> str:
    return tokens.add(str(directory), name, scopes=scopes, scripts=scripts, now_ms=NOW_MS)


def test_a_token_has_256_bits_and_is_not_in_the_file(tmp_path: Path) -> None:
    token = add(tmp_path)
    secret = token.removeprefix(tokens.TOKEN_PREFIX)
    written = (tmp_path / "tokens.json").read_text()
    assert len(secret) == 43
    assert secret not in written
    assert json.loads(written)["tokens"] == [
        {
            "name": "ci",
            "sha256": tokens.digest(token),
            "scopes": ["read"],
            "scripts": None,
            "createdAt": "2026-11-24T10:00:00.123Z",
        }
    ]


def test_only_the_owner_can_read_the_file(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        add(tmp_path)
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / "tokens.json").stat().st_mode) == 0o600


def test_tokens_are_found_by_what_they_are(tmp_path: Path) -> None:
    first, second = add(tmp_path), add(tmp_path, "deploy", ("trigger", "read"), "shop/*")
    file = TokenFile(str(tmp_path))
    found = file.find(second)
    assert found is not None
    assert (found.name, found.scopes, found.scripts) == ("deploy", (Scope.READ, Scope.TRIGGER), "shop/*")
    assert file.find(first + "x") is None
    assert file.find("") is None


def test_a_revoked_token_is_dead_at_once(tmp_path: Path) -> None:
    token = add(tmp_path)
    add(tmp_path, "other")
    file = TokenFile(str(tmp_path))
    assert file.find(token) is not None
    assert tokens.revoke(str(tmp_path), "ci")
    assert file.find(token) is None
    assert [left.name for left in tokens.read(str(tmp_path))] == ["other"]


def test_a_new_token_is_good_at_once(tmp_path: Path) -> None:
    file = TokenFile(str(tmp_path))
    assert file.find("x") is None
    assert file.find(add(tmp_path)) is not None


def test_revoking_what_is_not_there_says_so(tmp_path: Path) -> None:
    assert not tokens.revoke(str(tmp_path), "ci")


def test_a_name_is_taken_once(tmp_path: Path) -> None:
    add(tmp_path)
    with pytest.raises(StateError, match="token named ci already"):
        add(tmp_path)


@pytest.mark.parametrize("name", ["", "-x", "a b", "uid:0", "a\n", "é", "x" * 65, "../x"])
def test_a_name_that_could_be_mistaken_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="cannot name a token"):
        add(tmp_path, name)


def test_unknown_scopes_are_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown scope 'write': the scopes are read, trigger, admin"):
        add(tmp_path, scopes=("read", "write"))
    with pytest.raises(ConfigError, match="at least one scope"):
        add(tmp_path, scopes=())


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{",
        '{"version": 2, "tokens": []}',
        '{"version": 1, "tokens": [{"name": "a"}]}',
        '{"version": 1, "tokens": [{"name": "a", "sha256": "é", "scopes": [], "createdAt": ""}]}',
        "\udcff",
    ],
)
def test_a_file_that_is_none_lets_nobody_in(tmp_path: Path, text: str) -> None:
    token = add(tmp_path)
    file = TokenFile(str(tmp_path))
    assert file.find(token) is not None
    (tmp_path / "tokens.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(StateError, match=r"tokens\.json"):
        file.find(token)
    with pytest.raises(StateError, match=r"tokens\.json"):
        file.find(token)


def test_a_file_that_others_can_write_is_refused_with_the_remedy(tmp_path: Path) -> None:
    add(tmp_path)
    (tmp_path / "tokens.json").chmod(0o620)
    with pytest.raises(StateError, match="run chmod 600"):
        tokens.read(str(tmp_path))


def test_a_new_version_of_the_program_may_add_keys(tmp_path: Path) -> None:
    token = add(tmp_path)
    path = tmp_path / "tokens.json"
    there = json.loads(path.read_text())
    there["tokens"][0]["expiresAt"] = "2030-01-01T00:00:00.000Z"
    path.write_text(json.dumps(there))
    assert TokenFile(str(tmp_path)).find(token) is not None


def test_what_a_killed_writer_left_is_no_obstacle(tmp_path: Path) -> None:
    (tmp_path / "tokens.json.new").write_text("half a fi")
    add(tmp_path)
    assert len(tokens.read(str(tmp_path))) == 1
    assert not (tmp_path / "tokens.json.new").exists()


def test_people_who_add_tokens_at_the_same_time_lose_none(tmp_path: Path) -> None:
    names = [f"n{number}" for number in range(8)]
    writers = [threading.Thread(target=add, args=(tmp_path, name)) for name in names]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert sorted(token.name for token in tokens.read(str(tmp_path))) == names


def test_a_directory_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(StateError, match="No such file or directory"):
        add(tmp_path / "nowhere")
    assert tokens.read(str(tmp_path / "nowhere")) == ()


@pytest.mark.parametrize(
    ("glob", "script", "seen"),
    [
        (None, "anything", True),
        ("shop/*", "shop/a.py", True),
        ("shop/*", "shop/deep/a.py", True),
        ("shop/*", "shopping/a.py", False),
        ("*.sh", "a/b.sh", True),
        ("Shop/*", "shop/a.py", False),
    ],
)
def test_a_glob_says_which_scripts(tmp_path: Path, glob: str | None, script: str, seen: bool) -> None:
    add(tmp_path, scripts=glob)
    (token,) = tokens.read(str(tmp_path))
    assert token.sees(script) is seen


def test_admin_implies_the_others_and_they_imply_nothing(tmp_path: Path) -> None:
    for name in Scope:
        add(tmp_path, name, (name,))
    allowed = {
        token.name: {scope for scope in Scope if token.may(scope)} for token in tokens.read(str(tmp_path))
    }
    assert allowed == {"read": {Scope.READ}, "trigger": {Scope.TRIGGER}, "admin": set(Scope)}
