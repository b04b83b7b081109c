"""What is handed to others: man pages, the wheel, the source distribution, the Debian package's life."""

import json
import os
import re
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from packaging.metadata import Metadata, parse_email

from schedd import __version__
from schedd.cli.main import VERBS, schedd
from schedd.config.settings import SETTINGS
from schedd.scripts.directives import SUPPORTED
from tests.whole.packages import DEADLINE_S, SCRIPTS, asked, dpkg, install, lay, newer, soon
from tests.whole.systemd_lab import ROOT, Lab

PAGES = ("schedd.1", "schedd.toml.5", "schedd-scripts.7")
COLUMNS = 80
CACHES = ("__pycache__", ".pyc", ".mypy_cache", ".pytest_cache", ".hypothesis")
EVERY_SECOND = "#!/bin/sh\n# @schedule * * * * * *\n"


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The man pages of this checkout."""
    directory = tmp_path_factory.mktemp("pages")
    made(directory)
    return directory


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `make dist` makes."""
    return distribution(tmp_path_factory.mktemp("dist"))


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    """The wheel."""
    (found,) = dist.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def sdist(dist: Path) -> Path:
    """The source distribution."""
    (found,) = dist.glob("*.tar.gz")
    return found


@pytest.fixture(scope="module")
def machine(lab: Lab, package: Path) -> Lab:
    """A machine on which the package was installed, and nothing else was done."""
    install(lab, package)
    return lab


def made(directory: Path, root: Path = ROOT) -> "subprocess.CompletedProcess[str]":
    """Make the man pages."""
    command = [sys.executable, "-B", root / ".ci" / "man.py", directory, "/usr"]
    return subprocess.run(command, capture_output=True, text=True, check=root == ROOT)


