"""The verbs that act on the daemon: trigger, stop, reload."""

import json
import sys
from typing import Any

import click

from schedd.cli import client, moments, screen, where
from schedd.cli.look import run_path
from schedd.cli.main import EXIT_FAILED
from schedd.cli.options import daemon_options, json_option
from schedd.cli.screen import BAD, DIM, GOOD, WARN


@click.command("trigger")
@click.argument("script")
@click.option("--force", is_flag=True, help="Also run a script that is paused, or has a @token line.")
@click.option("--no-wait", is_flag=True, help="Return at once and print the run's id.")
@json_option
@daemon_options
def trigger_verb(
    socket: str | None,
    url: str | None,
    token_file: str | None,
    *,
    script: str,
    force: bool,
    no_wait: bool,
    as_json: bool,
) -> int:
    """Run a script now and wait for its end.

    SCRIPT is a path, absolute or relative to the scripts directory. The exit code is 0 when it ended ok,
    else 1. The run goes on when you don't wait for its end.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    body: dict[str, object] = {"scriptPath": script, "force": force}
    if no_wait:
        body["wait"] = False
    answer = client.ask(target, "POST", "/schedules/trigger", has="runId", body=body, patient=True)
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    elif no_wait:
        click.echo(answer["runId"])
        _advise(f"follow it with `schedd output -f {answer['runId']}`")
    else:
        _tell_outcome(answer)
        _tell_of_output(target, answer)
    return 0 if no_wait or answer["status"] == "ok" else EXIT_FAILED


@click.command("stop")
@click.argument("run")
@json_option
@daemon_options
def stop_verb(socket: str | None, url: str | None, token_file: str | None, *, run: str, as_json: bool) -> int:
    """Stop a run in flight, or drop a held one.

    RUN is a run's id, as in `schedd runs`. Its processes get TERM and, after the grace, KILL.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    answer = client.ask(target, "POST", run_path(run, "stop"), has="runId", body={})
    click.echo(json.dumps(answer) if as_json else f"stopping {answer['runId']}")
    return 0


@click.command("reload")
@click.option("--dry-run", is_flag=True, help="Only say what would change.")
@json_option
@daemon_options
def reload_verb(
    socket: str | None, url: str | None, token_file: str | None, *, dry_run: bool, as_json: bool
) -> int:
    """Read the scripts directory again.

    Waits for the end and prints what changed; exits with 1 if a script failed. Runs in flight are not
    disturbed. In a pipe: what happened, script, reason; separated by tabs.
    """
    target = where.find(socket=socket, url=url, token_file=token_file)
    answer = client.ask(
        target, "POST", "/schedules/reload", has="failed", body={"dry_run": dry_run}, patient=True
    )
    if as_json:
        click.echo(json.dumps(answer, ensure_ascii=False))
    else:
        _tell_reload(answer)
    return EXIT_FAILED if answer["failed"] else 0


def _tell_outcome(answer: dict[str, Any]) -> None:
    cell = screen.status(answer["status"], reason=answer.get("reason"))
    took = moments.length(answer["durationMs"])
    ran = f", after {took}" if answer["triggered"] else ", it did not run"
    screen.line(
        [(cell.shown or cell.plain, cell.style), (f"  {answer['scriptPath']}{ran}", "")],
        piped=[answer["status"], answer["scriptPath"], str(answer["durationMs"]), answer["runId"]],
    )
    if answer.get("error"):
        click.echo(screen.clean(answer["error"]), err=True)


def _tell_of_output(target: where.Target, answer: dict[str, Any]) -> None:
    """Say how to see what the run printed, to a person and if it printed anything."""
    if not answer["triggered"] or not screen.of(sys.stdout).terminal:
        return
    run = client.ask(target, "GET", f"/runs/{answer['runId']}", has="entry")
    if run["entry"] and run["entry"].get("outputBytes"):
        _advise(f"see what it printed with `schedd output {answer['runId']}`")


def _advise(text: str) -> None:
    """Say how to go on, to a person only."""
    if screen.of(sys.stdout).terminal:
        click.echo(text)


def _tell_reload(answer: dict[str, Any]) -> None:
    changed = set(answer.get("changed", ()))
    for word, style, paths in (
        ("added", GOOD, answer["added"]),
        ("changed", WARN, answer.get("changed", ())),
        ("removed", DIM, answer["removed"]),
    ):
        for path in paths:
            screen.line([(f"{word:8}", style), (path, "")], piped=[word, path])
    for word, style, remarks in (
        ("failed", BAD, answer["failed"]),
        ("warning", WARN, answer.get("warnings", ())),
    ):
        for remark in remarks:
            place = _place(remark)
            screen.line(
                [(f"{word:8}", style), (f"{place}: {remark['reason']}", "")],
                piped=[word, place, remark["reason"]],
            )
    if screen.of(sys.stdout).terminal:
        click.echo(_sum(answer, len(changed)))


def _place(remark: dict[str, Any]) -> str:
    parts = (remark["path"], remark.get("line"), remark.get("column"))
    return ":".join(str(part) for part in parts if part is not None)


def _sum(answer: dict[str, Any], changed: int) -> str:
    would = "would be: " if answer["dry_run"] else ""
    counts = [f"{len(answer[what])} {what}" for what in ("added", "kept", "removed", "failed")]
    counts[1] += f" ({changed} changed)"
    return f"{would}{', '.join(counts)}"
