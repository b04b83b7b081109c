"""Node.js hosts: a script in one is what it is in a process of its own, and nothing of them is ever left."""

import json
import os
import re
import resource
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
import pytest_asyncio

from schedd.fire import Reason, Status
from schedd.runner import deaths
from schedd.runner.starts import Means
from schedd.schedule import Mode
from tests.machine.node_scripts import ERRORS, HABITS, RETURNS
from tests.machine.node_ways import MINIMUM, Bench
from tests.machine.running import alive, children, descriptors, gone, workshop

EVERY = {name: of[0] for name, of in (RETURNS | ERRORS).items()} | HABITS

OWN_STACK = re.compile(r"\n +at [^\n]*|\n *\d+: [^\n]*|\(node:\d+\)|Node\.js v[^\n]*")
"""What tells how a script was called, and the pid."""

ONCE = {"warns.js", "deprecated.mjs"}
"""What Node says once in the life of a process."""


@pytest_asyncio.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path)
    await made.stock_up()
    yield made
    await made.close()


@pytest.mark.parametrize("name", EVERY)
async def test_a_script_in_a_host_does_what_it_does_in_a_new_process(bench: Bench, name: str) -> None:
    order = bench.order(name, EVERY[name] + "\n")
    hosted, cold = await bench.hosted(order), await bench.started_cold(order)
    assert plain(hosted.outcome) == plain(cold.outcome)
    assert bench.colds == 0


@pytest.mark.parametrize("name", sorted(EVERY.keys() - ONCE))
async def test_a_warm_script_does_what_it_does_in_a_new_process(bench: Bench, name: str) -> None:
    order = bench.order(name, EVERY[name] + "\n", reused=True)
    first = await bench.ended(bench.ask(bench.hosts, order))
    second = await bench.ended(bench.ask(bench.hosts, order))
    cold = await bench.started_cold(order)
    assert plain(first.outcome) == plain(second.outcome) == plain(cold.outcome)
    assert bench.colds == 0


def plain(outcome: tuple[object, ...]) -> tuple[object, ...]:
    code, ended_by, output, *rest = outcome
    return code, ended_by, OWN_STACK.sub("", str(output)), *rest


async def test_a_host_serves_one_run(bench: Bench) -> None:
    order = bench.order("leaves_a_global.js", "return globalThis.n = (globalThis.n ?? 0) + 1;\n")
    first, second = await bench.hosted(order), await bench.hosted(order)
    assert (first.result, second.result) == ("1", "1")
    assert first.pid != second.pid
    assert not alive(first.pid)


async def test_a_host_was_there_before_its_script(bench: Bench) -> None:
    waiting = set(children())
    seen = await bench.hosted(bench.order("is_quick.js", "return 1;\n"))
    assert seen.pid in waiting


async def test_umask_nice_and_limits_are_those_of_the_order(bench: Bench) -> None:
    text = (
        "const fs = require('fs');\n"
        "return [process.umask(), require('os').getPriority(), process.cwd(),\n"
        "  /open files +(\\d+) +(\\d+)/.exec(fs.readFileSync('/proc/self/limits', 'utf8')).slice(1),\n"
        "  fs.readdirSync('/proc/self/task')\n"
        "    .map((thread) => fs.readFileSync(`/proc/self/task/${thread}/stat`, 'utf8'))\n"
        "    .every((stat) => stat.split(') ')[1].split(' ')[16] === '7')];\n"
    )
    nice = 7 - os.getpriority(os.PRIO_PROCESS, 0)
    order = bench.order(
        "shows.js", text, umask=0o027, nice=nice, cwd="/usr", rlimits=((resource.RLIMIT_NOFILE, 300, 400),)
    )
    assert json.loads((await bench.hosted(order)).result or "") == [
        0o027,
        7,
        "/usr",
        ["300", "400"],
        True,
    ]
    assert bench.colds == 0


