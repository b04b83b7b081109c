"""The write-ahead facts: frozen lines of `ledger.log`, and the state that they add up to.

Each fact is one NDJSON line whose `fact` key names its type. `at` is in milliseconds since the epoch,
slots are in seconds. Facts that are read back may come from a newer version: unknown keys are ignored.
Folding the facts of the current segment, the first of which is a checkpoint of all before it, gives the
`State`: what was registered, claimed, held, and how far the decisions had come.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Self

import msgspec

from schedd.fire import Entry, Fire, Kind, Reason, RunId, Status
from schedd.timetable.instant import Slot


class Fact(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True, tag_field="fact"):
    """One line of the ledger."""


class Up(Fact, frozen=True, tag="up"):
    """The daemon started."""

    at: int
    boot_id: str
    version: str


class Registered(Fact, frozen=True, tag="registered"):
    """From `at` on, the slots of this timetable are due; a later one for the same path replaces it."""

    at: int
    path: str
    expression: str
    timezone: str
    enabled: bool
    sha256: str
    header: str = ""
    """Its directives, so that the last good registration outlives the daemon."""
    jitter_s: int = 0
    """The slots are moved by an offset below this, drawn from the path."""
    calendar: str = ""
    """Which calendar is observed, and how: `holidays.ics next`."""
    calendar_sha256: str = ""
    """Of that calendar's file, as it was read."""


class Unregistered(Fact, frozen=True, tag="unregistered"):
    """From `at` on, nothing of this path is due."""

    at: int
    path: str


class OfFire(Fact, frozen=True):
    """A fact that names a whole fire."""

    at: int
    run_id: RunId
    path: str
    expression: str
    kind: Kind
    slot: Slot | None = None
    attempt: int = 1
    key: str | None = None
    """Who asks for a fire under this key again gets this one; in the first fact of a fire."""

    @classmethod
    def of(cls, fire: Fire, *, at: int, key: str | None) -> Self:
        """Return the fact about this fire."""
        return cls(
            at=at,
            run_id=fire.run_id,
            path=fire.script,
            expression=fire.expression,
            kind=fire.kind,
            slot=fire.slot,
            attempt=fire.attempt,
            key=key,
        )

    def fire(self) -> Fire:
        """Return the fire that it is about."""
        return Fire(self.run_id, self.path, self.expression, self.kind, self.slot, self.attempt)


class Claimed(OfFire, frozen=True, tag="claimed"):
    """The fire was taken; written before its run starts."""


class Held(OfFire, frozen=True, tag="held"):
    """The fire waits; a later claim or end with the same runId settles it."""

    due: int | None = None
    """It does not start before this, in ms since the epoch (a retry)."""


class Stretch(Fact, frozen=True, tag="stretch"):
    """From `first` on, each slot of the path ends with this status; the line with this runId closes it."""

    at: int
    run_id: RunId
    path: str
    expression: str
    first: Slot
    status: Status
    reason: Reason
    error: str = ""


class Paused(Fact, frozen=True, tag="paused"):
    """From `at` on, slots end as `disabled`: of one path, or of all (`path` None: maintenance)."""

    at: int
    by: str
    path: str | None = None
    note: str | None = None
    until: int | None = None
    """It ends by itself then, in ms since the epoch."""


class Resumed(Fact, frozen=True, tag="resumed"):
    """A pause ended, of one path or of all; `by` says who ended it, or that it was over."""

    at: int
    by: str
    path: str | None = None


class Lagging(Fact, frozen=True, tag="lagging"):
    """The runs of a path outlast its interval; a later one has newer numbers."""

    at: int
    path: str
    since: Slot
    """The slot of the first run that outlasted it."""
    slots: int
    """So many were due from then on."""
    span_s: int
    """From the first of them to the last."""
    ran: int
    p50_ms: int
    """The median of its last runs."""


class KeptUp(Fact, frozen=True, tag="kept_up"):
    """They no longer do."""

    at: int
    path: str


class ClockStep(Fact, frozen=True, tag="clock"):
    """The wall clock was set: ahead by `step_ms`, or back when it is negative. `at` is by the new time."""

    at: int
    step_ms: int


class Suspended(Fact, frozen=True, tag="suspend"):
    """The host was suspended for `duration_ms` and woke up at `at`."""

    at: int
    duration_ms: int


class Ended(Fact, frozen=True, tag="ended"):
    """The fire is over; its line in the fires log is `entry`, published right after this fact."""

    entry: Entry
    key: str | None = None


class Watermark(Fact, frozen=True, tag="watermark"):
    """Every slot at or before this one is decided, by the facts before this line."""

    slot: Slot


