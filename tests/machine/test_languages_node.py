"""JavaScript and TypeScript: what is accepted, what is returned, what is said of an error."""

import json
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from schedd.fire import Reason, Status
from schedd.runner.command import Tools
from schedd.runner.languages.node import OLDEST, Nodes, packaged
from schedd.runner.starts import Means
from tests.machine.node_scripts import ERRORS, RETURNS
from tests.machine.running import Workshop, workshop

SLOT = 1_790_000_000


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


@pytest.mark.parametrize("name", RETURNS)
async def test_what_a_script_returns_is_its_result(shop: Workshop, name: str) -> None:
    text, result = RETURNS[name]
    outcome = await shop.run(shop.script(name, text + "\n"))
    assert (outcome.status, outcome.error) == (Status.OK, None)
    assert outcome.output_bytes == 0
    assert (None if outcome.result is None else json.loads(outcome.result)) == result


async def test_metadata_tells_a_script_about_its_fire(shop: Workshop) -> None:
    script = shop.script("tells.js", "return metadata;\n", timezone="Europe/Berlin")
    run_id = shop.start(script, slot=SLOT, prev_slot=SLOT - 60)
    assert json.loads((await shop.ended(run_id)).result or "") == {
        "runId": run_id,
        "script": "tells.js",
        "kind": "schedule",
        "attempt": 1,
        "slot": "2026-09-21T16:13:20+02:00",
        "slotEpoch": SLOT,
        "prevSlot": "2026-09-21T16:12:20+02:00",
        "lastOkSlot": None,
        "deadline": None,
        "stateDir": f"{shop.state}/scripts/tells.js",
    }


@pytest.mark.parametrize("name", ERRORS)
async def test_what_a_script_dies_of_is_its_error(shop: Workshop, name: str) -> None:
    text, error, printed = ERRORS[name]
    run_id = shop.start(shop.script(name, text + "\n"))
    outcome = await shop.ended(run_id)
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.EXCEPTION)
    assert outcome.error is not None
    assert outcome.error.startswith(error)
    output = (await shop.runner.output(run_id) or b"").decode()
    assert printed in output
    assert "node_launcher" not in output or "SyntaxError" in output


@pytest.mark.parametrize(("text", "code"), [("process.exit(3);", 3), ("process.exitCode = 4;", 4)])
async def test_an_exit_code_is_honoured(shop: Workshop, text: str, code: int) -> None:
    outcome = await shop.run(shop.script("exits.mjs", text))
    assert (outcome.reason, outcome.exit_code) == (Reason.EXIT, code)


async def test_a_script_that_catches_everything_decides_itself(shop: Workshop) -> None:
    text = (
        "process.on('uncaughtException', (e) => console.log('caught', e.message));\nthrow new Error('x');\n"
    )
    run_id = shop.start(shop.script("catches.js", text))
    assert (await shop.ended(run_id)).status is Status.OK
    assert await shop.runner.output(run_id) == b"caught x\n"


@pytest.mark.parametrize(
    ("kind", "text", "works"),
    [
        ("module", "export default () => typeof module;", True),
        ("commonjs", "module.exports = () => typeof module;", True),
        ("module", "module.exports = () => 1;", False),
    ],
)
async def test_a_package_says_what_its_files_are(shop: Workshop, kind: str, text: str, works: Any) -> None:
    (shop.scripts / "package.json").write_text(json.dumps({"type": kind}))
    outcome = await shop.run(shop.script("packaged.js", text + "\n"))
    assert (outcome.status is Status.OK) == works, outcome


async def test_options_in_a_shebang_are_nodes(shop: Workshop) -> None:
    text = "#!/usr/bin/env -S node --no-deprecation\nreturn process.noDeprecation;\n"
    assert (await shop.run(shop.script("has_options.js", text))).result == "true"


async def test_a_fork_sees_a_plain_node(shop: Workshop) -> None:
    text = (
        "const { fork } = require('node:child_process');\n"
        "if (process.send) { process.send(process.execArgv.length); return; }\n"
        "const child = fork(__filename);\n"
        "return new Promise((done) => child.on('message', (got) => { child.disconnect(); done(got); }));\n"
    )
    assert (await shop.run(shop.script("forks.cjs", text))).result == "0"


def test_node_comes_from_the_extra(tmp_path: Path) -> None:
    assert packaged() is not None
    assert Nodes(Tools(str(tmp_path))).interpreter("x.js", None, str(tmp_path)) == packaged()


def fake_node(directory: Path, version: str) -> str:
    fake = directory / "node"
    fake.write_text(f"#!/bin/sh\necho asked >> {directory}/asked\necho {version}\n")
    fake.chmod(0o755)
    return str(fake)


async def test_a_node_that_was_asked_for_but_is_too_old_is_refused(tmp_path: Path) -> None:
    async with workshop(tmp_path, means=Means(node=fake_node(tmp_path, "v22.17.1"))) as shop:
        outcome = await shop.run(shop.script("runs.js", "return 1;\n"))
    assert (outcome.status, outcome.reason) == (Status.ERROR, Reason.SPAWN)
    assert outcome.error == (
        f"{tmp_path}/node is Node.js 22.17, which is too old; "
        "install Node.js 22.18 or newer, or `pip install 'schedd[node]'`"
    )


@pytest.mark.parametrize(
    ("version", "fits"), [("v22.18.0", True), ("v24.0.0", True), ("v9.99.0", False), ("x", False)]
)
async def test_a_version_is_compared_as_numbers(tmp_path: Path, version: str, fits: Any) -> None:
    async with workshop(tmp_path, means=Means(node=fake_node(tmp_path, version))) as shop:
        outcome = await shop.run(shop.script("runs.js", "return 1;\n"))
    assert (outcome.reason is not Reason.SPAWN) == fits
    assert OLDEST == (22, 18)


async def test_node_is_asked_for_its_version_once(tmp_path: Path) -> None:
    async with workshop(tmp_path, means=Means(node=fake_node(tmp_path, "v20.0.0"))) as shop:
        for name in ("a.js", "b.js", "c.js"):
            await shop.run(shop.script(name, "return 1;\n"))
    assert (tmp_path / "asked").read_text() == "asked\n"


async def test_without_any_node_it_says_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if "site-packages" not in entry])
    async with workshop(tmp_path, means=Means(path_env=str(tmp_path))) as shop:
        outcome = await shop.run(shop.script("runs.js", "return 1;\n"))
    assert outcome.reason is Reason.SPAWN
    assert outcome.error is not None
    assert outcome.error.endswith("install Node.js 22.18 or newer, or `pip install 'schedd[node]'`")
