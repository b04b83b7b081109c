"""The table of settings, the reference file, the operations guide and the help say the same."""

import re
import tomllib
from pathlib import Path

import pytest

from schedd import config
from schedd.cli.main import FAMILIES, VERBS
from schedd.cli.serve import serve_verb
from schedd.config import places, values
from schedd.config.settings import BY_NAME, SETTINGS

ROOT = Path(__file__).parents[2]
REFERENCE = (ROOT / "etc/schedd.toml").read_text()
GUIDE = (ROOT / "docs/operations.md").read_text()
FLAGS = {"scripts_dir", "state_dir", "listen", "socket"}


def test_the_reference_file_shows_every_setting_with_its_help_and_default():
    shown = re.findall(r"^# (.+)\n#(\w+ = .+)$", REFERENCE, re.MULTILINE)
    assert shown == [
        (
            setting.help + ("" if setting.live else " (restart)"),
            f"{setting.name} = {values.as_toml(setting.default)}",
        )
        for setting in SETTINGS
    ]


def test_the_reference_file_changes_nothing_as_it_is():
    assert tomllib.loads(REFERENCE) == {}


def test_the_reference_file_changes_nothing_with_all_comments_removed(tmp_path):
    lines = [line[1:] for line in REFERENCE.splitlines() if re.match(r"#\w", line)]
    file = tmp_path / "schedd.toml"
    file.write_text("\n".join(lines))
    uncommented = config.load(file=str(file), environ={}, places=places.SYSTEM)
    assert uncommented == config.load(environ={}, places=places.find({}, uid=0))
    assert {origin.source for origin in uncommented.origins.values()} == {str(file)}


def test_the_guide_lists_every_setting_with_its_help_and_default():
    rows = re.findall(r"^\| `(\w+)` \| `(.+)` \| (.+) \| (reload|restart) \|$", GUIDE, re.MULTILINE)
    assert rows == [
        (setting.name, values.as_toml(setting.default), setting.help, "reload" if setting.live else "restart")
        for setting in SETTINGS
    ]


@pytest.mark.parametrize("name", sorted(FLAGS))
def test_the_flags_of_serve_have_the_help_of_their_settings(name):
    (flag,) = (option for option in serve_verb.params if option.name == name)
    setting = BY_NAME[name]
    assert flag.opts == [f"--{name.replace('_', '-')}"]
    assert flag.help == f"{setting.help}  [{setting.variable}; default: {setting.default}]"


def test_serve_has_no_other_flags_for_settings():
    assert {option.name for option in serve_verb.params} == FLAGS | {"config_file"}


def test_the_guide_has_a_section_for_every_verb():
    headings = re.findall(r"^### (.+)$", GUIDE, re.MULTILINE)
    named = {word for heading in headings for word in heading.split(", ")}
    assert named >= VERBS.keys()
    assert sum(map(len, FAMILIES.values())) == len(VERBS)
