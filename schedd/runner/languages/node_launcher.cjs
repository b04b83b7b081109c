// Runs a JavaScript or TypeScript file as schedd promises: `node node_launcher.cjs SCRIPT`.
//
// Accepted: top-level `return` (with or without `await`, with or without `import`), `module.exports =
// handler`, `export default handler`, and plain modules, in CommonJS, ES modules and TypeScript. What the
// script returns goes to $SCHEDD_RESULT as JSON; what it dies of goes to $SCHEDD_RESULT.error in one line.
//
// How: the source is tried as the body of a function, then of an async function, then, its leading imports
// taken out, as the body of an async function in a module. Wrapping comes before the removal of types, which
// refuses a top-level `return`, and never adds a line, so that errors name the right one. What fits none of
// these is a module (or has an error), and Node loads it in its own way.
//
// CommonJS itself, since a script in CommonJS then never waits for Node's loader of modules (8 ms).

'use strict';

const fs = require('node:fs');
const nodeModule = require('node:module');
const path = require('node:path');
const process = require('node:process');
const { pathToFileURL } = require('node:url');
const { inspect } = require('node:util');
const vm = require('node:vm');

const OPEN = '(async()=>{';
const CLOSE = '\n})()';

const script = process.argv[2];
const url = pathToFileURL(script).href;
const resultPath = process.env.SCHEDD_RESULT;
let lastWords = null;
let settled = false;

// What Node says when its own machinery is called experimental is not the script's output.
const emitWarning = process.emitWarning;
process.emitWarning = (warning, ...rest) => {
  if (!/Type Stripping|stripTypeScriptTypes|registerHooks|DEFAULT_LOADER/i.test(String(warning))) emitWarning.call(process, warning, ...rest);
};

process.argv.splice(1, 2, script);
process.on('uncaughtExceptionMonitor', (error) => {
  lastWords = inOneLine(error);
  withoutLauncher(error);
});
process.on('beforeExit', () => {
  if (settled) return;
  settled = true;
  lastWords = 'the script never finished: what it awaits was still pending when nothing was left to wait for';
  fs.writeSync(2, `${script}: ${lastWords}\n`);
  process.exitCode = 13;
});
process.on('exit', (code) => {
  if (code !== 0 && lastWords !== null) write(`${resultPath}.error`, lastWords);
});

globalThis.metadata = Object.freeze({
  runId: process.env.SCHEDD_RUN_ID,
  script: process.env.SCHEDD_SCRIPT,
  kind: process.env.SCHEDD_KIND,
  attempt: Number(process.env.SCHEDD_ATTEMPT ?? 1),
  slot: process.env.SCHEDD_SLOT ?? null,
  slotEpoch: process.env.SCHEDD_SLOT_EPOCH === undefined ? null : Number(process.env.SCHEDD_SLOT_EPOCH),
  prevSlot: process.env.SCHEDD_PREV_SLOT ?? null,
  lastOkSlot: process.env.SCHEDD_LAST_OK_SLOT ?? null,
  deadline: process.env.SCHEDD_DEADLINE ?? null,
  stateDir: process.env.SCHEDD_STATE_DIR,
});

run().then(
  (value) => {
    settled = true;
    if (value !== undefined && value !== null) write(resultPath, toJson(value));
  },
  (error) => {
    settled = true;
    // Out of the promise, as a plain script would throw it: to the script's own handler if it has one.
    process.nextTick(die, error);
  },
);

/** Throw at top level; where Node would show the line below as the culprit, print what it would print else. */
function die(error) {
  const located = error instanceof SyntaxError && !placeIn(error);
  if (located || process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()) throw error;
  lastWords = inOneLine(error);
  withoutLauncher(error);
  fs.writeSync(2, `${error instanceof Error ? '' : 'Uncaught '}${inspect(error)}\n\nNode.js ${process.version}\n`);
  process.exit(1);
}

