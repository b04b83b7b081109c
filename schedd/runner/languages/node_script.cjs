// Runs one JavaScript or TypeScript file as schedd promises, however the process came to be: as a new one
// (node_launcher.cjs), or as one that waited for a script (node_host.cjs).
//
// Accepted: top-level `return` (with or without `await`, with or without `import`), `module.exports =
// handler`, `export default handler`, and plain modules, in CommonJS, ES modules and TypeScript;
// node_source.cjs says how. What the script returns goes to $SCHEDD_RESULT as JSON; what it dies of goes to
// $SCHEDD_RESULT.error in one line.
//
// What is printed is written at once and whole: Node would keep it in memory while the pipe is full, without
// bounds, and throw it away at process.exit().
//
// CommonJS itself, since a script in CommonJS then never waits for Node's loader of modules (8 ms).

'use strict';

const fs = require('node:fs');
const nodeModule = require('node:module');
const path = require('node:path');
const process = require('node:process');
const { pathToFileURL } = require('node:url');
const { inspect } = require('node:util');

const ways = require('./node_source.cjs');

const OWN_FILES = path.join(__dirname, 'node_');
const MOST_KEPT_CHARS = 1 << 20;
const MOST_CAUSES = 10;
const OUTPUT_FULL_WAIT_MS = 5;

/**
 * What this process is running: `script`, `url`, `resultPath`; `lastWords`, what it dies of; whether it has
 * `settled`, and `says` so itself; `dry`, to be called when it has and nothing is left to wait for.
 */
let run = null;

/** Do all that can be done before a script is known; return the directory of the cache, or null if it has none. */
function settleIn(cache) {
  const emitWarning = process.emitWarning;
  // What Node says when its own machinery is called experimental is not the script's output.
  process.emitWarning = (warning, ...rest) => {
    if (!/Type Stripping|stripTypeScriptTypes|registerHooks|DEFAULT_LOADER|VM Modules/i.test(String(warning))) emitWarning.call(process, warning, ...rest);
  };
  for (const name of ['stdout', 'stderr']) printAtOnce(name);
  process.on('uncaughtExceptionMonitor', (error) => {
    if (run === null) return;
    run.lastWords = inOneLine(error);
    withoutOwnFiles(error);
  });
  process.on('beforeExit', () => {
    if (run === null) return;
    if (run.settled) {
      run.dry?.();
      return;
    }
    run.settled = true;
    run.lastWords = 'the script never finished: what it awaits was still pending when nothing was left to wait for';
    say(`${run.script}: ${run.lastWords}\n`);
    process.exitCode = 13;
  });
  process.on('exit', (code) => {
    if (run !== null && code !== 0 && run.lastWords !== null) write(`${run.resultPath}.error`, run.lastWords);
  });
  return openCache(cache);
}

/** Let writes to a stream wait for room, from its first use on. */
function printAtOnce(name) {
  const original = Object.getOwnPropertyDescriptor(process, name);
  Object.defineProperty(process, name, {
    ...original,
    get() {
      Object.defineProperty(process, name, original);
      const stream = process[name];
      stream._handle?.setBlocking?.(true);
      return stream;
    },
  });
}

/** Use a directory for what Node compiles; its parent has to be there, or it is a strange place to write to. */
function openCache(directory) {
  if (!directory) return null;
  try {
    fs.mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (error.code !== 'EEXIST') return null;
  }
  nodeModule.enableCompileCache(directory);
  return directory;
}

/** Run a script, as the only one of this process. */
function begin(script, cache) {
  enter(script);
  globalThis.metadata = metadata();
  evaluated(script, cache).then(succeeded, failed);
}

async function evaluated(script, cache) {
  const { way, text, source } = prepared(script, cache);
  return way === 'commonjs' ? asCommonJs(text) : asModule(text, source);
}

/** Make a script the one that this process runs. */
function enter(script, dry) {
  run = { script, url: pathToFileURL(script).href, resultPath: process.env.SCHEDD_RESULT, lastWords: null, settled: false, says: false, dry };
  process.argv.splice(1, process.argv.length, script);
  return run;
}

/** No script is running. */
function leave() {
  run = null;
}

function succeeded(value) {
  run.settled = true;
  if (value !== undefined) run.says = true;
  if (value !== undefined && value !== null) write(run.resultPath, toJson(value));
}

function failed(error) {
  run.settled = true;
  // Out of the promise, as a plain script would throw it: to the script's own handler if it has one.
  process.nextTick(die, error);
}

/** Throw at top level; where Node would show the line below as the culprit, print what it would print else. */
function die(error) {
  const located = error instanceof SyntaxError && !placeIn(error);
  if (located || process.listenerCount('uncaughtException') > 0 || process.hasUncaughtExceptionCaptureCallback()) throw error;
  run.lastWords = inOneLine(error);
  withoutOwnFiles(error);
  say(`${error instanceof Error ? '' : 'Uncaught '}${inspect(error)}\n\nNode.js ${process.version}\n`);
  process.exit(1);
}

