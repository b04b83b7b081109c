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
from tests.machine.running import Workshop, workshop

SLOT = 1_790_000_000


@pytest_asyncio.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Workshop]:
    async with workshop(tmp_path) as made:
        yield made


RETURNS = {
    "top_level.js": ("return {rows: 3};", {"rows": 3}),
    "top_level_await.js": (
        "const x = await Promise.resolve(3);\nreturn {x, p: require('path').basename(__filename)};",
        {"x": 3, "p": "top_level_await.js"},
    ),
    "handler.cjs": ("module.exports = async (m) => m.kind;", "manual"),
    "default_in_commonjs.js": ("exports.default = () => 1;", 1),
    "handler.mjs": ("export default async function (m) { return m.script; }", "handler.mjs"),
    "handler_in_js.js": ("import os from 'node:os';\nexport default () => os.EOL;", "\n"),
    "import_and_return.mjs": (
        (
            "#!/usr/bin/env node\n// why\n"
            "import fs, { readFileSync as r,\n  // this\n  existsSync } from 'node:fs';\n"
            "import * as p from \"node:path\"\nconst n = await Promise.resolve(existsSync('/'));\n"
            "return { n, url: import.meta.url.slice(-9), same: r === fs.readFileSync, p: p.sep };"
        ),
        {"n": True, "url": "eturn.mjs", "same": True, "p": "/"},
    ),
    "require_in_a_module.mjs": ("import 'node:fs';\nreturn require('path').sep;", "/"),
    "types.ts": (
        (
            "import { type Stats, statSync } from 'node:fs';\nimport type { X } from './nowhere';\n"
            "interface Row { a: number }\nconst rows: Row[] = [{ a: 1 }];\n"
            "return { rows, dir: (statSync('/') as Stats).isDirectory() } as const;"
        ),
        {"rows": [{"a": 1}], "dir": True},
    ),
    "types_without_import.ts": (
        "const a: number = 1;\nif (a) return await Promise.resolve({ a });",
        {"a": 1},
    ),
    "handler.ts": ("export default async (m: { attempt: number }): Promise<number> => m.attempt;", 1),
    "class.mjs": ("export default class Job {}", None),
    "value.mjs": ("export default { not: 'a result' };", None),
    "nothing.js": ("let x = 1;", None),
    "null.js": ("return null;", None),
    "odd.js": (
        "return { big: 1n, nan: NaN, map: new Map([[1, 2]]), date: new Date(0), u: undefined, f() {} };",
        {
            "big": {"$string": "1"},
            "nan": {"$string": "NaN"},
            "map": {"$string": "Map(1) { 1 => 2 }"},
            "date": "1970-01-01T00:00:00.000Z",
            "f": {"$string": "[Function: f]"},
        },
    ),
    "circular.js": ("const a = []; a.push(a); return a;", {"$string": "<ref *1> [ [Circular *1] ]"}),
    "written.js": ("require('fs').writeFileSync(process.env.SCHEDD_RESULT, '[1]');", [1]),
    "runs_itself.js": (
        (
            "function main() { return 'twice'; }\nif (require.main === module) require('fs').writeFileSync("
            "process.env.SCHEDD_RESULT, '\"once\"');\nmodule.exports = main;"
        ),
        "once",
    ),
    "runs_itself.mjs": (
        (
            "import fs from 'node:fs';\n"
            "if (import.meta.main) fs.writeFileSync(process.env.SCHEDD_RESULT, '\"once\"');\n"
            "export default () => 'twice';"
        ),
        "once",
    ),
    "sees_itself.js": (
        "return [process.argv.length, process.argv[1] === __filename, module.id, typeof exports];",
        [2, True, ".", "object"],
    ),
    "strict.js": ("'use strict';\nreturn (function () { return this === undefined; })();", True),
    "imports_later.js": ("const { sep } = await import('node:path');\nreturn sep;", "/"),
}


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


ERRORS = {
    "throws.mjs": (
        "\n\nfunction f() { throw new TypeError('bad\\nvery'); }\nf();",
        "TypeError: bad",
        "throws.mjs:3:",
    ),
    "throws.js": ("\nthrow new RangeError('x');", "RangeError: x", "throws.js:2:"),
    "throws_text.js": ("throw 'words';", "thrown: 'words'", "Uncaught 'words'"),
    "rejects.js": (
        "module.exports = async () => {\n  await null;\n  throw new Error('late'); };",
        "Error: late",
        "rejects.js:3:",
    ),
    "rejects_unseen.js": (
        "Promise.reject(new Error('nobody'));\nsetTimeout(() => {}, 5000);",
        "Error: nobody",
        "rejects_unseen.js:1",
    ),
    "throws_later.js": (
        "setTimeout(() => { throw new Error('later'); }, 1);",
        "Error: later",
        "throws_later.js:1",
    ),
    "throws_typed.ts": (
        "interface A { a: number }\n\nconst a: A = JSON.parse('null');\nreturn a.a;",
        "TypeError: Cannot read",
        "throws_typed.ts:4:",
    ),
    "returns_late.mjs": (
        "import 'node:fs';\n\nif (1) throw new Error('four');\nreturn 1;",
        "Error: four",
        "returns_late.mjs:3:",
    ),
    "bad_syntax.js": (
        "const a = 1;\nconst b = = 3;",
        "SyntaxError: Unexpected token '=' (bad_syntax.js, line 2)",
        "bad_syntax.js:2",
    ),
    "bad_syntax.mjs": (
        "import 'node:fs';\nconst b = = 3;",
        "SyntaxError: Unexpected token '='",
        "bad_syntax.mjs:2",
    ),
    "bad_syntax.ts": (
        "const a: number = 1;\nconst b: = 3;",
        "SyntaxError: Unexpected token",
        "bad_syntax.ts:2",
    ),
    "lacks_a_module.mjs": ("import './nowhere.mjs';", "Error: Cannot find module", "ERR_MODULE_NOT_FOUND"),
    "never_ends.js": (
        "module.exports = () => new Promise(() => {});",
        "the script never finished",
        "never_ends.js",
    ),
    "never_ends.mjs": ("await new Promise(() => {});", "the script never finished", "never_ends.mjs"),
    "enums.ts": (
        "enum A { X }\nconsole.log(A.X);",
        "SyntaxError: TypeScript enum is not supported",
        "enums.ts:1",
    ),
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
