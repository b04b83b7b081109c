"""`schedd output`: what a run printed, and with -f what it prints, to its end.

The bytes are those of the run, so they come as text and not as events, which have none but characters. With
-f the exit code tells how the run ended, as if it had been started here.

A run is named as people name them: by its id, by the beginning of it, or by the script whose newest run is
meant. Ids sort by time, so the beginnings of two that are close are equal: the more it is, the better.
"""

import re
import sys
from typing import Any

import click

from schedd.cli import client, where
from schedd.cli.main import EXIT_FAILED, complain
from schedd.cli.options import daemon_options
from schedd.errors import ScheddError
from schedd.host.clock import sleep

LOOK_S = 0.5
"""How often a run that waits for its start is asked for."""
TOLD_S = 0.05
TOLD_TRIES = 200
"""A run is told as ended when its line is on the disk: ten seconds, if that does not answer."""
SEARCHED = 1000
"""So many of the newest fires are searched."""
SHOWN = 5

_WHOLE = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_BEGINNING = re.compile(r"[0-9a-fA-F][0-9a-fA-F-]{3,34}")

Run = dict[str, Any]


@click.command("output")
@click.argument("run")
@click.option("-f", "--follow", is_flag=True, help="Go on until the run ends, and exit with how it ended.")
@daemon_options
def output_verb(
    socket: str | None, url: str | None, token_file: str | None, *, run: str, follow: bool
) -> int:
    """Show what a run printed.

    RUN is a run's id, as in `schedd history` and `schedd runs`, the beginning of one, or a script: then it is
    its newest run. The bytes are those of the run, as they are.

    With -f the exit code is 0 if the run ended ok, and 1 if it did not.
    """
    if not run.strip():
        raise click.UsageError("Which run? `schedd history` and `schedd runs` show them.")
    return _output(where.find(socket=socket, url=url, token_file=token_file), run, follow=follow)


def _output(target: where.Target, name: str, *, follow: bool) -> int:
    run_id = _find(target, name)
    if not follow:
        _pour(target, run_id)
        return 0
    entry = _follow(target, run_id)
    if entry["status"] == "ok":
        return 0
    error = f": {entry['error']}" if entry.get("error") else ""
    sys.stdout.flush()
    complain(f"the run ended with {entry['status']}{error}")
    return EXIT_FAILED


def _follow(target: where.Target, run_id: str) -> Run:
    """Show the output as it comes; return the line of the fire when it is over.

    Raises ScheddError when the daemon says no more of a run that goes on.
    """
    printed = tries = 0
    while tries < TOLD_TRIES:
        printed += 0 if printed else _pour(target, run_id, follow=True)
        run: Run = client.ask(target, "GET", f"/runs/{run_id}", has="state")
        if run["state"] == "ended":
            if not printed:
                # It may have begun and ended while it was not looked at.
                _pour(target, run_id)
            entry: Run = run["entry"]
            return entry
        # It waits for its start, has just been started, or its line is on its way to the disk.
        tries += bool(printed)
        sleep(TOLD_S if run["state"] == "running" else LOOK_S)
    raise ScheddError("the daemon ended the stream before the run was over; ask again")


def _pour(target: where.Target, run_id: str, *, follow: bool = False) -> int:
    """Show the output; return how many bytes it was."""
    size_bytes = 0
    for chunk in client.stream(target, f"/runs/{run_id}/output", params={"follow": "true"} if follow else {}):
        size_bytes += len(chunk)
        sys.stdout.buffer.write(chunk)
        sys.stdout.buffer.flush()
    return size_bytes


def _find(target: where.Target, name: str) -> str:
    """Return the id of the run that is meant. Raises ScheddError when there is none, or more than one."""
    if _WHOLE.fullmatch(name):
        return name
    if _BEGINNING.fullmatch(name):
        found = _beginning_with(target, name.lower())
        if len(found) > 1:
            more = ", ..." if len(found) > SHOWN else ""
            raise ScheddError(f"{name} begins more than one run: {', '.join(found[:SHOWN])}{more}")
        if found:
            return found[0]
    run_id = _newest_of(target, name)
    if run_id is None:
        raise ScheddError(
            f"no run of {name!r} is known: RUN is an id, the beginning of one among the newest "
            f"{SEARCHED:,} fires, or a script; `schedd history` and `schedd runs` show them"
        )
    return run_id


def _beginning_with(target: where.Target, beginning: str) -> list[str]:
    flying = client.ask(target, "GET", "/runs", has="runs")["runs"]
    past = _history(target, {"limit": str(SEARCHED)})
    ids = dict.fromkeys(run["runId"] for run in [*flying, *past])
    return [run_id for run_id in ids if run_id.startswith(beginning)]


def _newest_of(target: where.Target, script: str) -> str | None:
    """Return the newest run of a script: the last that was started, else the last of those that ran."""
    past = _history(target, {"scriptPath": script, "limit": str(SEARCHED)})
    flying = client.ask(target, "GET", "/runs", has="runs")["runs"]
    live = [run for run in flying if run["startedAt"] and _names(script, run["scriptPath"])]
    ran = [*live, *(entry for entry in past if entry.get("startedAt"))]
    newest = max(ran, key=lambda run: (run["startedAt"], run["runId"]), default=None)
    return None if newest is None else str(newest["runId"])


def _history(target: where.Target, params: dict[str, str]) -> list[Run]:
    asked = params | {"includeRotated": "true"}
    entries: list[Run] = client.ask(target, "GET", "/schedules/history", has="entries", params=asked)[
        "entries"
    ]
    return entries


def _names(given: str, script: str) -> bool:
    """Whether this path, relative or absolute, is that of the script."""
    return given == script or (given.startswith("/") and given.endswith(f"/{script}"))