async function run() {
  const source = fs.readFileSync(script, 'utf8').replace(/^\uFEFF/, '').replace(/^#!/, '//');
  const format = declaredFormat();
  if (format !== 'module') {
    const body = asBody(source);
    if (body !== null && parses(body)) return asCommonJs(body);
    if (body !== null) return asCommonJs(`return${OPEN}${body}${CLOSE}`);
  }
  return asModule(format === 'commonjs' ? null : asReturningModule(source), source);
}

/** `module` or `commonjs` where the name or the nearest package.json says so. */
function declaredFormat() {
  const suffix = path.extname(script);
  if (suffix === '.mjs' || suffix === '.mts') return 'module';
  if (suffix === '.cjs' || suffix === '.cts') return 'commonjs';
  const found = nodeModule.findPackageJSON(url);
  if (found === undefined) return undefined;
  try {
    return JSON.parse(fs.readFileSync(found, 'utf8')).type;
  } catch {
    return undefined; // Node names the broken package.json itself, if the script needs it
  }
}

/** The source without its types, if it can be the body of an async function, else null. */
function asBody(source) {
  const wrapped = withoutTypes(`${OPEN}${source}${CLOSE}`);
  if (wrapped === null || !isScript(wrapped)) return null;
  return wrapped.slice(OPEN.length, wrapped.length - CLOSE.length);
}

/** The source as a module whose default export is what its top level returns, or null if it has no return. */
function asReturningModule(source) {
  if (!/\breturn\b/.test(source)) return null;
  const { imports, rest } = withoutImports(source);
  if (asBody(rest) === null) return null;
  return withoutTypes(`${imports}export default await ${OPEN}${rest}${CLOSE}`);
}

function withoutTypes(source) {
  if (!/\.[mc]?ts$/.test(script)) return source;
  try {
    return nodeModule.stripTypeScriptTypes(source);
  } catch {
    return null;
  }
}

function isScript(source) {
  try {
    // Only a module may say import.meta; whether it is one is not the question here.
    new vm.Script(source.replace(/\bimport\.meta\b/g, 'import_meta'), { filename: script });
    return true;
  } catch {
    return false;
  }
}

function parses(body) {
  try {
    compiled(body);
    return true;
  } catch {
    return false;
  }
}

function compiled(body) {
  return vm.compileFunction(body, ['exports', 'require', 'module', '__filename', '__dirname'], {
    filename: script,
    importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
  });
}

async function asCommonJs(body) {
  const main = new nodeModule.Module(script, null);
  let startsItself = false;
  main.filename = script;
  main.paths = nodeModule.Module._nodeModulePaths(path.dirname(script));
  main.id = '.';
  process.mainModule = main;
  nodeModule.Module._cache[script] = main;
  const require = nodeModule.createRequire(script);
  // `if (require.main === module) main()`: such a script runs itself, its export is for others.
  Object.defineProperty(require, 'main', { get: () => { startsItself = true; return main; } });
  const value = await compiled(body).call(main.exports, main.exports, require, main, script, path.dirname(script));
  main.loaded = true;
  if (value !== undefined || startsItself) return value;
  return handled(typeof main.exports === 'function' ? main.exports : main.exports?.default);
}

async function asModule(returning, source) {
  globalThis.require ??= nodeModule.createRequire(script);
  // `if (import.meta.main) main()`: as with require.main above; Node takes the launcher for the main module.
  const startsItself = source.includes('import.meta.main');
  if (returning !== null) {
    serve(() => ({ format: 'module', source: returning, shortCircuit: true }));
  } else if (startsItself) {
    serve((load) => {
      const loaded = load();
      return { ...loaded, source: `import.meta.main=true;${String(Buffer.from(loaded.source))}` };
    });
  }
  const exported = await import(url);
  if (returning !== null) return exported.default;
  return startsItself ? undefined : handled(exported.default);
}

/** Let `change` decide what Node loads for the script; it may ask for what Node itself would. */
function serve(change) {
  nodeModule.registerHooks({
    load(wanted, context, next) {
      return wanted === url ? change(() => next(wanted, context)) : next(wanted, context);
    },
  });
}

function handled(exported) {
  const callable = typeof exported === 'function' && !/^class\b/.test(Function.prototype.toString.call(exported));
  return callable ? exported(globalThis.metadata) : undefined;
}

/** Take the static imports from the top of a module: as one line, and the source with blanks in their place. */
function withoutImports(source) {
  const space = /(?:\s|\/\/[^\n]*|\/\*[^]*?\*\/|;)*/y;
  const directive = /(?:'[^'\n]*'|"[^"\n]*")[ \t]*(?:;|(?=\r?\n))/y;
  const name = '(?:[^\'"`;(){}=]|\\{[^{}]*\\})*?';
  const statement = new RegExp(`import\\b(?!\\s*[.(])(?:${name}\\bfrom\\b)?\\s*(?:'[^'\\n]*'|"[^"\\n]*")(?:\\s*with\\s*\\{[^{}]*\\})?[ \\t]*;?`, 'y');
  const comments = /\/\/[^\n]*|\/\*[^]*?\*\//g;
  const imports = [];
  let rest = source;
  for (let at = 0; ;) {
    space.lastIndex = at;
    space.exec(source);
    directive.lastIndex = statement.lastIndex = space.lastIndex;
    if (directive.exec(source)) {
      at = directive.lastIndex;
      continue;
    }
    statement.lastIndex = space.lastIndex;
    const found = statement.exec(source);
    if (!found) return { imports: imports.join(''), rest };
    at = statement.lastIndex;
    imports.push(`${found[0].replace(comments, ' ').replace(/\s+/g, ' ').replace(/;?\s*$/, '')};`);
    rest = rest.slice(0, found.index) + found[0].replace(/[^\n]/g, ' ') + rest.slice(at);
  }
}

function write(file, text) {
  try {
    if (resultPath) fs.writeFileSync(file, text);
  } catch {
    // A script may have given up the right to write there, or the disk is full: then there is no result.
  }
}

/** JSON of a value; what JSON has no word for becomes {"$string": …}. */
function toJson(value) {
  const marked = (unknown) => ({ $string: typeof unknown === 'bigint' ? String(unknown) : inspect(unknown) });
  const known = (_key, item) => {
    if (typeof item === 'bigint' || typeof item === 'function' || typeof item === 'symbol') return marked(item);
    if (typeof item === 'number' && !Number.isFinite(item)) return marked(item);
    if (item instanceof Map || item instanceof Set || item instanceof Error || item instanceof RegExp) return marked(item);
    return item;
  };
  try {
    return JSON.stringify(value, known);
  } catch {
    return JSON.stringify(marked(value)); // it holds itself, or its toJSON throws
  }
}

function inOneLine(error) {
  if (!(error instanceof Error)) return `thrown: ${inspect(error)}`.split('\n')[0];
  const [first] = `${error.name}: ${error.message}`.split('\n');
  if (!(error instanceof SyntaxError)) return first;
  const place = placeIn(error);
  return place === null ? `${first} (${path.basename(script)})` : `${first} (${path.basename(place[1])}, line ${place[2]})`;
}

/** Where a syntax error is, if its stack starts with that. */
function placeIn(error) {
  return /^(?:file:\/\/)?(\/[^\n]*):(\d+)\n/.exec(error.stack ?? '');
}

function withoutLauncher(error) {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return;
  const own = path.basename(__filename);
  error.stack = error.stack.split('\n').filter((line) => !/^\s+at /.test(line) || !line.includes(own)).join('\n');
}
