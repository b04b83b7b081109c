"""`schedd run`: a script in the foreground, exactly as the daemon runs it.

"It works in my shell" is where most scheduled scripts begin to fail, so the first thing that is shown is how
the script's environment differs from the shell's. Values that only the shell has are not shown: they may be
secrets, and the script does not get them anyway.
"""

import json
import os
import signal
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import click
from dateutil import parser

from schedd import config
from schedd.cli import moments, screen
from schedd.cli.check import trusted
from schedd.cli.flags import absolute, setting_option
from schedd.cli.main import EXIT_FAILED, complain
from schedd.cli.options import config_option, json_option
from schedd.config import Config
from schedd.daemon.settings import defaults_of
from schedd.errors import ScheddError
from schedd.fire import Outcome, Reason, Status
from schedd.schedule import Keepers, Schedule
from schedd.scripts.scan import Scanner
from schedd.timetable.instant import Slot, from_slot

EXIT_TIMEOUT = 124
EXIT_NOT_STARTED = 126
"""As timeout(1) and the shell have them."""

NAMES_SHOWN = 12


@click.command("run")
@click.argument("script", type=click.Path(), metavar="SCRIPT")
@click.option(
    "--slot",
    metavar="TIME",
    help="Run for this slot: an instant, or without an offset a time on the clock of the script's zone.",
)
@click.option("-q", "--quiet", is_flag=True, help="Print what the script prints, and nothing else.")
@json_option
@setting_option("scripts_dir", "DIR")
@setting_option("state_dir", "DIR")
@config_option
def run_verb(
    *,
    script: str,
    slot: str | None,
    quiet: bool,
    as_json: bool,
    scripts_dir: str | None,
    state_dir: str | None,
    config_file: str | None,
) -> int:
    """Run a script in the foreground, as the daemon would.

    The same environment, limits, user and runtime; no line is written and nobody's @lock is looked at.
    SCRIPT is a path, absolute or relative to the scripts directory or to here. Exits with the script's code;
    124 after its @timeout, 126 when it could not be started, 128+N after signal N, 1 where @expect failed.
    With --json its output goes to stderr, and how it ended to stdout.
    """
    from schedd.daemon import once  # noqa: PLC0415 - nobody else's verb needs the daemon's parts

    flags = {"scripts_dir": absolute(scripts_dir), "state_dir": absolute(state_dir)}
    settings = config.load(file=config_file, flags=flags)
    root, name = _place(script, settings.scripts_dir)
    schedule = _registered(root, name, settings)
    due = None if slot is None else _slot(slot, schedule)
    with once.prepared(settings, schedule, due) as prepared:
        given = prepared.environment()
        if not quiet and not as_json:
            _tell_environment(schedule, given, due)
        outcome = prepared.run(_show_beside if as_json else _show)
    if as_json:
        click.echo(json.dumps(_told(outcome, given), ensure_ascii=False))
    elif not quiet:
        _tell_outcome(outcome)
    return _exit_code(outcome)


def _place(script: str, scripts_dir: str) -> tuple[str, str]:
    """Return the scripts directory and the script in it; a file elsewhere is in a directory of its own."""
    root = os.path.realpath(scripts_dir)
    for path in (os.path.join(root, script), os.path.abspath(script)):
        if path.startswith(root + "/") and os.path.lexists(path):
            return root, os.path.relpath(path, root)
    path = os.path.abspath(script)
    if not os.path.lexists(path):
        raise ScheddError(f"{script} is neither in {scripts_dir} nor here; give its path.")
    return os.path.split(path)


def _registered(root: str, name: str, settings: Config) -> Schedule:
    scanner = Scanner(root, defaults=defaults_of(settings, Keepers()), trusted_uids=trusted(root))
    found = scanner.read(name)
    if isinstance(found, Schedule):
        return found
    path = os.path.join(root, name)
    if found is None:
        raise ScheddError(f"{path} has no @schedule line in its header; a script begins with one.")
    raise ScheddError("\n".join(f"{path}:{p.line or 1}:{p.column or 1}: {p.reason}" for p in found))