async def test_a_host_is_put_into_the_cgroup_of_its_run(bench: Bench) -> None:
    procs = bench.root / "cgroup.procs"
    fd = os.open(procs, os.O_WRONLY | os.O_CREAT)
    seen = await bench.hosted(bench.order("is_confined.js", "return 1;\n", cgroup_fd=fd))
    os.close(fd)
    assert procs.read_text() == str(seen.pid)


@pytest.mark.parametrize(
    ("name", "value", "hosted"),
    [
        ("NODE_OPTIONS", "--no-warnings", False),
        ("LC_ALL", "C.UTF-8", False),
        ("LANG", "de_DE.UTF-8", False),
        ("NODE_ENV", "production", True),
        ("TZ", "Europe/Berlin", True),
        ("HOME", "/elsewhere", True),
        ("BIG", "x" * 70_000, False),
    ],
)
async def test_what_node_reads_at_its_start_asks_for_a_new_process(
    bench: Bench, name: str, value: str, hosted: bool
) -> None:
    order = bench.order("shows.js", f"return process.env.{name};\n", env={name: value})
    seen = await bench.hosted(order)
    assert json.loads(seen.result or "") == value
    assert bench.colds == (0 if hosted else 1)


async def test_a_host_that_dies_while_it_waits_is_replaced(bench: Bench) -> None:
    (waiting,) = children()
    os.kill(waiting, signal.SIGKILL)
    await bench.until(lambda: waiting not in children())
    await bench.until(lambda: bench.hosts.waiting() > 0)
    assert (await bench.hosted(bench.order("runs.js", "return 1;\n"))).result == "1"


