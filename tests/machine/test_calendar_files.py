"""Calendars as files: found by name, read once, refused with file and line, and noticed when they change."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from schedd.scripts.calendars import shelf as shelves
from schedd.scripts.calendars.faults import CalendarError
from schedd.scripts.calendars.shelf import Shelf
from schedd.scripts.catalogue import Scan, compare
from schedd.scripts.registration import Defaults
from schedd.scripts.scan import Scanner
from tests.machine.scripts_directory import made, names, put

SCRIPT = "# @schedule 30 2 * * *\n# @calendar holidays skip\ntrue\n"
ICS = "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:20261225\nSUMMARY:Christmas Day\nEND:VEVENT\nEND:VCALENDAR\n"


@pytest.fixture
def calendars(tmp_path: Path) -> Path:
    directory = tmp_path / "calendars"
    directory.mkdir()
    directory.chmod(0o755)
    return directory


@pytest.fixture
def scanner(tmp_path: Path, calendars: Path) -> Scanner:
    put(made(tmp_path), "a.sh", SCRIPT)
    defaults = Defaults(calendars_dir=str(calendars))
    return Scanner(str(tmp_path / "scripts"), defaults=defaults, trusted_uids={os.geteuid()})


def shelf(directory: Path) -> Shelf:
    return Shelf(str(directory), trusted_uids={os.geteuid()})


def sentences(found: Scan) -> list[str]:
    return [str(problem) for problem in found.problems]


@pytest.mark.parametrize(("asked", "file"), [("uk", "uk.txt"), ("uk.txt", "uk.txt"), ("de", "de.ics")])
def test_a_calendar_is_found_with_and_without_its_extension(calendars: Path, asked: str, file: str) -> None:
    put(calendars, "uk.txt", "12-25\n")
    put(calendars, "de.ics", ICS)
    assert shelf(calendars).find(asked).file == file


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        ("both", "there are both.txt and both.ics in {}: say which one, with its extension"),
        ("holiday", "there is no calendar holiday in {}: did you mean holidays?"),
        ("zzz", "there is no calendar zzz in {}: make zzz.txt or zzz.ics there"),
        (".hidden", "there is no calendar .hidden in {}: make .hidden.txt or .hidden.ics there"),
        ("bad", "{}/bad.txt:2: '2026-13-01' is not a date (month must be in 1..12)"),
        ("latin", "{}/latin.txt:3: this is not UTF-8: save the file as UTF-8"),
        ("cut", "{}/cut.ics: the file ends within VEVENT: it is cut off"),
        ("loose", "unsafe: {}/loose.txt is writable by everybody (mode 0646): chmod o-w {}/loose.txt"),
        ("directory", "{}/directory.txt: this is not a file"),
        ("huge", "{}/huge.txt: it is larger than 4 MiB"),
    ],
)
def test_what_cannot_be_used_is_told_with_the_file(calendars: Path, asked: str, reason: str) -> None:
    for name in ("both.txt", "both.ics", "holidays.txt", ".hidden.txt", "loose.txt"):
        put(calendars, name, "")
    put(calendars, "bad.txt", "# x\n2026-13-01\n")
    put(calendars, "latin.txt", b"12-25\n12-26\n01-01 Neujahr in \xd6sterreich\n")
    put(calendars, "cut.ics", ICS[:60])
    (calendars / "loose.txt").chmod(0o646)
    (calendars / "directory.txt").mkdir(mode=0o755)
    os.truncate(put(calendars, "huge.txt", ""), shelves.MOST_BYTES + 1)
    with pytest.raises(CalendarError) as told:
        shelf(calendars).find(asked)
    assert str(told.value) == reason.replace("{}", str(calendars))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (Path.rmdir, "there is no calendars directory {}: make it, or set calendars_dir"),
        (lambda path: path.chmod(0o777), "unsafe: {} is writable by everybody (mode 0777): chmod o-w {}"),
    ],
)
def test_what_is_wrong_with_the_directory_is_told(
    calendars: Path, spoil: Callable[[Path], None], reason: str
) -> None:
    spoil(calendars)
    with pytest.raises(CalendarError) as told:
        shelf(calendars).find("any")
    assert str(told.value) == reason.replace("{}", str(calendars))


def test_a_file_is_read_once_until_it_changes(calendars: Path) -> None:
    path = put(calendars, "uk.txt", "12-25\n")
    there = shelf(calendars)
    first = there.find("uk")
    there.refresh()
    assert there.find("uk") is first
    path.write_text("12-26\n")
    assert there.find("uk") is first, "not before somebody looks again"
    there.refresh()
    assert there.find("uk") != first


def test_a_calendar_that_nobody_asks_for_may_be_wrong(scanner: Scanner, calendars: Path) -> None:
    put(calendars, "other.txt", "nonsense\n")
    put(calendars, "holidays.txt", "12-25\n")
    assert names(scanner.scan()) == ["a.sh"]


def test_a_script_without_its_calendar_is_refused_with_line_and_column(
    scanner: Scanner, calendars: Path
) -> None:
    assert sentences(scanner.scan()) == [
        (
            f"a.sh:2:13: @calendar: there is no calendar holidays in {calendars}: "
            "make holidays.txt or holidays.ics there"
        )
    ]


def test_a_broken_calendar_is_the_problem_of_its_scripts_and_names_its_line(
    scanner: Scanner, calendars: Path
) -> None:
    put(calendars, "holidays.ics", ICS.replace("20261225", "soon"))
    (problem,) = scanner.scan().problems
    assert (problem.path, problem.line, problem.column) == ("a.sh", 2, 13)
    assert problem.reason.startswith(f"@calendar: {calendars}/holidays.ics:3: DTSTART: 'soon' is not a date")


def test_an_edited_calendar_makes_its_scripts_anew_and_nobody_elses(
    scanner: Scanner, calendars: Path
) -> None:
    path = put(calendars, "holidays.txt", "12-25\n")
    put(Path(scanner.scripts_dir), "b.sh")
    before = {schedule.script: schedule for schedule in scanner.scan().schedules}
    path.write_text("12-26\n")
    found = scanner.scan()
    after = {schedule.script: schedule for schedule in found.schedules}
    assert after["b.sh"] is before["b.sh"]
    assert after["a.sh"].timetable != before["a.sh"].timetable
    assert compare(before, found).changed == ("a.sh",)
    assert scanner.scan().schedules == found.schedules


def test_a_calendar_that_breaks_leaves_the_last_good_registration_and_one_that_is_mended_takes_its_place(
    scanner: Scanner, calendars: Path
) -> None:
    path = put(calendars, "holidays.txt", "12-25\n")
    before = {schedule.script: schedule for schedule in scanner.scan().schedules}
    path.write_text("12-25\n12-32\n")
    (stale,) = compare(before, scanner.scan()).schedules
    assert stale.timetable == before["a.sh"].timetable
    assert (
        stale.stale
        == f"line 2: @calendar: {path}:2: '12-32' is not a day of the year (day is out of range for month)"
    )
    path.write_text("12-25\n12-31\n")
    (mended,) = compare({"a.sh": stale}, scanner.scan()).schedules
    assert mended.stale is None


def test_hours_cannot_be_observed_with_previous(scanner: Scanner, calendars: Path) -> None:
    put(calendars, "holidays.txt", "12-25\n12-31 18:00-24:00 the party\n")
    put(Path(scanner.scripts_dir), "a.sh", SCRIPT.replace("skip", "previous"))
    (problem,) = scanner.scan().problems
    assert problem.reason.startswith("@calendar: holidays.txt: the party closes hours, not whole days")


def test_a_registration_of_the_ledger_is_made_with_the_calendar_of_now(
    scanner: Scanner, calendars: Path
) -> None:
    put(calendars, "holidays.txt", "12-25\n")
    header = "# @schedule 30 2 * * *\n# @calendar holidays next"
    recalled = scanner.recall("a.sh", header=header, sha256="0")
    assert recalled is not None
    assert str(recalled.timetable.observance) == "holidays.txt next"
    assert scanner.shelf.observance("holidays.txt next") == recalled.timetable.observance
    assert scanner.shelf.observance("gone.txt next") is None
    assert scanner.shelf.observance("holidays.txt sideways") is None


def test_a_hundred_scripts_share_the_work_of_one_calendar(scanner: Scanner, calendars: Path) -> None:
    put(calendars, "holidays.txt", "12-25\n")
    for number in range(100):
        put(Path(scanner.scripts_dir), f"{number}.sh", SCRIPT)
    found = scanner.scan().schedules
    assert len({id(schedule.timetable.closures) for schedule in found}) == 1
    assert len({schedule.timetable for schedule in found}) == 1