def _slot(text: str, schedule: Schedule) -> Slot:
    zone = ZoneInfo(schedule.timezone)
    try:
        moment = parser.isoparse(text.strip().replace(" ", "T"))
    except (ValueError, OverflowError):
        raise click.UsageError(f"--slot {text!r} is not an instant like 2027-01-31T09:00Z.") from None
    aware = moment.replace(tzinfo=zone) if moment.tzinfo is None else moment
    due = Slot(int(aware.timestamp()))
    if schedule.timetable.next_after(Slot(due - 1)) != due:
        following = schedule.timetable.next_after(due)
        hint = "" if following is None else f"; the next one is {from_slot(following)}"
        complain(f"{from_slot(due)} is no slot of {schedule.expression!r}{hint}")
    return due


def _show(chunk: bytes) -> None:
    sys.stdout.buffer.write(chunk)
    sys.stdout.buffer.flush()


def _show_beside(chunk: bytes) -> None:
    sys.stderr.buffer.write(chunk)
    sys.stderr.buffer.flush()


def _tell_environment(schedule: Schedule, given: Mapping[str, str], due: Slot | None) -> None:
    zone = ZoneInfo(schedule.timezone)
    when = "by hand" if due is None else f"for {datetime.fromtimestamp(due, UTC).astimezone(zone)}"
    complain(f"{schedule.path}, {when}; its environment against that of this shell:")
    for name in sorted(given.keys() - {"SCHEDD_RESULT"}):
        if name not in os.environ:
            complain(screen.clean(f"  + {name}={_value(name, given[name], schedule)}"))
        elif os.environ[name] != given[name]:
            here = os.environ[name]
            complain(screen.clean(f"  ~ {name}={_value(name, given[name], schedule)}   (here: {here})"))
    absent = sorted(os.environ.keys() - given.keys())
    if absent:
        more = f" and {len(absent) - NAMES_SHOWN} more" if len(absent) > NAMES_SHOWN else ""
        complain(screen.clean(f"  - {' '.join(absent[:NAMES_SHOWN])}{more}"))


def _value(name: str, value: str, schedule: Schedule) -> str:
    """A variable from the script's own hand may be a secret of its env file: only the header's are shown."""
    ours = name.startswith("SCHEDD_") or dict(schedule.env).get(name) == value or schedule.env_file is None
    return value if ours else "(of its env file)"


def _tell_outcome(outcome: Outcome) -> None:
    reason = "" if outcome.reason is None else f" ({outcome.reason.value})"
    used = [f"after {moments.length(outcome.duration_ms)}"]
    if outcome.cpu_ms is not None:
        used.append(f"processor time {moments.length(outcome.cpu_ms)}")
    if outcome.max_rss_kb is not None:
        used.append(f"at most {outcome.max_rss_kb / 1024:.0f} MiB")
    error = "" if outcome.error is None else f": {outcome.error}"
    complain(screen.clean(f"{outcome.status.value}{reason}, {', '.join(used)}{error}"))
    if outcome.result is not None:
        complain(screen.clean(f"result: {outcome.result}"))


def _told(outcome: Outcome, given: Mapping[str, str]) -> dict[str, object]:
    common = given.keys() & os.environ.keys()
    return {
        "status": outcome.status.value,
        "reason": None if outcome.reason is None else outcome.reason.value,
        "error": outcome.error,
        "exitCode": outcome.exit_code,
        "signal": outcome.signal,
        "durationMs": outcome.duration_ms,
        "cpuMs": outcome.cpu_ms,
        "maxRssKb": outcome.max_rss_kb,
        "outputBytes": outcome.output_bytes,
        "result": None if outcome.result is None else json.loads(outcome.result),
        "environment": {
            "added": sorted(given.keys() - os.environ.keys()),
            "changed": sorted(name for name in common if given[name] != os.environ[name]),
            "absent": sorted(os.environ.keys() - given.keys()),
        },
    }


def _exit_code(outcome: Outcome) -> int:
    if outcome.status is Status.OK:
        return 0
    if outcome.status is Status.TIMEOUT:
        return EXIT_TIMEOUT
    if outcome.started_ms is None:
        return EXIT_NOT_STARTED
    if outcome.signal is not None:
        return 128 + getattr(signal, outcome.signal, 0)
    if outcome.reason is Reason.UNEXPECTED:
        return EXIT_FAILED
    return outcome.exit_code or EXIT_FAILED