async def test_three_deaths_in_a_minute_mean_cold_starts_and_a_warning(
    bench: Bench, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(deaths.MOST):
        await bench.until(lambda: bench.hosts.waiting() > 0)
        for pid in children():
            os.kill(pid, signal.SIGKILL)
        await bench.until(lambda: not bench.hosts.waiting())
    seen = await bench.ended(bench.ask(bench.hosts, bench.order("runs.js", "return 1;\n")))
    assert (seen.result, bench.colds) == ("1", 1)
    assert "was killed by SIGKILL; its scripts are started cold for 10 minutes" in caplog.messages[-1]


async def test_a_host_that_dies_with_an_order_that_it_did_not_come_to_does_no_harm(bench: Bench) -> None:
    (waiting,) = children()
    os.kill(waiting, signal.SIGSTOP)
    seen = bench.ask(bench.hosts, bench.order("runs.js", "return 1;\n"))
    os.kill(waiting, signal.SIGKILL)
    assert (await bench.ended(seen)).result == "1"
    assert bench.colds == 1
    assert seen.pid != waiting


async def test_a_directory_that_is_gone_is_told_as_by_a_cold_start(bench: Bench) -> None:
    order = bench.order("runs.js", "return 1;\n", cwd=str(bench.root / "gone"))
    seen = await bench.hosted(order)
    assert isinstance(seen.failure, FileNotFoundError)
    assert seen.failure.filename == order.cwd


async def test_no_hosts_are_kept_when_the_setting_says_so(bench: Bench) -> None:
    (waiting,) = children()
    bench.hosts.adopt(spares=0, cache=bench.cache, environment=MINIMUM)
    await gone(waiting)
    seen = await bench.ended(bench.ask(bench.hosts, bench.order("runs.js", "return 1;\n")))
    assert (seen.result, bench.colds) == ("1", 1)


async def test_hosts_end_with_their_daemon(bench: Bench) -> None:
    (waiting,) = children()
    await bench.hosts.close()
    assert not alive(waiting)
    assert children() == []


async def test_a_warm_script_keeps_its_modules_and_nothing_else(bench: Bench) -> None:
    (bench.root / "counts.cjs").write_text("let n = 0; module.exports = () => ++n;\n")
    text = (
        "globalThis.g = (globalThis.g ?? 0) + 1; Array.prototype.mine = (Array.prototype.mine ?? 0) + 1;\n"
        "const kept = require('./counts.cjs')();\nreturn [g, [].mine, kept, process.env.SCHEDD_KIND];\n"
    )
    order = bench.order("is_warm.js", text, reused=True)
    results = [(await bench.ended(bench.ask(bench.hosts, order))).result for _ in range(3)]
    assert results == ['[1,1,1,"manual"]', '[1,1,2,"manual"]', '[1,1,3,"manual"]']


@pytest.mark.parametrize(
    "text",
    [
        "const { x } = await import('./lib.mjs'); return x();",
        "import { x } from './lib.mjs'; export default () => x();",
        "import { x } from './lib.mjs';\nreturn x();",
    ],
)
async def test_warm_modules_share_what_they_import(bench: Bench, text: str) -> None:
    (bench.root / "lib.mjs").write_text("let n = 0; export const x = () => ++n;\n")
    order = bench.order("imports.mjs", text + "\n", reused=True)
    results = [(await bench.ended(bench.ask(bench.hosts, order))).result for _ in range(2)]
    assert results == ["1", "2"]


async def test_a_warm_script_finds_what_it_knows_by_instanceof(bench: Bench) -> None:
    (bench.root / "lib.cjs").write_text(
        "exports.knows = (a, e, f) =>\n"
        "  [a instanceof Array, e instanceof Error, e instanceof TypeError, f instanceof Function];\n"
    )
    text = (
        "const seen = [];\n"
        "try { require('fs').readFileSync('/nowhere'); } catch (e) { seen.push(e instanceof Error); }\n"
        "class Mine extends Error {}\n"
        "seen.push(Buffer.from('') instanceof Uint8Array, new URL('http://a') instanceof URL,\n"
        "  new Mine() instanceof Error, new Error() instanceof Mine, JSON.parse('{}') instanceof Object,\n"
        "  require('fs').statSync('/').mtime instanceof Date);\n"
        "return [seen, require('./lib.cjs').knows([], new TypeError(), () => 1)];\n"
    )
    order = bench.order("knows.js", text, reused=True)
    expected = [[True, True, True, True, False, True, True], [True, True, True, True]]
    for _ in range(2):
        assert json.loads((await bench.ended(bench.ask(bench.hosts, order))).result or "") == expected


SPENT = {
    "exits.js": "process.exit(0);",
    "listens.js": "process.on('SIGUSR2', () => {});\nreturn 1;",
    "leaves_a_child.js": (
        "require('child_process').spawn('sleep', ['30'], { stdio: 'ignore' }).unref();\nreturn 1;"
    ),
    "leaves_a_grandchild.js": "require('child_process').execSync('sleep 30 >/dev/null 2>&1 &');\nreturn 1;",
    "sets_a_code.js": "process.exitCode = 0;",
    "fails.js": "throw new Error('x');",
}


@pytest.mark.parametrize("name", SPENT)
async def test_a_warm_host_ends_with_a_run_that_leaves_something_behind(bench: Bench, name: str) -> None:
    order = bench.order(name, SPENT[name] + "\n", reused=True)
    first = await bench.ended(bench.ask(bench.hosts, order))
    second = await bench.ended(bench.ask(bench.hosts, order))
    if name.startswith("leaves"):
        # To see such children off is the runner's.
        for seen in (first, second):
            os.killpg(seen.pid, signal.SIGKILL)
    assert first.pid != second.pid
    assert not alive(first.pid)


async def test_a_warm_run_is_over_when_its_own_timers_are(bench: Bench) -> None:
    (bench.root / "holds.cjs").write_text(
        "require('net').createServer().listen(0); setInterval(() => {}, 1e6);\n"
    )
    text = "require('./holds.cjs');\nsetTimeout(() => console.log('late'), 30);\nreturn 'settled';\n"
    order = bench.order("has_timers.js", text, reused=True)
    first = await bench.ended(bench.ask(bench.hosts, order))
    second = await bench.ended(bench.ask(bench.hosts, order))
    assert first.pid == second.pid
    assert first.output == second.output == b"late\n"
    assert first.result == '"settled"'


async def test_a_warm_host_goes_when_a_file_of_its_script_changes(bench: Bench) -> None:
    lib = bench.root / "lib.cjs"
    lib.write_text("module.exports = 'old';\n")
    order = bench.order("loads.js", "return require('./lib.cjs');\n", reused=True)
    assert (await bench.ended(bench.ask(bench.hosts, order))).result == '"old"'
    lib.write_text("module.exports = 'new and longer';\n")
    assert (await bench.ended(bench.ask(bench.hosts, order))).result == '"new and longer"'
    changed = bench.order("loads.js", "return 'itself';\n", reused=True)
    assert (await bench.ended(bench.ask(bench.hosts, changed))).result == '"itself"'


async def test_warm_runs_beside_one_another_have_processes_of_their_own(bench: Bench) -> None:
    text = "await new Promise((go) => setTimeout(go, 50));\nreturn process.pid;\n"
    order = bench.order("takes_a_while.js", text, reused=True)
    both = [bench.ask(bench.hosts, order) for _ in range(2)]
    for seen in both:
        await bench.ended(seen)
    assert both[0].pid != both[1].pid


async def test_descriptors_and_processes_are_what_they_were_after_many_runs(bench: Bench) -> None:
    orders = [
        bench.order("prints.js", "console.log(1);\n"),
        bench.order("prints_warm.mjs", "console.log(1);\n", reused=True),
        bench.order("fails_warm.js", "process.exit(3);\n", reused=True),
    ]
    for order in orders:
        await bench.ended(bench.ask(bench.hosts, order))
    await bench.until(lambda: bench.hosts.waiting() == 2)
    before = descriptors(), len(children())
    for order in (*orders[:2] * 20, orders[2]):
        await bench.ended(bench.ask(bench.hosts, order))
    await bench.until(lambda: bench.hosts.waiting() == 2)
    assert (descriptors(), len(children())) == before


HANGS = {
    "blocks.js": "for (;;);",
    "leaks_timers.js": "setInterval(() => {}, 1000);\nreturn 1;",
    "never_settles.js": "setInterval(() => {}, 1000);\nawait new Promise(() => {});",
}


@pytest.mark.parametrize("mode", [None, Mode.WARM])
@pytest.mark.parametrize("name", HANGS)
async def test_a_deadline_ends_a_script_and_its_host(tmp_path: Path, name: str, mode: Mode | None) -> None:
    async with workshop(tmp_path) as shop:
        script = replace(shop.script(name, HANGS[name] + "\n", timeout_ms=150), mode=mode)
        outcome = await shop.run(script)
        assert (outcome.status, outcome.reason) == (Status.TIMEOUT, Reason.TIMEOUT)
        again = await shop.run(script)
        assert again.status is Status.TIMEOUT
        pids = {pid for pid, _ in shop.begun.values()}
    assert len(pids) == 2
    assert not any(map(alive, pids))


async def test_a_full_heap_is_told_as_that(tmp_path: Path) -> None:
    text = "#!/usr/bin/env -S node --max-old-space-size=16\nfor (const all = []; ;) all.push({});\n"
    async with workshop(tmp_path) as shop:
        outcome = await shop.run(shop.script("fills_its_heap.js", text))
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.OUT_OF_MEMORY)
    assert (outcome.error or "").startswith("its JavaScript heap was full")


async def test_the_next_run_of_a_warm_script_does_not_see_the_output_of_the_last(tmp_path: Path) -> None:
    async with workshop(tmp_path) as shop:
        text = "console.log(metadata.runId);\nreturn 1;\n"
        script = replace(shop.script("numbers.js", text), mode=Mode.WARM)
        for _ in range(3):
            run_id = shop.start(script)
            outcome = await shop.ended(run_id)
            assert outcome.status is Status.OK
            assert await shop.runner.output(run_id) == f"{run_id}\n".encode()
        assert len({pid for pid, _ in shop.begun.values()}) == 1


async def test_without_hosts_scripts_run_all_the_same(tmp_path: Path) -> None:
    async with workshop(tmp_path, means=Means(node_hosts=0)) as shop:
        script = replace(shop.script("runs.ts", "return 1 as number;\n"), mode=Mode.WARM)
        assert [(await shop.run(script)).result for _ in range(2)] == ["1", "1"]
        assert children() == []
