"""A runner that plays a script of its own: no process, no file, only the event loop's timers.

It goes on a virtual loop as well as on a real one, and keeps the real runner's promises:
`tests/machine/test_runner_contract.py` asks both the same questions.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from schedd.fire import Ended, Outcome, Reason, RunId, Status
from schedd.host.clock import Clock
from schedd.runner.launch import Launch


@dataclass(frozen=True)
class Play:
    """What a run does: how long it takes, what it prints, and the fields of its outcome."""

    duration_ms: int = 0
    outcome: dict[str, Any] = field(default_factory=dict)
    output: bytes = b""
    starts: bool = True
    """False for one that cannot be started; its outcome has to say so."""


@dataclass
class Playing:
    launch: Launch
    play: Play
    pid: int
    started_ms: int | None = None
    started_s: float = 0.0
    timer: asyncio.Handle | None = None
    ending: bool = False
    over: asyncio.Event = field(default_factory=asyncio.Event)


class ScriptedRunner:
    """Has the surface of `schedd.runner.runner.Runner`; `play` says what each launch will do."""

    def __init__(
        self,
        *,
        clock: Clock,
        report: Callable[[Ended], None],
        started: Callable[[RunId, int, int], None],
        play: Callable[[Launch], Play],
    ) -> None:
        self.launched: list[Launch] = []
        self.most_live = 0
        self._clock = clock
        self._report = report
        self._started = started
        self._play = play
        self._loop = asyncio.get_running_loop()
        self._pids = itertools.count(1000)
        self._runs: dict[RunId, Playing] = {}
        self._finished: dict[RunId, tuple[bytes | None, str | None]] = {}

    def start(self, launch: Launch) -> None:
        run_id = launch.fire.run_id
        assert run_id not in self._runs, run_id
        self.launched.append(launch)
        run = Playing(launch, self._play(launch), next(self._pids))
        self._runs[run_id] = run
        run.timer = self._loop.call_soon(self._begin, run)

    def stop(self, run_id: RunId, reason: Reason, text: str) -> bool:
        run = self._runs.get(run_id)
        if run is None:
            return False
        if not run.ending:
            self._end(run, 0, {"status": Status.ERROR, "reason": reason, "error": text})
        return True

    def live(self) -> tuple[tuple[RunId, int, int], ...]:
        return tuple(
            (run_id, run.pid, run.started_ms)
            for run_id, run in self._runs.items()
            if run.started_ms is not None
        )

    def adopt(self, **_settings: Any) -> None:
        """Nothing that could be set changes what is played."""

    async def output(self, run_id: RunId) -> bytes | None:
        run = self._runs.get(run_id)
        if run is not None:
            return run.play.output or None if run.started_ms is not None else None
        return self._finished.get(run_id, (None, None))[0]

    async def result(self, run_id: RunId) -> str | None:
        return self._finished.get(run_id, (None, None))[1]

    def follow(self, run_id: RunId) -> AsyncIterator[bytes]:
        return self._follow(self._runs.get(run_id))

    async def close(self) -> None:
        for run_id in tuple(self._runs):
            self.stop(run_id, Reason.STOPPED, "stopped, because schedd was stopped")
        for run in tuple(self._runs.values()):
            await run.over.wait()

    def _begin(self, run: Playing) -> None:
        if not run.play.starts:
            self._finish(run, run.play.outcome)
            return
        run.started_ms, run.started_s = self._clock.now_ms(), self._clock.monotonic()
        self.most_live = max(self.most_live, len(self.live()))
        limit_ms = run.launch.timeout_ms
        if limit_ms and run.play.duration_ms > limit_ms:
            late = {"status": Status.TIMEOUT, "reason": Reason.TIMEOUT, "error": "ran longer than its limit"}
            run.timer = self._loop.call_later(limit_ms / 1000, self._end, run, 0, late)
        else:
            run.timer = self._loop.call_later(
                run.play.duration_ms / 1000, self._finish, run, {"status": Status.OK, **run.play.outcome}
            )
        self._started(run.launch.fire.run_id, run.pid, run.started_ms)

    def _end(self, run: Playing, delay_s: float, outcome: dict[str, Any]) -> None:
        run.ending = True
        if run.timer is not None:
            run.timer.cancel()
        run.timer = self._loop.call_later(delay_s, self._finish, run, outcome)

    def _finish(self, run: Playing, outcome: dict[str, Any]) -> None:
        run_id = run.launch.fire.run_id
        lasted_s = self._clock.monotonic() - run.started_s if run.started_ms is not None else 0
        fields = {
            "started_ms": run.started_ms,
            "ended_ms": self._clock.now_ms(),
            "duration_ms": round(lasted_s * 1000),
            "output_bytes": len(run.play.output) if run.started_ms is not None else 0,
            "exit_code": 0 if outcome["status"] is Status.OK else None,
            **outcome,
        }
        del self._runs[run_id]
        printed = run.play.output if run.started_ms is not None else b""
        self._finished[run_id] = (printed or None, fields.get("result"))
        run.over.set()
        self._report(Ended(run.launch.fire, Outcome(**fields)))

    async def _follow(self, run: Playing | None) -> AsyncIterator[bytes]:
        if run is not None:
            if run.play.output:
                yield run.play.output
            await run.over.wait()
