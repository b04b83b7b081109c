"""Which source wins, and what is said about what is wrong in it."""

import pytest

from schedd import config
from schedd.config import places
from schedd.config.places import Places
from schedd.config.settings import SETTINGS
from schedd.errors import ConfigError

NOWHERE = Places(config_dir="/nowhere/etc", state_dir="/nowhere/state", run_dir="/nowhere/run", why="a test")


def load(environ=None, **flags):
    return config.load(environ=environ or {}, flags=flags, places=NOWHERE)


def complaints(environ=None, **flags):
    with pytest.raises(ConfigError) as caught:
        load(environ, **flags)
    return str(caught.value).splitlines()


def test_with_nothing_given_every_value_is_its_default():
    settings = config.load(environ={}, places=places.SYSTEM)
    assert {origin.source for origin in settings.origins.values()} == {"default"}
    assert settings.scripts_dir == "/etc/schedd/scripts"
    assert str(settings.listen) == "127.0.0.1:8173"
    assert settings.output_keep_bytes == 1 << 30


def test_every_setting_has_an_attribute_and_an_origin():
    settings = load()
    assert list(settings.origins) == [setting.name for setting in SETTINGS]
    assert all(hasattr(settings, setting.field) for setting in SETTINGS)


def test_the_environment_overrules_a_default_and_a_flag_the_environment():
    settings = load({"SCHEDD_LISTEN": "127.0.0.1:1", "SCHEDD_GRACE": "3s"}, listen="127.0.0.1:2")
    assert str(settings.listen) == "127.0.0.1:2"
    assert settings.grace_ms == 3000
    assert settings.origins["listen"].source == "--listen"
    assert settings.origins["grace"].source == "SCHEDD_GRACE"


def test_a_flag_that_was_not_given_overrules_nothing():
    assert load({"SCHEDD_SOCKET": ""}, socket=None).socket is None


def test_a_default_that_depends_on_the_place_says_so():
    origin = load().origins["state_dir"]
    assert origin.text == '"/nowhere/state"'
    assert origin.source == "default (a test)"


def test_everything_that_is_wrong_is_said_at_once():
    said = complaints({"SCHEDD_GRACE": "10", "SCHEDD_MAX_HELD": "many", "SCHEDD_TIMEZON": "UTC"}, listen="x")
    assert len(said) == 4
    assert said[0] == "SCHEDD_TIMEZON: unknown setting; did you mean SCHEDD_TIMEZONE?"
    assert said[1].startswith('SCHEDD_GRACE: grace: found "10", a text; write a duration')
    assert said[2].startswith('SCHEDD_MAX_HELD: max_held: found "many", a text; write a whole number')
    assert said[3].startswith('--listen: listen: found "x"')


def test_a_value_is_checked_even_when_another_source_overrules_it():
    assert complaints({"SCHEDD_LISTEN": "nonsense"}, listen="127.0.0.1:1")[0].startswith(
        "SCHEDD_LISTEN: listen: found"
    )


def test_variables_of_others_that_begin_like_ours_are_left_alone():
    kubernetes = {"SCHEDD_PORT": "tcp://10.0.0.1:80", "SCHEDD_SERVICE_HOST": "10.0.0.1"}
    ours = {"SCHEDD_URL": "http://x", "SCHEDD_TOKEN": "t", "SCHEDD_TOKEN_FILE": "f"}
    assert load(kubernetes | ours) == load()


def test_inside_a_run_the_state_directory_of_the_script_is_not_taken_for_the_daemons():
    run = {"SCHEDD_RUN_ID": "0198", "SCHEDD_SCRIPT": "a.py", "SCHEDD_STATE_DIR": "/var/lib/schedd/scripts/a"}
    assert load(run).state_dir == "/nowhere/state"
    assert load({"SCHEDD_STATE_DIR": "/srv/state"}).state_dir == "/srv/state"


@pytest.mark.parametrize("address", ["0.0.0.0:8173", "[::]:8173", "10.1.2.3:8173", "cron.example.org:80"])
def test_beyond_loopback_only_behind_a_proxy(address):
    (said,) = complaints(listen=address)
    assert said.startswith(f"--listen: listen: {address} can be reached from other hosts")
    assert str(load({"SCHEDD_BEHIND_PROXY": "true"}, listen=address).listen) == address


def test_changed_settings_are_named():
    before, after = load(), load({"SCHEDD_DRAIN": "1s", "SCHEDD_FIRES_KEEP": "3"})
    assert [(setting.name, setting.live) for setting in config.changed(before, after)] == [
        ("drain", True),
        ("fires_keep", False),
    ]


def test_root_has_the_systems_places():
    assert places.find({"HOME": "/root", "XDG_RUNTIME_DIR": "/run/user/0"}, uid=0) == places.SYSTEM


def test_a_person_has_the_xdg_places():
    found = places.find({"HOME": "/home/ann", "XDG_RUNTIME_DIR": "/run/user/1000"}, uid=1000)
    assert found.file == "/home/ann/.config/schedd/schedd.toml"
    assert found.defaults == {
        "scripts_dir": "/home/ann/.config/schedd/scripts",
        "calendars_dir": "/home/ann/.config/schedd/calendars",
        "state_dir": "/home/ann/.local/state/schedd",
        "socket": "/run/user/1000/schedd/api.sock",
    }


def test_xdg_variables_that_are_not_absolute_are_ignored():
    found = places.find({"HOME": "/home/ann", "XDG_CONFIG_HOME": "conf", "XDG_STATE_HOME": "/big"}, uid=1000)
    assert found.config_dir == "/home/ann/.config/schedd"
    assert found.defaults["socket"] == "/big/schedd/api.sock"


def test_a_service_has_the_directories_that_systemd_gives_it():
    given = {
        "CONFIGURATION_DIRECTORY": "/etc/schedd",
        "STATE_DIRECTORY": "/var/lib/schedd",
        "RUNTIME_DIRECTORY": "/run/schedd",
    }
    found = places.find(given, uid=990)
    assert (found.defaults, found.file) == (places.SYSTEM.defaults, places.SYSTEM.file)


def test_directories_of_another_service_are_not_ours():
    assert places.find({"STATE_DIRECTORY": "/var/lib/shop:/var/lib/shop-cache"}, uid=0) == places.SYSTEM
