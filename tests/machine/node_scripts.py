"""Small JavaScript and TypeScript files, and what becomes of them."""

from typing import Any

RETURNS: dict[str, tuple[str, Any]] = {
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
"""Name: text, and what it returns."""

ERRORS: dict[str, tuple[str, str, str]] = {
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
"""Name: text, the start of its error, and what is in its output."""

HABITS: dict[str, str] = {
    "sees_its_process.js": (
        "const p = process; p.stdin.on('data', () => console.log('input?'));\n"
        "console.log(p.argv.length, p.argv0 === p.execPath, p.execArgv, p.cwd(), p.umask(), p.exitCode);\n"
        "console.log(p.ppid !== p.pid, require.main === module, module.children, module.parent);\n"
        "console.log(p.stdout.isTTY);"
    ),
    "sees_its_environment.js": "console.log(Object.entries(process.env).sort().join('\\n'));",
    "shows_its_environment_in_proc.js": (
        "const shown = require('fs').readFileSync('/proc/self/environ', 'latin1').split('\\0');\n"
        "console.log(shown.includes(`SCHEDD_RUN_ID=${process.env.SCHEDD_RUN_ID}`));\n"
        "const line = require('fs').readFileSync('/proc/self/cmdline', 'latin1');\n"
        "console.log(line.includes(`\\0${__filename}\\0`));"
    ),
    "has_three_descriptors.sh.js": (
        "require('child_process').spawnSync('ls', ['/proc/self/fd'], { stdio: 'inherit' });\n"
        "require('child_process').spawnSync('readlink', ['/proc/self/fd/0'], { stdio: 'inherit' });"
    ),
    "tells_the_time.js": (
        "console.log(new Date(0).toString(), Intl.DateTimeFormat().resolvedOptions().timeZone);\n"
        "console.log((1234.5).toLocaleString(), new Date(0).toLocaleString());"
    ),
    "leads_a_session.js": (
        "const s = require('fs').readFileSync('/proc/self/stat', 'latin1').split(') ')[1].split(' ');\n"
        "console.log(+s[2] === process.pid, +s[3] === process.pid);"
    ),
    "has_globals.mjs": (
        "console.log(Object.getOwnPropertyNames(globalThis).sort().join(), typeof require, this);"
    ),
    "orders_its_turns.js": (
        "setTimeout(() => console.log('timeout'), 50); setImmediate(() => console.log('immediate'));\n"
        "process.nextTick(() => console.log('tick')); Promise.resolve().then(() => console.log('micro'));\n"
        "console.log('now');"
    ),
    "calls_back.js": "require('fs').readFile(__filename, (e, d) => console.log(String(d).length));",
    "beats.mjs": (
        "let n = 0; const t = setInterval(() => { console.log(n); if (++n === 3) clearInterval(t); }, 1);"
    ),
    "floods_and_exits.js": "for (let i = 0; i < 3e4; i++) console.log('x'.repeat(99)); process.exit(0);",
    "floods_and_throws.mjs": (
        "for (let i = 0; i < 3e4; i++) console.error('x'.repeat(99));\nthrow new Error('after all');"
    ),
    "writes_both.js": "for (let i = 0; i < 50; i++) { console.log('out', i); console.error('err', i); }",
    "writes_and_calls.js": (
        "process.stdout.write('mine ');\n"
        "require('child_process').execFileSync('echo', ['its'], { stdio: 'inherit' });\n"
        "console.log('mine');"
    ),
    "starts_a_child.mjs": (
        "import { exec } from 'node:child_process';\n"
        "const done = new Promise((tell) => exec('echo $SCHEDD_KIND; pwd', (e, out) => tell(out)));\n"
        "console.log(await done);"
    ),
    "kills_itself.js": "process.kill(process.pid, 'SIGKILL');",
    "is_told_to_end.js": "process.kill(process.pid, 'SIGTERM'); setTimeout(() => {}, 5000);",
    "aborts.js": "console.log('before'); process.abort();",
    "says_goodbye.js": (
        "process.on('exit', (c) => console.log('bye', c));\n"
        "process.on('beforeExit', () => console.log('soon'));"
    ),
    "fails_late.js": "process.on('exit', () => { process.exitCode = 9; });",
    "warns.js": "process.emitWarning('careful', 'ThisWarning', 'W1'); new Buffer(1);",
    "deprecated.mjs": "import url from 'node:url'; console.log(url.parse('http://a/b').host);",
    "uses_the_net.js": (
        "const s = require('net').createServer((c) => c.end('hello')).listen(0, '127.0.0.1', () => {\n"
        "  const c = require('net').connect(s.address().port, '127.0.0.1');\n"
        "  c.on('data', (d) => { console.log(String(d)); s.close(); });\n});"
    ),
    "works_in_threads.js": (
        "const { Worker } = require('worker_threads');\n"
        "const text = 'require(\"worker_threads\").parentPort.postMessage(process.env.SCHEDD_KIND)';\n"
        "new Worker(text, { eval: true }).on('message', console.log);"
    ),
    "hashes_and_zips.mjs": (
        "import { createHash } from 'node:crypto'; import { gzipSync, gunzipSync } from 'node:zlib';\n"
        "console.log(createHash('sha1').update('a').digest('hex'), String(gunzipSync(gzipSync('b'))));"
    ),
    "reads_nothing.js": "console.log(JSON.stringify(require('fs').readFileSync(0, 'utf8')));",
    "evaluates.js": (
        "var a = 1; console.log(typeof globalThis.a, eval('a + 1'), new Function('return typeof a')());"
    ),
    "exports_and_returns.js": "exports.default = () => 'handler'; return 'returned';",
    "throws_in_a_handler.ts": "export default (): never => { throw new URIError('typed'); };",
    "rejects_with_nothing.mjs": "await Promise.reject();",
    "throws_null.js": "throw null;",
    "has_a_cause.js": "throw new Error('outer', { cause: new Error('inner') });",
    "is_empty.ts": "",
    "recurses.js": "const f = () => f(); f();",
}
"""Name: text. What becomes of them is what becomes of them in a process of their own."""
