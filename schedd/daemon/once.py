"""One run in the foreground, put together as the daemon would: the same runner, settings and environment.

Nothing is claimed and no line is written: this is for the person who wants to see what the daemon would do.
What the script itself keeps (SCHEDD_STATE_DIR) is the daemon's, where whoever asks may write there.
"""

import asyncio
import os
import signal
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

from schedd.config import Config
from schedd.daemon.compose import means_of, output_policy
from schedd.fire import Ended, Fire, Kind, Outcome, Reason
from schedd.host import identity
from schedd.host.clock import SystemClock
from schedd.ledger import history
from schedd.ledger.ledger import FIRES_NAME
from schedd.runner import accounts, environment
from schedd.runner.launch import Launch
from schedd.runner.runner import Runner
from schedd.schedule import Schedule
from schedd.timetable.instant import Slot, to_ms

LOOKED_BACK = 1000
"""So many of the script's newest lines are searched for the slots that ran before."""


@dataclass(frozen=True, slots=True)
class Once:
    """One run to make: of a script, for a slot or by hand, with files in `state_dir`."""

    config: Config
    launch: Launch
    state_dir: str

    def environment(self) -> dict[str, str]:
        """Return what the script gets; SCHEDD_RESULT is drawn anew at the start.

        Raises CannotStartError when its env file cannot be understood, or its user is not there.
        """
        around = environment.surroundings(path=self.config.path, state_dir=self.state_dir)
        now_ms = SystemClock().now_ms()
        schedule = self.launch.schedule
        whose = accounts.resolve(schedule.user, schedule.group)
        return around.for_run(self.launch, started_ms=now_ms, result_path="", identity=whose)

    def run(self, show: Callable[[bytes], None]) -> Outcome:
        """Run it, and `show` its output as it comes. ^C stops it as the daemon would: TERM, grace, KILL."""
        return asyncio.run(self._run(show))

    async def _run(self, show: Callable[[bytes], None]) -> Outcome:
        loop = asyncio.get_running_loop()
        over: asyncio.Future[Ended] = loop.create_future()
        config, run_id = self.config, self.launch.fire.run_id
        runner = Runner(
            clock=SystemClock(),
            report=over.set_result,
            started=lambda *_: None,
            state_dir=self.state_dir,
            grace_s=config.grace_ms / 1000,
            output=output_policy(config),
            means=replace(means_of(config), node_hosts=0),
        )
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, runner.stop, run_id, Reason.STOPPED, f"stopped by {number.name}")
        try:
            runner.start(self.launch)
            async for chunk in runner.follow(run_id):
                show(chunk)
            return (await over).outcome
        finally:
            await runner.close()


@contextmanager
def prepared(config: Config, schedule: Schedule, slot: Slot | None) -> Iterator[Once]:
    """Prepare a run of the script; without the right to write where the daemon does, in a private place."""
    fire = Fire(
        identity.run_ids()(SystemClock().now_ms()),
        schedule.script,
        schedule.expression,
        Kind.MANUAL if slot is None else Kind.REPLAY,
        slot,
    )
    past = _past(config.state_dir, schedule.script, slot)
    launch = Launch(fire=fire, schedule=schedule, **past)
    if os.access(config.state_dir, os.W_OK | os.X_OK):
        yield Once(config, launch, config.state_dir)
        return
    with tempfile.TemporaryDirectory(prefix="schedd-run-", ignore_cleanup_errors=True) as directory:
        yield Once(config, launch, directory)


def _past(state_dir: str, script: str, slot: Slot | None) -> Mapping[str, Slot]:
    """Return the newest earlier slot that ran, and the newest that ended ok, as far as the fires log says."""
    query = history.Query(script=script, limit=LOOKED_BACK, include_rotated=True)
    try:
        page = history.read(os.path.join(state_dir, FIRES_NAME), query)
    except OSError:
        return {}
    past: dict[str, Slot] = {}
    for entry in page.entries:
        if entry.slot is None or entry.started_at is None:
            continue
        ran = Slot(to_ms(entry.slot) // 1000)
        if slot is None or ran < slot:
            past.setdefault("prev_slot", ran)
            if entry.status == "ok":
                past.setdefault("last_ok_slot", ran)
    return past
