"""Ten thousand runs in one daemon, most of which leave something behind: `python -m bench.many_runs`.

Descriptors, processes, zombies and memory are counted when nothing runs: after the first runs of each kind,
when all that is started on first use is there, and after all of them.
"""

import argparse
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from bench import results
from bench.soak.subject import Sight, Subject

SECTION = "Ten thousand runs"
RUNS = 10_000
PAUSE, RESUME = "/api/v1/exec/schedules/pause", "/api/v1/exec/schedules/resume"
QUIET_S = 2.0
PATIENCE_S = 60.0

SETTINGS = 'listen = ""\nlog_level = "error"\n'
"""Logs that are not rotated: their lines are counted."""

DAEMON = """import os, time

def main():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            time.sleep(300)
        os._exit(0)
    os.wait()
    return 1
"""
KINDS: dict[str, tuple[str, str, int]] = {
    "a shell script that does nothing": ("sh", "", 30),
    "one that leaves a `sleep 300 &`": ("sh", "sleep 300 &\n", 12),
    "one that leaves a daemon: `setsid`, forked twice": ("sh", "(setsid sleep 300 &)\n", 12),
    "one that leaves ten zombies": ("sh", "for i in 1 2 3 4 5 6 7 8 9 0; do (true &); done\n", 6),
    "one with limits, by the launcher": ("sh", "# @files 99\n", 12),
    "Python, forked": ("py", "def main(): return 1\n", 30),
    "Python that leaves a daemon": ("py", DAEMON, 12),
    "JavaScript": ("mjs", "export default () => 1\n", 6),
}
"""Extension, text and how many such scripts are due each second."""


def main() -> None:
    """Do it, and show the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.many_runs", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"how many (default {RUNS:,})")
    parser.add_argument("--keep-results", action="store_true", help="write the table into bench/RESULTS.md")
    wanted = parser.parse_args()
    base = Path(tempfile.mkdtemp(prefix="schedd-many-"))
    try:
        text = "\n".join(measure(base, wanted.runs))
    finally:
        shutil.rmtree(base)
    print(text)
    if wanted.keep_results:
        results.keep(text, section=SECTION)


def measure(base: Path, runs: int) -> Iterator[str]:
    """Yield the lines of the table."""
    subject = Subject(base)
    (base / "schedd.toml").write_text(SETTINGS)
    scripts = lay(subject.scripts)
    try:
        subject.start()
        early = quiet(subject, scripts * 3)
        before_s = time.monotonic()
        subject.ask("POST", RESUME, {"all": True})
        late = quiet(subject, runs)
        took_s = time.monotonic() - before_s
        ended = done(subject)
        subject.stop()
    finally:
        subject.close()
    yield f"{ended:,} runs, {scripts} due each second, in {took_s:.0f} s, beside other work:"
    yield ""
    for what, (_, _, times) in KINDS.items():
        yield f"- {100 * times // scripts} %: {what}"
    yield ""
    yield f"| when nothing runs | after {scripts * 3} runs | after {ended:,} |"
    yield "|---|---|---|"
    yield from compared(early, late)


def lay(directory: Path) -> int:
    """Write the scripts; return how many there are."""
    directory.mkdir()
    count = 0
    for number, (extension, text, times) in enumerate(KINDS.values()):
        for copy in range(times):
            mark = "//" if extension == "mjs" else "#"
            path = directory / f"{number}-{copy}.{extension}"
            path.write_text(f"{mark} @schedule * * * * * *\n{text}")
            count += 1
    return count


def quiet(subject: Subject, runs: int) -> Sight:
    """Wait for so many runs, then until nothing runs, and look."""
    while done(subject) < runs:
        time.sleep(0.5)
    subject.ask("POST", PAUSE, {"all": True})
    deadline = time.monotonic() + PATIENCE_S
    while subject.ask("GET", "/readyz")["running"]:
        assert time.monotonic() < deadline, "runs do not end"
        time.sleep(0.1)
    time.sleep(QUIET_S)
    return subject.seen()


def done(subject: Subject) -> int:
    """Count the runs that have ended well."""
    return (subject.state / "fires.log").read_bytes().count(b'"status":"ok"')


def compared(early: Sight, late: Sight) -> Iterator[str]:
    """Yield the rows."""
    yield f"| descriptors of the daemon | {early.descriptors} | {late.descriptors} |"
    yield f"| processes below it: nurseries, launcher, hosts | {early.processes} | {late.processes} |"
    yield f"| zombies | {early.zombies} | {late.zombies} |"
    yield f"| threads | {early.threads} | {late.threads} |"
    yield f"| memory (RSS) | {early.rss_mib:.1f} MiB | {late.rss_mib:.1f} MiB |"
    yield f"| memory of the nurseries (PSS) | {early.nurseries_mib:.1f} MiB | {late.nurseries_mib:.1f} MiB |"


if __name__ == "__main__":
    main()
