"""Whether a script could run, found out before its first run and without running anything of it.

Its interpreter is there, its source compiles for that interpreter, and what it `@requires` is there. What
was found out by reading is remembered for this content and this interpreter, so that a file which nobody
touched costs a look into a table at the next reload; what is true of the host is looked at each time.

A script that was registered before the daemon stopped is not read again: it passed then. And whatever keeps
a checker from answering (a crash, a file that takes minutes) is only worth a warning: a backup that would
run is worth more than the opinion of a compiler.
"""

import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from schedd.runner import checkers, plan
from schedd.runner.checkers import Answer, Batch, Job, Word
from schedd.runner.command import CannotStartError, Tools
from schedd.runner.languages.choice import Interpreter, Languages
from schedd.runner.readers import Reader, reader_of
from schedd.runner.requires import Requirements
from schedd.schedule import Fault, Inspection, Schedule, opening

BATCH_FILES = 1000
SMALL_BATCH_FILES = 25
"""Fewer are not worth another child."""
MOST_AT_ONCE = 8
HEAD_BYTES = 4096
"""Enough to tell who runs a script."""
_FINE = Answer(Word.FINE)


@dataclass(frozen=True, slots=True)
class _Known:
    """What was found out about one version of a script."""

    schedule: Schedule
    opening: bytes
    reader: Reader | None = None
    answer: Answer | None = None
    """What the reader said; None = nobody was asked yet."""


@dataclass(slots=True)
class _Look:
    """One examination: what it has come to, and what there is still to be read."""

    known: dict[str, _Known] = field(default_factory=dict)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    doubts: dict[str, list[Fault]] = field(default_factory=dict)
    unread: list[_Known] = field(default_factory=list)
    interpreters: dict[object, tuple[Interpreter, Reader | None]] = field(default_factory=dict)
    """Thousands of scripts have the same; looking for it costs a dozen system calls."""


class Preflight:
    """Remembers what it found out. `examine` blocks for as long as children need: call it in a thread.

    `monotonic` is a clock in seconds.
    """

    def __init__(self, tools: Tools, *, scripts_dir: str, monotonic: Callable[[], float]) -> None:
        self._scripts_dir = os.path.realpath(scripts_dir)
        self._monotonic = monotonic
        self._known: dict[str, _Known] = {}
        self._trusted: dict[str, str] = {}
        self._at_once = min(len(os.sched_getaffinity(0)), MOST_AT_ONCE)
        self._requirements = Requirements(tools.path)
        self.adopt(tools)

    def adopt(self, tools: Tools) -> None:
        """Look for interpreters and programs elsewhere from now on."""
        self._path = tools.path
        self._languages = Languages(tools)
        self._requirements.path_env = tools.path

    def trust(self, script: str, sha256: str) -> None:
        """Take a script with this content for one that can be read: it was registered before."""
        self._trusted[script] = sha256

    def examine(self, schedules: Sequence[Schedule], *, every: bool) -> Mapping[str, Inspection]:
        """Return what there is to say, by script; of most there is nothing.

        `every` means that there are no others: what is known of others is forgotten.
        """
        look = _Look()
        for schedule in schedules:
            self._look_at(look, schedule)
        for known, answer in self._read(look.unread):
            schedule = known.schedule
            _note(look, schedule.script, known.reader, answer)
            if answer.word is not Word.UNASKED:
                look.known[schedule.script] = replace(known, answer=answer)
        self._known = look.known if every else self._known | look.known
        return {
            script: Inspection(tuple(look.faults.get(script, ())), tuple(look.doubts.get(script, ())))
            for script in look.faults.keys() | look.doubts.keys()
        }

    def _look_at(self, look: _Look, schedule: Schedule) -> None:
        """Look at one script as far as that can be done without reading it."""
        script = schedule.script
        known = self._recalled(schedule)
        lacking = self._requirements.lacking(schedule) if schedule.requires else None
        if lacking is not None:
            look.faults.setdefault(script, []).append(Fault(lacking, here=True, directive="requires"))
        try:
            reader = self._reader(look, known)
        except CannotStartError as error:
            look.faults.setdefault(script, []).append(_in_words(error, schedule))
            look.known[script] = known
            return
        if known.reader != reader:
            known = replace(known, reader=reader, answer=None)
        if self._trusted.pop(script, None) == schedule.sha256:
            known = replace(known, answer=_FINE)
        look.known[script] = known
        if known.answer is not None:
            _note(look, script, reader, known.answer)
        elif reader is not None:
            look.unread.append(known)

    def _recalled(self, schedule: Schedule) -> _Known:
        """Return what is known of this version of a script: at least how it begins."""
        known = self._known.get(schedule.script)
        if known is not None and known.schedule is schedule:
            return known
        begins = _opening(schedule.path) if schedule.opening is None else schedule.opening
        if known is not None and known.schedule.sha256 == schedule.sha256:
            return replace(known, schedule=schedule, opening=begins)
        return _Known(schedule, begins)

    def _reader(self, look: _Look, known: _Known) -> Reader | None:
        """Return who can read a script. Raises CannotStartError when there is nobody to run it."""
        schedule = known.schedule
        search = dict(schedule.env).get("PATH")
        key = (schedule.runtime, os.path.splitext(schedule.path)[1], known.opening, search)
        found = look.interpreters.get(key)
        if found is None:
            interpreter = self._languages.interpreter(schedule, known.opening)
            found = interpreter, reader_of(interpreter, schedule.path, self._scripts_dir)
            if interpreter.executable is not None:
                look.interpreters[key] = found
        return found[1]

    def _read(self, unread: Sequence[_Known]) -> Iterator[tuple[_Known, Answer]]:
        """Have scripts read by children, as many at once as there are processors."""
        by_path = {known.schedule.path: known for known in unread}
        batches = list(_batches(unread, self._at_once))
        said = checkers.check(batches, at_once=self._at_once, path_env=self._path, monotonic=self._monotonic)
        for job, answer in said:
            known = by_path[job.path]
            yield known, answer if _is_as_scanned(known.schedule) else _CHANGED