class Reloaded(Fact, frozen=True, tag="reloaded"):
    """The scripts directory was read again; the numbers say how many paths were in each list."""

    at: int
    added: int
    kept: int
    removed: int
    failed: int


class Down(Fact, frozen=True, tag="down"):
    """The daemon stopped in order."""

    at: int
    why: str


class Lost(Fact, frozen=True, tag="lost"):
    """So many lines were given up before this one, because the disk could not be written for too long.

    The only fact that is found in the fires log too.
    """

    at: int
    lines: int


class LastOutcome(msgspec.Struct, frozen=True, omit_defaults=True, rename="camel", kw_only=True):
    """What is remembered of a script's past: its newest line, and the slots that scripts are told."""

    ts: str
    status: Status
    run_id: RunId
    reason: Reason | None = None
    error: str | None = None
    prev_slot: Slot | None = None
    """The newest slot that ran."""
    last_ok_slot: Slot | None = None
    """The newest slot that ran and ended ok."""


class Keyed(msgspec.Struct, frozen=True, rename="camel", kw_only=True):
    """The fire that was made under a key, and when; the key is a hash of who asked, and of their own key."""

    key: str
    at: int
    run_id: RunId
    path: str


class Checkpoint(Fact, frozen=True, tag="checkpoint"):
    """The state at the start of a segment, so that recovery reads one segment."""

    at: int
    boot_id: str | None
    watermark: Slot | None
    registered: tuple[Registered, ...]
    claimed: tuple[Claimed, ...]
    held: tuple[Held, ...]
    stretches: tuple[Stretch, ...]
    last: dict[str, LastOutcome]
    paused: tuple[Paused, ...] = ()
    keys: tuple[Keyed, ...] = ()
    beyond: dict[str, Slot] = msgspec.field(default_factory=dict)
    spent: Slot = Slot(0)
    """The newest slot of each script that was decided after the watermark."""
    newest: RunId | None = None
    """The fire whose line was the last to be published before this segment."""
    lagging: tuple[Lagging, ...] = ()


AnyFact = (
    Up
    | Registered
    | Unregistered
    | Claimed
    | Held
    | Stretch
    | Ended
    | Watermark
    | Paused
    | Resumed
    | Lagging
    | KeptUp
    | ClockStep
    | Suspended
    | Reloaded
    | Down
    | Lost
    | Checkpoint
)

STEP = 1000
"""So many values are put into one piece of a checkpoint: some 250 KB."""

_ENCODER = msgspec.json.Encoder()
_DECODER: msgspec.json.Decoder[AnyFact] = msgspec.json.Decoder(AnyFact)


def encode(record: msgspec.Struct | str) -> bytes:
    """Return the line of a record, with its newline.

    A file name or a message that is not UTF-8 comes with lone surrogates, which JSON cannot carry; each
    becomes a question mark, for a record must never be refused.
    """
    try:
        return _ENCODER.encode(record) + b"\n"
    except UnicodeEncodeError:
        return _ENCODER.encode(_speakable(msgspec.to_builtins(record))) + b"\n"


def encode_in_steps(checkpoint: Checkpoint) -> Iterator[bytes]:
    """Yield, in pieces, what `encode` returns: made in a thread it does not keep others from their work.

    msgspec holds the interpreter's lock for as long as one call takes: for 100,000 scripts that is 130 ms, in
    which no fire would start.
    """
    small = encode(msgspec.structs.replace(checkpoint, registered=(), last={}))
    before, rest = small.split(b'"registered":[]', 1)
    between, after = rest.split(b'"last":{}', 1)
    yield before + b'"registered":['
    yield from _joined(encode(fact)[:-1] for fact in checkpoint.registered)
    yield b"]" + between + b'"last":{'
    yield from _joined(encode(path)[:-1] + b":" + encode(last)[:-1] for path, last in checkpoint.last.items())
    yield b"}" + after


def decode(line: bytes) -> AnyFact | None:
    """Return the fact of a line (with or without its newline); None when it is not one that is known."""
    try:
        return _DECODER.decode(line)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _joined(values: Iterator[bytes]) -> Iterator[bytes]:
    comma = b""
    while some := list(islice(values, STEP)):
        yield comma + b",".join(some)
        comma = b","


def _speakable(value: object) -> object:
    match value:
        case str():
            return value.encode(errors="replace").decode()
        case dict():
            return {_speakable(key): _speakable(item) for key, item in value.items()}
        case list() | tuple():
            return [_speakable(item) for item in value]
        case _:
            return value
