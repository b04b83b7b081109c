"""Configuration files: the order of reading, and complaints that name file and line."""

import os

import pytest

from schedd import config
from schedd.config.places import Places
from schedd.errors import ConfigError


@pytest.fixture
def etc(tmp_path):
    """A configuration directory: `etc(name, text)` writes a file into it."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
        return str(path)

    return write


@pytest.fixture
def load(tmp_path):
    def load(**more):
        places = Places(config_dir=str(tmp_path), state_dir="/s", run_dir="/r", why="a test")
        return config.load(places=places, environ=more.pop("environ", {}), **more)

    return load


def complaints(load, **more):
    with pytest.raises(ConfigError) as caught:
        load(**more)
    return str(caught.value).splitlines()


def test_drop_ins_overrule_the_file_in_the_order_of_their_names(etc, load):
    etc("schedd.toml", 'grace = "1s"\ndrain = "1s"\nmax_held = 1\n')
    last = etc("schedd.d/20-late.toml", 'grace = "3s"\n')
    etc("schedd.d/10-early.toml", 'grace = "2s"\ndrain = "2s"\n')
    etc("schedd.d/.hidden.toml", "max_held = 7\n")
    etc("schedd.d/30-not-toml.bak", "max_held = 8\n")
    settings = load()
    assert (settings.grace_ms, settings.drain_ms, settings.max_held) == (3000, 2000, 1)
    assert settings.origins["grace"].source == last


def test_a_named_file_replaces_the_usual_ones(etc, load):
    etc("schedd.toml", "max_held = 1\n")
    etc("schedd.d/10.toml", "max_running = 1\n")
    other = etc("other.toml", "fires_keep = 1\n")
    settings = load(file=other)
    assert (settings.max_held, settings.max_running, settings.fires_keep) == (10_000, 256, 1)
    assert load(environ={"SCHEDD_CONFIG": other}).fires_keep == 1


def test_a_named_file_must_exist(load, tmp_path):
    missing = str(tmp_path / "missing.toml")
    assert complaints(load, file=missing) == [f"{missing}: cannot be read: No such file or directory"]


def test_an_unknown_key_is_named_with_its_line_and_the_nearest(etc, load):
    path = etc("schedd.toml", '# a comment\n\n[time_out]\nx = 1\n\n[extra]\n"max-runing" = 4\n')
    assert complaints(load) == [
        f"{path}:3: unknown setting 'time_out'; did you mean 'timeout'?",
        f"{path}:6: unknown setting 'extra'; settings stand in no table: write them before the first [table]",
    ]


def test_a_wrong_value_is_named_with_its_line(etc, load):
    path = etc("schedd.toml", 'drain = "5s"\n  "grace" = 10\noutput_head = "64KB"\n')
    assert complaints(load) == [
        f'{path}:2: grace: found 10, a number; write a duration with its unit, such as "10s" or "1h30m"',
        f'{path}:3: output_head: found "64KB", a text; write a size, such as "64K", "32M" or "1G"',
    ]


def test_all_files_are_read_before_anything_is_said(etc, load):
    first = etc("schedd.toml", "grace = = 1\n")
    second = etc("schedd.d/a.toml", "nothing_like_it_at_all = 1\n")
    said = complaints(load)
    assert said[0].startswith(f"{first}: is not TOML: ")
    assert "line 1" in said[0]
    assert said[1] == f"{second}:1: unknown setting 'nothing_like_it_at_all'; `schedd config` lists them all"


def test_a_text_without_quotes_is_explained(etc, load):
    etc("schedd.toml", "grace = 10s\n")
    etc("schedd.d/a.toml", "timezone = UTC\n")
    said = complaints(load)
    assert len(said) == 2
    assert all("a text needs quotes" in line for line in said)


def test_bytes_that_are_not_utf_8_are_refused(load, tmp_path):
    (tmp_path / "schedd.toml").write_bytes(b'path = "/b\xfcro"\n')
    assert complaints(load) == [f"{tmp_path}/schedd.toml: is not UTF-8 (byte 10); save it as UTF-8"]


def test_a_huge_file_is_not_read_whole(load, tmp_path):
    with open(tmp_path / "schedd.toml", "wb") as file:
        file.truncate(1 << 40)
    assert complaints(load) == [f"{tmp_path}/schedd.toml: is larger than 1 MiB, so hardly a configuration"]


def test_deep_nesting_is_refused_like_other_rubbish(etc, load):
    etc("schedd.toml", "redact = " + "[" * 100_000)
    assert "is not TOML" in complaints(load)[0]


@pytest.fixture
def as_nobody():
    """Become a user who may not read what root wrote; a person who is not root already is one."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65_534)
    try:
        yield
    finally:
        os.seteuid(0)


def test_a_file_that_may_not_be_read_stops_the_daemon_but_not_a_client(etc, load, tmp_path, request):
    path = etc("schedd.toml", "max_held = 1\n")
    os.chmod(path, 0)
    request.getfixturevalue("as_nobody")
    assert complaints(load)[0] == f"{path}: may not be read; give the daemon's user the right to"
    assert load(optional=True).max_held == 10_000