_CHANGED = Answer(Word.UNASKED, "it was written to in the meantime: reload again")


def _batches(unread: Sequence[_Known], at_once: int) -> Iterator[Batch]:
    jobs: dict[tuple[str, ...], list[Job]] = {}
    for known in unread:
        assert known.reader is not None
        jobs.setdefault(known.reader.argv, []).append(Job(known.schedule.path, known.reader.note))
    for argv, each in jobs.items():
        size = max(SMALL_BATCH_FILES, min(BATCH_FILES, -(-len(each) // at_once)))
        for start in range(0, len(each), size):
            yield Batch(argv, tuple(each[start : start + size]))


def _note(look: _Look, script: str, reader: Reader | None, answer: Answer) -> None:
    """Note what a reader said, unless that is nothing."""
    said = f"{reader.name}: {answer.text}" if reader is not None and reader.name else answer.text
    match answer.word:
        case Word.WRONG:
            look.faults.setdefault(script, []).append(Fault(said, answer.line, answer.column))
        case Word.ODD:
            look.doubts.setdefault(script, []).append(Fault(said, answer.line, answer.column))
        case Word.UNKNOWN | Word.UNASKED:
            reason = f"could not be checked: {answer.text}"
            look.doubts.setdefault(script, []).append(Fault(reason, here=True))
        case Word.FINE:
            pass


def _in_words(error: CannotStartError, schedule: Schedule) -> Fault:
    """Return why there is nobody to run a script. What begins with its own path is a fault of the file."""
    text = str(error)
    if text.startswith(f"{schedule.path}:1: "):
        return Fault(text.removeprefix(f"{schedule.path}:1: "), line=1)
    if text.startswith(f"{schedule.path}: "):
        return Fault(text.removeprefix(f"{schedule.path}: "))
    line = 1 if "the #! line" in text else None
    return Fault(text, line, here=True, directive="runtime")


def _opening(path: str) -> bytes:
    """Return how a file begins that was a regular one a moment ago; nothing of one that is gone."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return b""
    try:
        return opening(os.read(fd, HEAD_BYTES))
    except OSError:
        return b""
    finally:
        os.close(fd)


def _is_as_scanned(schedule: Schedule) -> bool:
    try:
        return plan.stamp_of(os.stat(schedule.path)) == schedule.stamp
    except OSError:
        return False