function metadata() {
  const { env } = process;
  return Object.freeze({
    runId: env.SCHEDD_RUN_ID,
    script: env.SCHEDD_SCRIPT,
    kind: env.SCHEDD_KIND,
    attempt: Number(env.SCHEDD_ATTEMPT ?? 1),
    slot: env.SCHEDD_SLOT ?? null,
    slotEpoch: env.SCHEDD_SLOT_EPOCH === undefined ? null : Number(env.SCHEDD_SLOT_EPOCH),
    prevSlot: env.SCHEDD_PREV_SLOT ?? null,
    lastOkSlot: env.SCHEDD_LAST_OK_SLOT ?? null,
    deadline: env.SCHEDD_DEADLINE ?? null,
    stateDir: env.SCHEDD_STATE_DIR,
  });
}

/**
 * By which way a script is taken, and the text that this makes of it; of a module, also its plain text without
 * types. From the cache, if that knows this very source.
 */
function prepared(script, cache) {
  const source = ways.read(script);
  const format = ways.declaredFormat(script);
  // Only the removal of types is slow: Node's parser of TypeScript takes 40 ms to be there.
  const place = cache !== null && ways.isTypeScript(script) && source.length <= MOST_KEPT_CHARS ? placeOf(cache, script) : null;
  const known = place === null ? null : kept(place);
  if (known !== null && known.source === source && known.format === format) return known;
  const made = { node: process.version, script, format, source, ...decided(script, source, format) };
  if (place !== null) keep(place, made);
  return made;
}

function decided(script, source, format) {
  if (format !== 'module') {
    const body = unlessRefused(() => ways.asBody(script, source));
    if (body !== null) {
      const waits = unlessRefused(() => ways.compiled(script, body)) === null;
      return { way: 'commonjs', text: waits ? `return${ways.OPEN}${body}${ways.CLOSE}` : body };
    }
  }
  return {
    way: 'module',
    text: format === 'commonjs' ? null : unlessRefused(() => ways.asReturningModule(script, source)),
    plain: format === 'commonjs' ? null : unlessRefused(() => ways.withoutTypes(script, source)),
  };
}

function unlessRefused(attempt) {
  try {
    return attempt();
  } catch {
    return null; // what is wrong is said by Node itself, when it loads the script in its own way
  }
}

function placeOf(cache, script) {
  return path.join(cache, `${Buffer.from(script).toString('base64url').slice(-100)}.json`);
}

function kept(place) {
  try {
    const known = JSON.parse(fs.readFileSync(place, 'utf8'));
    return known.node === process.version && known.script === run.script ? known : null;
  } catch {
    return null;
  }
}

function keep(place, made) {
  const half = `${place}.${process.pid}`;
  try {
    fs.writeFileSync(half, JSON.stringify(made), { mode: 0o600 });
    fs.renameSync(half, place);
  } catch {
    // A full disk: then it is made again the next time.
  }
}

async function asCommonJs(body) {
  return inCommonJs((...given) => ways.compiled(run.script, body).call(...given));
}

/** Give a function what a script in CommonJS is given, and return what it returns, or what its handler does. */
async function inCommonJs(call, about = globalThis.metadata) {
  const { script } = run;
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
  const value = await call(main.exports, main.exports, require, main, script, path.dirname(script));
  main.loaded = true;
  if (value !== undefined || startsItself) return value;
  return handled(typeof main.exports === 'function' ? main.exports : main.exports?.default, about);
}

async function asModule(returning, source) {
  globalThis.require ??= nodeModule.createRequire(run.script);
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
  const exported = await import(run.url);
  if (returning !== null) return exported.default;
  return startsItself ? undefined : handled(exported.default, globalThis.metadata);
}

/** Let `change` decide what Node loads for the script; it may ask for what Node itself would. */
function serve(change) {
  const { url } = run;
  nodeModule.registerHooks({
    load(wanted, context, next) {
      return wanted === url ? change(() => next(wanted, context)) : next(wanted, context);
    },
  });
}

function handled(exported, about) {
  const isHandler = typeof exported === 'function' && !/^class\b/.test(Function.prototype.toString.call(exported));
  run.says = isHandler;
  return isHandler ? exported(about) : undefined;
}

/** Print, also where somebody made the pipe one that does not wait. */
function say(text) {
  for (let left = Buffer.from(text); left.length > 0;) {
    try {
      left = left.subarray(fs.writeSync(2, left));
    } catch (error) {
      if (error.code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, OUTPUT_FULL_WAIT_MS);
    }
  }
}

function write(file, text) {
  try {
    if (run.resultPath) fs.writeFileSync(file, text);
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
  return place === null ? `${first} (${path.basename(run.script)})` : `${first} (${path.basename(place[1])}, line ${place[2]})`;
}

/** Where a syntax error is, if its stack starts with that. */
function placeIn(error) {
  return /^(?:file:\/\/)?(\/[^\n]*):(\d+)\n/.exec(error.stack ?? '');
}

/** Take this machinery out of what an error shows, and of what it was caused by. */
function withoutOwnFiles(error, depth = 0) {
  if (!(error instanceof Error) || typeof error.stack !== 'string' || depth > MOST_CAUSES) return;
  error.stack = error.stack.split('\n').filter((line) => !/^\s+at /.test(line) || !line.includes(OWN_FILES)).join('\n');
  withoutOwnFiles(error.cause, depth + 1);
}

module.exports = { settleIn, begin, enter, leave, prepared, metadata, succeeded, failed, inCommonJs, handled };
