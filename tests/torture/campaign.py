"""One campaign: a daemon, a plan, and a clock that says when it is enough; then the proof.

One thing is done after the other, so that it is known what was registered when; only a request that the kill
is meant to hit runs in a thread.
"""

import http.client
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tests.torture import crash, plan, processes, runs, sources
from tests.torture.registry import Registry
from tests.torture.report import Report
from tests.whole import checker
from tests.whole.child import Child

SETTINGS = f"""\
grace = "500ms"
drain = "1s"
max_running = 12
max_held = 60
fires_max_bytes = 200_000
fires_keep = 10_000
ledger_max_bytes = 100_000
ledger_keep = 10_000
python = "{sys.executable}"
log_level = "warning"
"""
"""Small, so that places are scarce and files turn over; nothing of the fires log is given up."""
AWAY_FROM_S = 200
"""A campaign this long has time for one absence after which slots are caught up rather than late."""
AWAY_S = 70.0
SCHEDULES = "/api/v1/exec/schedules"
SETTLES_WITHIN_S = 6.0
STARTS_IN_S = 0.05
"""A process that was being started when its daemon was killed can be seen by then."""

Answer = tuple[int, Any, int]
"""Status, body, and when it came, in ms since the epoch."""


class Campaign:
    """Owns the daemon, and what is known of it."""

    def __init__(self, base: Path, *, seed: int, seconds: float) -> None:
        self._child = Child(base, settings=SETTINGS)
        self._notes = base / "notes"
        self._locks = base / "locks"
        self._locks.mkdir()
        self._plan = plan.Plan(seed)
        self._registry = Registry()
        self._seconds = seconds
        self._report = Report(seed)
        self._told: set[str] = set()
        self._forgotten: set[str] = set()
        self._places: dict[str, int | None] = {}
        self._threads = ThreadPoolExecutor(8)
        self._boot_s = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        self._refused = _refused_directives(base / "probe")
        self._report.absent.update(f"@{name}" for name in self._refused)

    def run(self) -> Report:
        """Do it all, prove it, and leave nothing behind but files."""
        began_s = time.monotonic()
        try:
            for source in self._plan.first:
                self._write(source)
            self._start()
            self._go_on(began_s)
            self._end()
            self._prove()
        finally:
            self._child.close()
            self._threads.shutdown()
            processes.end_all(self._child.state)
            self._report.seconds = time.monotonic() - began_s
        return self._report

    def _go_on(self, began_s: float) -> None:
        away = self._seconds < AWAY_FROM_S
        for action in self._plan.actions():
            passed_s = time.monotonic() - began_s
            if passed_s > self._seconds:
                return
            if not away and passed_s > self._seconds / 3:
                away = True
                self._do(plan.Kill(away_s=AWAY_S))
                self._report.done["long absence"] += 1
            self._do(action)

    def _do(self, action: plan.Action) -> None:
        match action:
            case plan.Wait(seconds=seconds):
                time.sleep(seconds)
                return
            case plan.Write(source=source):
                self._write(source)
            case plan.Delete(path=path):
                (self._child.scripts / path).unlink()
                self._registry.deleted(path)
            case plan.Reload():
                self._asked(action).result()
            case plan.Trigger():
                self._trigger(action)
            case plan.Replay():
                self._replay(action)
            case plan.Pause(path=path, for_s=for_s):
                self._pause(path, for_s)
            case plan.Resume(path=path):
                self._registry.resumed(path, _now_ms())
                self._post("resume", _target(path))
            case plan.Look(path=path):
                self._look(path)
            case plan.StopRun(which=which):
                self._stop_run(which)
            case plan.KillRuns():
                self._kill_runs(action)
                return
            case plan.Freeze(seconds=seconds):
                self._freeze(seconds)
            case plan.Kill():
                self._kill(action)
                return
            case plan.Restart(away_s=away_s):
                self._child.stop(signal.SIGTERM)
                time.sleep(away_s)
                self._start()
        self._report.done[_named(action)] += 1

    # Load.

    def _write(self, source: sources.Source) -> None:
        """Put a script in its place, whole or not at all."""
        source = source.without(self._refused).written_at(int(time.time()))
        path = self._child.scripts / source.path
        path.parent.mkdir(exist_ok=True)
        beside = path.with_name(f".{path.name}")
        beside.write_text(source.text(self._notes, self._locks))
        beside.rename(path)
        self._registry.wrote(source)
        self._places[source.path] = sources.AT_ONCE[source.place]

    def _asked(self, what: plan.Reload | plan.Trigger) -> "Future[list[Answer | None]]":
        """Ask for it in a thread, and note what became registered when the answers are there."""
        if isinstance(what, plan.Reload):
            self._registry.asked(_now_ms())
            return self._threads.submit(lambda: [self._post("reload", {})])
        bodies = [{"scriptPath": path, "wait": what.wait, "force": True} for path in what.paths]
        return self._threads.submit(lambda: [self._post("trigger", body) for body in bodies])

    def _trigger(self, action: plan.Trigger) -> None:
        """Trigger scripts; one that is not registered becomes so, and is asked for by itself."""
        known = [path for path in action.paths if not self._registry.unregistered(path)]
        for path in set(action.paths) - set(known):
            self._registry.trigger_asked(path, _now_ms())
            answer = self._post("trigger", {"scriptPath": path, "wait": False})
            if answer is not None and answer[0] in (200, 202):
                self._registry.trigger_answered(path, answer[2])
        bodies = [{"scriptPath": path, "wait": action.wait, "force": True} for path in known]
        list(self._threads.map(lambda body: self._post("trigger", body), bodies))

    def _replay(self, action: plan.Replay) -> None:
        now_ms = _now_ms()
        since = {"since": _instant(now_ms - action.back_s * 1000), "until": _instant(now_ms)}
        self._post("replay", {"scriptPath": action.path, "only": action.only, **since})

    def _pause(self, path: str | None, for_s: float | None) -> None:
        until_ms = None if for_s is None else _now_ms() + int(for_s * 1000)
        until = {} if until_ms is None else {"until": _instant(until_ms)}
        self._registry.resumed(path, _now_ms())
        answer = self._post("pause", {**_target(path), "note": "torture", **until})
        if answer is not None and answer[0] == 200:
            self._registry.paused(path, answer[2], until_ms)

    def _look(self, path: str) -> None:
        answer = self._ask("GET", path)
        if answer is None or answer[0] != 200 or "history" not in path:
            return
        entries = answer[1]["entries"]
        self._told.update(entry["runId"] for entry in entries)
        stamps = [entry["ts"] for entry in entries]
        if stamps != sorted(stamps, reverse=True):
            self._report.complaints.append(f"{path}: the entries are not in order: {stamps}")

    def _stop_run(self, which: float) -> None:
        answer = self._ask("GET", "/api/v1/exec/runs")
        found = answer[1]["runs"] if answer is not None and answer[0] == 200 else []
        if found:
            run_id = found[int(which * len(found))]["runId"]
            self._ask("POST", f"/api/v1/exec/runs/{run_id}/stop", {})

    # Faults.

    def _kill_runs(self, action: plan.KillRuns) -> None:
        number = signal.SIGSTOP if action.freeze else signal.SIGKILL
        sent = self._signal_runs(number, random.Random(action.seed), action.chance)
        self._report.done["runs frozen" if action.freeze else "runs killed"] += sent

    def _signal_runs(self, number: int, dice: random.Random, chance: float) -> int:
        """Signal the processes of runs that have begun and not ended, as far as one sees."""
        begun, _ = runs.of(self._read_notes())
        alive = [run.begun for run in begun.values() if run.ended is None][-100:]
        return sum(processes.signal_run(n.pid, n.run_id, number) for n in alive if dice.random() < chance)

    def _freeze(self, seconds: float) -> None:
        assert self._child.process is not None
        self._child.process.send_signal(signal.SIGSTOP)
        time.sleep(seconds)
        self._child.process.send_signal(signal.SIGCONT)

    def _kill(self, action: plan.Kill) -> None:
        dice = random.Random(action.seed)
        if action.on_the_second is not None:
            time.sleep(-time.time() % 1 + action.on_the_second)
        asked = None if action.meanwhile is None else self._asked(action.meanwhile)
        time.sleep(action.lead_s)
        self._child.kill()
        if asked is not None:
            asked.result()
        if action.runs:
            self._report.done["runs killed"] += self._signal_runs(signal.SIGKILL, dice, 0.6)
        self._wreck(action.wreck, dice)
        time.sleep(action.away_s)
        for seconds in action.starts:
            self._registry.asked(_now_ms())
            self._child.spawn()
            time.sleep(seconds)
            self._child.kill()
            self._report.done["kills while starting"] += 1
        self._start()
        if action.on_the_second is not None:
            self._report.done["kills in a turn"] += 1
        during = "" if action.meanwhile is None else f" during a {_named(action.meanwhile)}"
        self._report.done["kills, runs too" if action.runs else f"kills{during}"] += 1

    def _wreck(self, wreck: str | None, dice: random.Random) -> None:
        match wreck:
            case None:
                return
            case "half a line":
                crash.half_a_line(self._child.state, dice)
            case "fires cut":
                crash.fires_cut(self._child.state, dice)
            case "power loss":
                time.sleep(STARTS_IN_S)
                noted = {note.run_id for note in self._read_notes()}
                self._forgotten |= crash.power_loss(
                    self._child.state,
                    dice,
                    begun=lambda run_id: run_id in noted or processes.runs_now(run_id),
                )
        self._report.done[wreck] += 1

    def _start(self) -> None:
        self._registry.asked(_now_ms())
        self._child.start()
        self._registry.answered(_now_ms())

    # Asking.

    def _post(self, verb: str, body: object) -> Answer | None:
        answer = self._ask("POST", f"{SCHEDULES}/{verb}", body)
        if answer is None:
            return None
        status, said, at_ms = answer
        if status in (200, 202) and isinstance(said, dict):
            self._told.update(run_id for run_id in (said.get("runId"),) if run_id)
            if verb == "reload":
                self._registry.answered(at_ms)
        return answer

    def _ask(self, method: str, path: str, body: object = None) -> Answer | None:
        """Return the answer, None if the daemon died over it. What is not there yet is noted."""
        try:
            status, said = self._child.ask(method, path, body)
        except (OSError, http.client.HTTPException, ValueError):
            return None
        if status in (404, 405) and said["error"] != "script not found" and "/runs/" not in path:
            self._report.absent.add(path.partition("?")[0])
        if status >= 500 and status != 503:
            self._report.complaints.append(f"{method} {path} {body}: {status} {said}")
        return status, said, _now_ms()

    # The end.

    def _end(self) -> None:
        """Let it come to rest, and stop it."""
        deadline_s = time.monotonic() + SETTLES_WITHIN_S
        while time.monotonic() < deadline_s:
            answer = self._ask("GET", "/api/v1/exec/runs")
            if answer is not None and answer[0] == 200 and not answer[1]["total"]:
                break
            time.sleep(0.2)
        from_ms = _now_ms()
        code = self._child.stop(signal.SIGTERM)
        self._registry.stopped(from_ms, _now_ms())
        if code != -signal.SIGTERM:
            self._report.complaints.append(f"the daemon ended with {code}")
        left = processes.of(self._child.state)
        if left:
            self._report.complaints.append(f"left running: {left}")
        if "Traceback" in self._child.said():
            self._report.complaints.append(f"a traceback is in {self._child.log}")

    def _prove(self) -> None:
        report = self._report
        lines, torn = checker.read_strictly(self._child.state)
        verdict = checker.prove(lines, self._registry.scripts(), self._registry.bans())
        seen, odd = runs.of(self._read_notes())
        report.complaints += [*torn, *verdict.complaints, *odd, *runs.prove(seen, lines, self._places)]
        unknown = self._told - self._forgotten - {line["runId"] for line in lines}
        report.complaints += [f"somebody was told of {run_id}, and it has no line" for run_id in unknown]
        boots = [line["runId"] for line in lines if line["kind"] == "startup"]
        if len(boots) != 1:
            report.complaints.append(f"the host booted once, and not {len(boots)} times: {boots}")
        report.lines, report.runs = len(lines), len(seen)
        report.by_kind = Counter(line["kind"] for line in lines)
        report.by_end = Counter("/".join(filter(None, (x["status"], x.get("reason")))) for x in lines)
        report.slots, report.lost = sum(verdict.counts.values()), verdict.lost
        report.doubled = verdict.doubled

    def _read_notes(self) -> list[runs.Note]:
        return runs.read(self._notes, boot_s=self._boot_s)


def _refused_directives(probe: Path) -> Collection[str]:
    """Ask this schedd which of the optional directives it does not know."""
    examples = {"catchup": "last", "retry": "1 every 1s", "deadline": "2s", "jitter": "3s"}
    probe.mkdir()
    for name, value in examples.items():
        (probe / f"{name}.sh").write_text(f"#!/bin/sh\n# @schedule @every 1s\n# @{name} {value}\n")
    command = [sys.executable, "-m", "schedd", "check", "--json", str(probe)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return {problem["path"].removesuffix(".sh") for problem in json.loads(done.stdout)["problems"]}


def _target(path: str | None) -> dict[str, object]:
    return {"all": True} if path is None else {"scriptPath": path}


def _named(action: plan.Action) -> str:
    return type(action).__name__.lower()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _instant(at_ms: int) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(at_ms // 1000))}.{at_ms % 1000:03}Z"
