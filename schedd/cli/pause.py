"""The verbs that keep scripts from firing for a while: pause, resume."""

import json
from typing import Any

import click

from schedd.cli import client, moments, screen, where
from schedd.cli.main import complain
from schedd.cli.options import daemon_options, json_option
from schedd.cli.screen import GOOD, WARN
from schedd.host.clock import SystemClock
from schedd.timetable import duration
from schedd.timetable.instant import from_ms, to_ms

all_option = click.option("--all", "everything", is_flag=True, help="All scripts: maintenance.")


class Until(click.ParamType[str]):
    """An instant to come, or how long from now; the daemon, by whose clock it is over, gets it as it is."""

    name = "TIME"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check an ISO 8601 instant with its offset, or a duration."""
        text = str(value).strip()
        try:
            duration.parse_ms(text)
        except ValueError:
            pass
        else:
            return text
        try:
            return from_ms(to_ms(text))
        except (ValueError, OverflowError):
            self.fail(
                f"{value!r} is neither an instant like 2027-01-31T09:00Z nor a duration like 2h.", param, ctx
            )


@click.command("pause")
@click.argument("script", required=False)
@all_option
@click.option("--note", metavar="TEXT", help="Why, for whoever meets it: in the list and in the history.")
@click.option("--until", type=Until(), help="Resume then, or after so long; else when somebody resumes.")
@json_option
@daemon_options
def pause_verb(
    socket: str | None,
    url: str | None,
    token_file: str | None,
    *,
    script: str | None,
    everything: bool,
    note: str | None,
    until: str | None,
    as_json: bool,
) -> int:
    """Pause a script, or all of them.

    SCRIPT is a path, absolute or relative to the scripts directory. Runs in flight go on, skipped slots are
    on record as disabled, and `schedd trigger --force` runs it all the same. A pause outlives the daemon;
    another one replaces it. In a pipe: paused, script (* for all), end, note; separated by tabs.
    """
    body = _target(script, everything=everything) | {"note": note, "until": until}
    target = where.find(socket=socket, url=url, token_file=token_file)
    answer = client.ask(target, "POST", "/schedules/pause", has="since", body=body)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return 0
    screen.line(
        [("paused", WARN), (f"  {_named(answer)}{_details(answer)}", "")],
        piped=["paused", answer["scriptPath"] or "*", answer["until"] or "", answer["note"] or ""],
    )
    return 0


@click.command("resume")
@click.argument("script", required=False)
@all_option
@json_option
@daemon_options
def resume_verb(
    socket: str | None,
    url: str | None,
    token_file: str | None,
    *,
    script: str | None,
    everything: bool,
    as_json: bool,
) -> int:
    """Resume a script, or all of them.

    SCRIPT is a path, absolute or relative to the scripts directory. --all ends the pause of all; scripts that
    were paused one by one stay so. To resume what is not paused is no failure. In a pipe: resumed or
    unchanged, script (* for all).
    """
    body = _target(script, everything=everything)
    target = where.find(socket=socket, url=url, token_file=token_file)
    answer = client.ask(target, "POST", "/schedules/resume", has="resumed", body=body)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
        return 0
    name = answer["scriptPath"] or "*"
    if answer["resumed"]:
        screen.line([("resumed", GOOD), (f"  {_named(answer)}", "")], piped=["resumed", name])
    else:
        screen.line([(f"{_named(answer)}: not paused", "")], piped=["unchanged", name])
    if answer["pause"] is not None:
        complain(f"all scripts are paused{_details(answer['pause'])}; `schedd resume --all` ends that")
    return 0


def _target(script: str | None, *, everything: bool) -> dict[str, object]:
    """Return the part of the body that says which scripts are meant; a usage error if that is not clear."""
    if everything and script is not None:
        raise click.UsageError("SCRIPT and --all exclude each other; give one.")
    if not everything and not (script or "").strip():
        raise click.UsageError("Say which script, or --all.")
    return {"all": True} if everything else {"scriptPath": script}


def _named(answer: dict[str, Any]) -> str:
    return "all scripts" if answer["all"] else str(answer["scriptPath"])


def _details(pause: dict[str, Any]) -> str:
    until = "" if pause["until"] is None else _until(pause["until"])
    return until if pause["note"] is None else f"{until}: {pause['note']}"


def _until(instant: str) -> str:
    return f" until {moments.wall(to_ms(instant), now_ms=SystemClock().now_ms())}"