def distribution(directory: Path) -> Path:
    """Make the wheel and the source distribution."""
    done = subprocess.run(
        [ROOT / ".ci" / "dist.sh", sys.executable, directory],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return directory


def shown(page: Path, *options: str) -> "subprocess.CompletedProcess[str]":
    """Show a page on a terminal of 80 columns, without bold and underlining."""
    environ = {**os.environ, "MANWIDTH": str(COLUMNS), "LC_ALL": "C.UTF-8", "MAN_KEEP_FORMATTING": ""}
    return subprocess.run(
        ["man", "--no-hyphenation", "--no-justification", *options, "--local-file", page],
        capture_output=True,
        text=True,
        env=environ,
        check=True,
    )


def words(page: Path) -> str:
    """Return a page's text with all white space alike, so that it can be searched."""
    return " ".join(shown(page).stdout.split())


def examples() -> set[str]:
    """Return all lines of the documents that are shown as they were typed."""
    texts = [path.read_text() for path in (ROOT / "docs").glob("*.md")]
    return {
        line.strip() for text in texts for block in text.split("```")[1::2] for line in block.splitlines()
    }


def own_files() -> set[str]:
    """Return the files of the program."""
    files = (path.relative_to(ROOT).as_posix() for path in (ROOT / "schedd").rglob("*") if path.is_file())
    return {name for name in files if not any(part in name for part in CACHES)}


def options() -> Iterator[tuple[str, str]]:
    """Yield each verb with each of its options."""
    for name in VERBS:
        verb = schedd.get_command(click.Context(schedd), name)
        below = verb.commands.values() if isinstance(verb, click.Group) else [verb]
        for command in below:
            yield from ((name, option) for each in command.params for option in each.opts if option[0] == "-")


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_formatted_without_a_warning(pages: Path, name: str) -> None:
    assert shown(pages / name, "--warnings").stderr == ""


@pytest.mark.parametrize("name", PAGES)
def test_apropos_will_find_a_page(pages: Path, name: str) -> None:
    found = subprocess.run(["lexgrog", pages / name], capture_output=True, text=True, check=True).stdout
    assert re.search(rf'"{name[:-2]} - [a-z][^"]{{20,}}"', found)


@pytest.mark.parametrize("name", PAGES)
def test_all_but_typed_examples_fits_a_terminal_of_80_columns(pages: Path, name: str) -> None:
    wide = [line.strip() for line in shown(pages / name).stdout.splitlines() if len(line) > COLUMNS]
    typed = {" ".join(line.split()) for line in examples()}
    assert [line for line in wide if " ".join(line.split()) not in typed] == []


def test_every_verb_and_every_option_is_in_the_page_of_the_command(pages: Path) -> None:
    text = words(pages / "schedd.1")
    assert [name for name in VERBS if f" schedd {name} " not in text] == []
    assert [(verb, option) for verb, option in options() if option not in text] == []


def test_every_variable_that_the_command_line_reads_is_in_its_page(pages: Path) -> None:
    sources = "".join(path.read_text() for path in (ROOT / "schedd" / "cli").glob("*.py"))
    read = set(re.findall(r'"(SCHEDD_[A-Z_]+[A-Z])"', sources)) - {"SCHEDD_RESULT"}
    assert read
    assert [name for name in read if name not in words(pages / "schedd.1")] == []


def test_every_setting_is_in_its_page_with_what_it_means(pages: Path) -> None:
    text = words(pages / "schedd.toml.5")
    assert [each.name for each in SETTINGS if f"{each.name} {' '.join(each.help.split())}" not in text] == []
    assert [each.name for each in SETTINGS if each.variable not in text] == []


def test_every_directive_is_in_the_page_of_scripts(pages: Path) -> None:
    text = shown(pages / "schedd-scripts.7").stdout
    assert [name for name in SUPPORTED if not re.search(rf"^ +@{name}\b", text, re.MULTILINE)] == []


def test_what_is_typed_can_be_pasted_from_a_page(pages: Path) -> None:
    text = shown(pages / "schedd.1").stdout + shown(pages / "schedd-scripts.7").stdout
    assert "$ schedd preview '30 2 * * *' --timezone Europe/Berlin --from 2027-03-27 --count 2" in text
    assert '# @expect json .tables["order items"][0] == "ok"' in text
    assert "# @expect stdout /^copied [0-9]+ files$/m" in text


def test_a_document_that_cannot_be_said_on_a_page_fails_the_build_in_one_line(tmp_path: Path) -> None:
    for each in (".ci", "docs"):
        subprocess.run(["cp", "-R", ROOT / each, tmp_path / each], check=True)
    with open(tmp_path / "docs" / "directives.md", "a") as document:
        document.write("\n> a quotation\n")
    done = made(tmp_path, root=tmp_path)
    assert done.returncode == 1
    assert re.fullmatch(r"man\.py: no roff for blockquote_open, at line \d+\n", done.stderr)


def test_the_wheel_has_all_of_the_program_and_nothing_else(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == own_files()


def test_the_sources_are_enough_to_build_all_again_and_have_no_tests(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
        assert {(each.uid, each.gid, each.uname) for each in archive.getmembers()} == {(0, 0, "")}
    assert own_files() < names
    assert {"Makefile", ".ci/deb.sh", ".ci/deb/postinst", "systemd/schedd.service", "etc/schedd.toml"} < names
    assert [name for name in names if name.startswith("tests") or any(each in name for each in CACHES)] == []


def test_an_index_would_take_the_metadata(wheel: Path, sdist: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        texts = [archive.read(f"schedd-{__version__}.dist-info/METADATA")]
    with tarfile.open(sdist) as sources:
        member = sources.extractfile(f"schedd-{__version__}/PKG-INFO")
        assert member is not None
        texts.append(member.read())
    for text in texts:
        raw, unknown = parse_email(text)
        assert unknown == {}
        metadata = Metadata.from_raw(raw, validate=True)
        assert str(metadata.version) == __version__
        assert metadata.description_content_type == "text/markdown"
        assert metadata.license_expression or metadata.license


def test_two_builds_are_equal_byte_for_byte(dist: Path, tmp_path: Path) -> None:
    again = distribution(tmp_path)
    first, second = ({each.name: each.read_bytes() for each in where.iterdir()} for where in (dist, again))
    assert first == second


def test_the_wheel_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", fresh], check=True)
    pip = [sys.executable, "-m", "pip", f"--python={fresh}/bin/python", "install", "--quiet", "--no-index"]
    subprocess.run([*pip, "--disable-pip-version-check", "--no-deps", wheel], check=True)
    # The dependencies are those of the tests, by a path and not by an index.
    (site,) = fresh.glob("lib/python3*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    program, elsewhere = fresh / "bin" / "schedd", {"cwd": tmp_path, "capture_output": True, "text": True}
    version = subprocess.run([program, "--version"], check=True, **elsewhere)
    assert version.stdout == f"schedd {__version__}\n"
    source = [fresh / "bin" / "python", "-c", "import schedd; print(schedd.__file__)"]
    assert subprocess.run(source, check=True, **elsewhere).stdout.startswith(str(site))
    checked = subprocess.run([program, "check", ROOT / "etc" / "scripts"], check=False, **elsewhere)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_installed_package_runs_and_answers(machine: Lab) -> None:
    assert machine.show("schedd", "ActiveState") == "active"
    assert machine.show("schedd", "UnitFileState") == "enabled"
    assert machine.show("schedd.socket", "UnitFileState") == "disabled"
    assert json.loads(machine.output("schedd", "list", "--json"))["total"] == 0
    assert machine.output("schedd", "--version") == f"schedd {__version__}\n"


def test_an_installed_file_is_as_it_was_packed_and_is_not_touched_by_running(machine: Lab) -> None:
    assert dpkg(machine, "--verify", "schedd") == ""
    owned = set(dpkg(machine, "--listfiles", "schedd").split())
    there = machine.output("find", "/usr/lib/schedd").split()
    assert [path for path in there if path not in owned] == []


def test_the_manual_is_installed(machine: Lab) -> None:
    for section, name in ("1", "schedd"), ("5", "schedd.toml"), ("7", "schedd-scripts"):
        found = machine.output("man", "--where", section, name).strip()
        assert found == f"/usr/share/man/man{section}/{name}.{section}.gz"


def test_an_upgrade_runs_the_new_version_and_keeps_record_and_settings(
    machine: Lab, package: Path, tmp_path: Path
) -> None:
    lay(machine, "every_second.sh", EVERY_SECOND)
    machine.run("systemctl", "reload", "schedd")
    fires = machine.path("/var/lib/schedd/fires.log")
    soon(lambda: fires.exists() and fires.read_text().count("\n") > 1, "the script has fired")
    machine.path("/etc/schedd/schedd.toml").write_text('grace = "7s"\n')
    before, process = fires.read_text(), machine.show("schedd", "MainPID")

    machine.path("/root/newer.deb").write_bytes(newer(package, tmp_path).read_bytes())
    dpkg(machine, "--force-confold", "--install", "/root/newer.deb")

    assert machine.show("schedd", "ActiveState") == "active"
    assert machine.show("schedd", "MainPID") != process
    assert fires.read_text().startswith(before)
    assert machine.path("/etc/schedd/schedd.toml").read_text() == 'grace = "7s"\n'
    slots = [json.loads(line)["slot"] for line in fires.read_text().splitlines()]
    assert len(slots) == len(set(slots))


def test_what_the_administrator_stopped_and_disabled_stays_so_over_an_upgrade(machine: Lab) -> None:
    machine.run("systemctl", "disable", "--now", "schedd")
    dpkg(machine, "--force-confold", "--install", "/root/newer.deb")
    assert machine.show("schedd", "ActiveState") == "inactive"
    assert machine.show("schedd", "UnitFileState") == "disabled"
    machine.run("systemctl", "enable", "--now", "schedd")


def test_a_package_is_removed_though_its_socket_would_start_it_again(machine: Lab) -> None:
    machine.run("systemctl", "stop", "schedd")
    machine.run("systemctl", "start", "schedd.socket")
    assert asked(machine)["total"] == 1
    dpkg(machine, "--remove", "schedd")
    assert machine.run("pgrep", "--uid", "schedd", check=False).stdout == ""
    assert not machine.path("/usr/lib/schedd").exists()
    assert not machine.path("/run/schedd").exists()
    assert machine.path("/var/lib/schedd/fires.log").exists()
    assert machine.path("/etc/schedd/schedd.toml").exists()


def test_a_package_that_comes_back_goes_on_with_its_record(machine: Lab) -> None:
    before = machine.path("/var/lib/schedd/fires.log").read_text()
    dpkg(machine, "--install", "/root/newer.deb")
    assert machine.path("/etc/schedd/schedd.toml").read_text() == 'grace = "7s"\n'
    log = machine.path("/var/lib/schedd/fires.log")
    soon(lambda: len(log.read_text()) > len(before), f"a new line within {DEADLINE_S} s")
    assert log.read_text().startswith(before)


def test_a_purge_leaves_scripts_and_nothing_else(machine: Lab) -> None:
    told = dpkg(machine, "--purge", "schedd")
    assert "not removed, since it is not schedd's: 1 files in /etc/schedd" in told
    left = machine.output(
        "find", "/etc", "/usr", "/var", "/run", "-name", "*schedd*", "-not", "-path", f"*{ROOT}*"
    )
    assert left.split() == ["/etc/schedd"]
    assert machine.output("find", "/etc/schedd", "-type", "f").split() == [f"{SCRIPTS}/every_second.sh"]
    for database in ("passwd", "group"):
        assert machine.run("getent", database, "schedd", check=False).stdout == ""
    assert machine.run("systemctl", "cat", "schedd", check=False).returncode != 0
