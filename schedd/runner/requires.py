"""What has to be there before a script is run: programs, files, variables (`@requires`).

Looked at when scripts are registered and again before each run, because a mount or a package comes and goes
without a reload. A file may lie on a disk that does not answer, so files are looked for in threads: whoever
asks waits for a second at most, and not at all while as many looks hang as there are threads.
"""

import asyncio
import concurrent.futures
import os
import shutil
from collections.abc import Callable
from functools import partial

from schedd.errors import ScheddError
from schedd.host.threads import Threads
from schedd.runner import environment
from schedd.runner.command import CannotStartError
from schedd.schedule import Requirement, Schedule

PATIENCE_S = 1.0
THREADS = 4

ALWAYS_SET = frozenset({"PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "TZ"}) | {
    name for name in environment.VARIABLES if name.startswith("SCHEDD_")
}

ABSENT = (FileNotFoundError, NotADirectoryError)


class UnmetError(ScheddError):
    """A run was not started for want of what it requires (status `load_error`, reason `preflight`)."""


Look = concurrent.futures.Future[str | None]


class Requirements:
    """Owns the threads. Scripts whose header does not say otherwise find programs on `path_env`."""

    def __init__(self, path_env: str, *, threads: int = THREADS) -> None:
        self.path_env = path_env
        self._threads = Threads(threads, "requires")
        self._most_hanging = threads
        self._hanging: dict[Look, str] = {}

    def lacking(self, schedule: Schedule) -> str | None:
        """Return a sentence about what is not there, or None. Blocks, a second at most."""
        look = self._begin(schedule)
        try:
            return look.result(PATIENCE_S)
        except TimeoutError:
            return self._give_up(look, schedule)

    def ask(
        self, schedule: Schedule, tell: Callable[[str | None], None], loop: asyncio.AbstractEventLoop
    ) -> None:
        """Find out the same without blocking; `tell` is called once, at once or later."""
        look = self._begin(schedule)
        if look.done():
            tell(look.result())
            return
        told: asyncio.Future[str | None] = loop.create_future()
        timer = loop.call_later(PATIENCE_S, self._too_late, told, look, schedule)
        wrapped = asyncio.wrap_future(look, loop=loop)
        wrapped.add_done_callback(partial(_pass_on, told))
        told.add_done_callback(lambda _: timer.cancel())
        told.add_done_callback(lambda _: wrapped.cancel() and None)
        told.add_done_callback(lambda done: tell(done.result()))

    def close(self) -> None:
        """Take no more questions; nobody waits for the threads."""
        self._threads.shutdown()

    def _begin(self, schedule: Schedule) -> Look:
        """Look at once where that cannot take long, else let a thread do it."""
        if not _needs_disk(schedule):
            return _told(unmet(schedule, self.path_env))
        self._hanging = {look: script for look, script in self._hanging.items() if not look.done()}
        if len(self._hanging) >= self._most_hanging or schedule.script in self._hanging.values():
            return _told(_no_answer(schedule))
        return self._threads.submit(unmet, schedule, self.path_env)

    def _too_late(self, told: "asyncio.Future[str | None]", look: Look, schedule: Schedule) -> None:
        if not told.done():
            told.set_result(self._give_up(look, schedule))

    def _give_up(self, look: Look, schedule: Schedule) -> str:
        if not look.cancel():
            self._hanging[look] = schedule.script
        return _no_answer(schedule)


def unmet(schedule: Schedule, path_env: str) -> str | None:
    """Return a sentence that names all that is not there, or None. Blocks for as long as the disk does."""
    try:
        variables = _variables(schedule, path_env)
    except CannotStartError as error:
        return str(error)
    except OSError:
        return None  # no room to open the env file; the start will find that out, and wait
    missing = (_missing(requirement, variables) for requirement in schedule.requires)
    return "; ".join(sentence for sentence in missing if sentence) or None


def _needs_disk(schedule: Schedule) -> bool:
    return any(
        requirement.kind == "file" or (requirement.kind == "env" and schedule.env_file is not None)
        for requirement in schedule.requires
    )


def _variables(schedule: Schedule, path_env: str) -> dict[str, str]:
    """Return what the script will find in its environment, apart from what is always there."""
    variables = {"PATH": path_env}
    if schedule.env_file is not None:
        variables.update(environment.read_env_file(schedule.env_file))
    variables.update(schedule.env)
    return variables


def _missing(requirement: Requirement, variables: dict[str, str]) -> str | None:
    """Return what to say of a requirement that is not met."""
    asked = f"@requires {requirement.kind}:{requirement.name}"
    match requirement.kind:
        case "cmd":
            search = variables["PATH"]
            found = shutil.which(requirement.name, path=search)
            return None if found else f"{asked}: no such program is installed, or not on PATH ({search})"
        case "env":
            is_set = requirement.name in variables or requirement.name in ALWAYS_SET
            return None if is_set else f"{asked}: it is not set; give it with @env or @env-file"
        case _:
            fault = fault_of_file(requirement.name)
            return None if fault is None else f"{asked}: {fault}"


def fault_of_file(path: str) -> str | None:
    """Return why a file is not there; None when it is. Blocks for as long as its disk does."""
    try:
        os.stat(path)
    except OSError as error:
        return in_words(error)
    return None


def in_words(error: OSError) -> str | None:
    """Return what a failed look at a file says of it; what this user may not look at may well be there."""
    if isinstance(error, PermissionError):
        return None
    return "it is not there" if isinstance(error, ABSENT) else error.strerror


def _no_answer(schedule: Schedule) -> str:
    names = " ".join(f"file:{each.name}" for each in schedule.requires if each.kind == "file")
    return f"@requires {names}: the disk does not answer" if names else "the disk does not answer"


def _told(sentence: str | None) -> Look:
    look: Look = Look()
    look.set_result(sentence)
    return look


def _pass_on(told: "asyncio.Future[str | None]", asked: "asyncio.Future[str | None]") -> None:
    if not told.done() and not asked.cancelled():
        told.set_result(asked.result())
