"""The numbers of a moment, gathered for Prometheus; see `web.meters` for what is counted as it happens."""

from collections import Counter

from schedd import __version__
from schedd.daemon.daemon import Daemon
from schedd.ledger.ledger import Ledger
from schedd.web import meters
from schedd.web.meters import Now


def now(
    daemon: Daemon,
    ledger: Ledger,
    *,
    now_ms: int,
    host: str,
    journal_dropped: int,
    output_not_in_journal: int,
) -> Now:
    """Return how things are. Walks all schedules once: some milliseconds for ten thousand."""
    planner = daemon.planner
    states: Counter[str] = Counter()
    next_fire_s: dict[str, float] = {}
    last_success_s: dict[str, float] = {}
    for view in planner.views(now_ms):
        script = view.schedule.script
        states[view.status] += 1
        if view.next_slots:
            next_fire_s[script] = view.next_slots[0]
        last = ledger.state.last.get(script)
        if last is not None:
            at_s = meters.last_success_s(status=last.status, ts=last.ts, last_ok_slot=last.last_ok_slot)
            if at_s is not None:
                last_success_s[script] = at_s
    return Now(
        version=__version__,
        host=host,
        states=states,
        failed=len(daemon.reloading.failed),
        running=planner.running_count,
        held=planner.held_count,
        up_since_s=daemon.started_ms / 1000,
        next_fire_s=next_fire_s,
        last_success_s=last_success_s,
        overrunning=tuple(planner.lagging()),
        ledger_queued=ledger.queued_lines,
        ledger_lost=ledger.lost_lines,
        ledger_writes=ledger.writes,
        ledger_write_s=ledger.write_s,
        ledger_failing=bool(ledger.failing),
        journal_dropped=journal_dropped,
        output_not_in_journal=output_not_in_journal,
    )
