"""The front door: finds the verb, runs it, and turns whatever happens into an exit code and one sentence.

Exit codes: 0 done, 1 failed or findings, 2 usage or configuration, 3 the daemon is not reachable; 130
after ^C and 141 when nobody reads the output any more, as of any program that a signal ends.

Verbs are imported when they are called, not before: `schedd --help` and a completion need none of them,
and `preview` needs no HTTP client. So their names and first lines stand here; a test compares them with
the commands.
"""

import contextlib
import difflib
import importlib
import io
import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import click
from click.shell_completion import CompletionItem

from schedd import __version__
from schedd.errors import ConfigError, ScheddError, UnreachableError

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_UNREACHABLE = 3
EXIT_INTERRUPTED = 130
EXIT_BROKEN_PIPE = 141

HELP_NAMES = ["-h", "--help"]
COMPLETION_VARIABLE = "_SCHEDD_COMPLETE"


@dataclass(frozen=True, slots=True)
class Verb:
    """One command: where its code is, and what it does in a line."""

    module: str
    help: str


FAMILIES: dict[str, dict[str, Verb]] = {
    "Look": {
        "list": Verb("look", "List the registered scripts, with their last and next fires."),
        "next": Verb("coming", "Show what fires next."),
        "history": Verb("history", "Show how fires ended, newest first."),
        "runs": Verb("look", "Show what runs now, and what is held."),
        "why": Verb("why", "Say why a script did or did not run."),
        "gaps": Verb("why", "Show the slots that have no ok."),
        "output": Verb("output", "Show what a run printed."),
    },
    "Act": {
        "trigger": Verb("act", "Run a script now and wait for its end."),
        "stop": Verb("act", "Stop a run in flight, or drop a held one."),
        "pause": Verb("pause", "Pause a script, or all of them."),
        "resume": Verb("pause", "Resume a script, or all of them."),
        "replay": Verb("why", "Run the slots that have no ok."),
        "reload": Verb("act", "Read the scripts directory again."),
    },
    "Offline": {
        "preview": Verb("preview", "Show when an expression fires."),
        "check": Verb("check", "Check a scripts directory; for git hooks and CI."),
        "run": Verb("run", "Run a script in the foreground, as the daemon would."),
    },
    "Administration": {
        "serve": Verb("serve", "Run the daemon, in the foreground."),
        "token": Verb("token", "Make, list and revoke tokens for the API."),
        "doctor": Verb("doctor", "Say what is wrong on this host, and how to mend it."),
        "config": Verb("settings", "Print the effective settings and where each came from."),
    },
}
VERBS: dict[str, Verb] = {name: verb for family in FAMILIES.values() for name, verb in family.items()}


class Verbs(click.Group):
    """A group whose commands are imported when they are wanted."""

    def list_commands(self, _ctx: click.Context) -> list[str]:
        """Return all names, in the order of the help."""
        return list(VERBS)

    def get_command(self, _ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a verb; None when there is no such verb."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        module = importlib.import_module(f"schedd.cli.{verb.module}")
        command = getattr(module, f"{cmd_name}_verb")
        assert isinstance(command, click.Command)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the verb that the arguments begin with, or say which one was perhaps meant."""
        name = args[0]
        if name not in VERBS and not name.startswith("-") and not ctx.resilient_parsing:
            near = difflib.get_close_matches(name, VERBS, n=1)
            hint = f"did you mean {near[0]!r}?" if near else "the help lists them."
            raise click.UsageError(f"There is no verb {name!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Complete a verb without importing one."""
        verbs = [
            CompletionItem(name, help=verb.help)
            for name, verb in VERBS.items()
            if name.startswith(incomplete)
        ]
        return verbs + click.Command.shell_complete(self, ctx, incomplete)

    def format_commands(self, _ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the families of verbs without importing one."""
        for family, verbs in FAMILIES.items():
            with formatter.section(family):
                formatter.write_dl([(name, verb.help) for name, verb in verbs.items()], col_max=12)


@click.group(cls=Verbs, context_settings={"help_option_names": HELP_NAMES}, subcommand_metavar="VERB ...")
@click.version_option(__version__, message="%(prog)s %(version)s")
def schedd() -> None:
    """The cron daemon whose jobs are scripts that schedule themselves.

    Verbs that look or act ask the daemon over its Unix socket, or over HTTP with --url or SCHEDD_URL and
    a token in SCHEDD_TOKEN. `schedd VERB --help` says more about each.
    """


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line and return its exit code; nothing that a user can cause shows a traceback."""
    _never_fail_on_a_character()
    try:
        code = _run(sys.argv[1:] if argv is None else list(argv))
        sys.stdout.flush()
    except click.ClickException as problem:
        problem.show()
        return problem.exit_code
    except (KeyboardInterrupt, click.Abort):
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        _drop_stdout()
        return EXIT_BROKEN_PIPE
    except ScheddError as problem:
        complain(str(problem))
        return _exit_code(problem)
    except OSError as problem:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
        _drop_stdout()
        where = f"{problem.filename}: " if problem.filename else ""
        complain(f"{where}{problem.strerror or problem}")
        return EXIT_FAILED
    return code


def complain(text: str) -> None:
    """Write each line of the text to stderr, under our name."""
    for line in text.splitlines():
        click.echo(f"schedd: {line}", err=True)


def _run(argv: list[str]) -> int:
    if COMPLETION_VARIABLE in os.environ:
        schedd.main(args=argv, prog_name="schedd", complete_var=COMPLETION_VARIABLE)
    try:
        # Not schedd.main(): it prints on ^C and turns a closed pipe into a failure.
        with schedd.make_context("schedd", argv) as context:
            code = schedd.invoke(context)
    except click.exceptions.Exit as ended:
        return ended.exit_code
    return code if isinstance(code, int) else 0


def _exit_code(problem: ScheddError) -> int:
    match problem:
        case ConfigError():
            return EXIT_USAGE
        case UnreachableError():
            return EXIT_UNREACHABLE
        case _:
            return EXIT_FAILED


def _never_fail_on_a_character() -> None:
    """Give a terminal that lacks a sign of ours an escape, and a closed stream a place to go."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
        elif stream is None:
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115 - as long as the process


def _drop_stdout() -> None:
    """Let the interpreter's last flush go nowhere (signal, "Note on SIGPIPE", in Python's documentation)."""
    with contextlib.suppress(OSError, ValueError):
        devnull = os.open(os.devnull, os.O_WRONLY)
        os.dup2(devnull, sys.stdout.fileno())
        os.close(devnull)
