// Runs one script again and again in the same process (`@mode warm`), each time in a context of its own.
//
// New in each run: the script's own top level, all globals and what hangs on them (prototypes too), `metadata`,
// `console`, the variables of the environment, the directory, the umask. Kept: what the script requires or imports,
// which is loaded once and belongs to Node's own context, with its state and its open connections.
//
// The outcome is that of a process of its own. So a run is over when nothing is left to wait for; only a script that
// says itself when it is done, by a handler or a top-level return, is over when that has settled, its timers have
// run out and nothing is under way: a connection that a module keeps open does not hold it up. A host whose script
// failed, exited or left something behind (a listener on `process`, an exit code, a child, a full heap) ends with
// that run. Between two runs the process stands still.
//
// Two contexts have two of each built-in class; `instanceof` is made to know both, in both of them.
//
// ES modules are evaluated by vm.SourceTextModule, which is why a host of this kind is started with
// --experimental-vm-modules. What they import comes from Node's own loader; of its exports a run sees the values
// that they have when it begins.

'use strict';

const { Console } = require('node:console');
const fs = require('node:fs');
const nodeModule = require('node:module');
const path = require('node:path');
const process = require('node:process');
const { fileURLToPath, pathToFileURL } = require('node:url');
const { promisify } = require('node:util');
const v8 = require('node:v8');
const vm = require('node:vm');

const node = require('./node_script.cjs');

const LOOK_AGAIN_MS = 10;
const MOST_HEAP = 0.5;
/** What a module may keep open between two runs. Anything else is under way. */
const MAY_STAY = /^(?:T(?:CP|LS|TY)|UDP|Pipe|FSEvent|Signal|Stat|DNS|MessagePort|Worker|Timeout$)/;
const TIMERS = { setTimeout: 'clearTimeout', setInterval: 'clearInterval', setImmediate: 'clearImmediate' };
const NOT_LENT = new Set(['globalThis', 'global', 'console', 'metadata', 'require', ...Object.keys(TIMERS), ...Object.values(TIMERS)]);
const PARAMETERS = ['exports', 'require', 'module', '__filename', '__dirname'];
const inTheLoader = { importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER };
const isInstance = Function.prototype[Symbol.hasInstance];

const lent = Object.getOwnPropertyNames(globalThis).filter((name) => !NOT_LENT.has(name));
const loaded = new Map();
let script = null;
let prepared = null;
let importFor = null;
let world = null;

/** Carry out orders for one script, the first of which has been accepted. */
function serve(order, host) {
  script = order.path;
  importFor = vm.compileFunction('return import(specifier, options)', ['specifier', 'options'], { filename: script, ...inTheLoader });
  nodeModule.registerHooks({ resolve: noted });
  for (const name of classes()) knowBoth(globalThis[name], () => world?.[name]);
  const begin = () => {
    const usedUs = host.cpuUs();
    // One turn of the loop first: what became of open connections while this process stood still is told then.
    setImmediate(() => setImmediate(() => once(host.cache, () => {
      host.tell(`over ${host.cpuUs() - usedUs}`);
      const next = host.nextOrder();
      if (haveChanged()) {
        host.tell('declined: what the script loads has changed');
        process.exit(0);
      }
      if (host.become(next)) begin();
    })));
  };
  begin();
}

/** Run the script; call `over` when that is over and this process is as good as new. */
function once(cache, over) {
  const before = traces();
  const timers = new Set();
  let ended = false;
  let looking = null;
  const end = (isDry) => {
    if (ended) return;
    ended = true;
    clearInterval(looking);
    if (isSpent(before)) {
      if (isDry) return; // then this process ends as any other, with all that wants to be told of it
      process.emit('beforeExit', process.exitCode ?? 0);
      process.exit();
    }
    node.leave();
    world = null;
    over();
  };
  const look = () => {
    if (run.says && ![...timers].some((timer) => timer.hasRef()) && process.getActiveResourcesInfo().every((kind) => MAY_STAY.test(kind))) end(false);
  };
  const run = node.enter(script, () => end(true));
  const about = node.metadata();
  world = newWorld(about, timers);
  evaluated(cache, about).then((value) => {
    node.succeeded(value);
    looking = setInterval(look, LOOK_AGAIN_MS).unref();
    setImmediate(look);
  }, node.failed);
}

async function evaluated(cache, about) {
  prepared ??= node.prepared(script, cache);
  const { way, text } = prepared;
  if (way === 'module') return asModule(text, about);
  return node.inCommonJs((...given) => vm.compileFunction(text, PARAMETERS, { filename: script, parsingContext: world, ...inTheLoader }).call(...given), about);
}

async function asModule(returning, about) {
  const { source, plain } = prepared;
  const url = pathToFileURL(script).href;
  world.require = nodeModule.createRequire(script);
  const module = parsed(returning ?? plain, url);
  // Node says what is wrong with it.
  if (module === null) return import(url);
  await module.link(async (specifier, _module, { attributes }) => facade(await importFor(specifier, { with: attributes })));
  await module.evaluate();
  if (returning !== null) return module.namespace.default;
  return source.includes('import.meta.main') ? undefined : node.handled(module.namespace.default, about);
}

function parsed(text, url) {
  try {
    return text === null ? null : new vm.SourceTextModule(text, {
      identifier: url,
      context: world,
      initializeImportMeta(meta) {
        Object.assign(meta, { url, filename: script, dirname: path.dirname(script), main: true, resolve });
      },
      importModuleDynamically: (specifier, _module, attributes) => importFor(specifier, { with: attributes }),
    });
  } catch {
    return null;
  }
}

/** What `import.meta.resolve` returns. */
function resolve(specifier) {
  if (/^(?:\.{0,2}\/|[a-z]+:)/.test(specifier)) return new URL(specifier, pathToFileURL(script)).href;
  if (nodeModule.isBuiltin(specifier)) return `node:${specifier}`;
  return pathToFileURL(nodeModule.createRequire(script).resolve(specifier)).href;
}

/** A module of Node's own context, as one that a module of another may import. */
function facade(namespace) {
  const names = Object.keys(namespace);
  return new vm.SyntheticModule(names, function fill() {
    for (const name of names) this.setExport(name, namespace[name]);
  }, { context: world });
}

/** A new context, with the globals that Node adds to those of the language. */
function newWorld(about, timers) {
  const made = vm.createContext(vm.constants.DONT_CONTEXTIFY);
  const define = (name, value) => Object.defineProperty(made, name, { value, writable: true, configurable: true });
  for (const name of classes(made)) knowBoth(made[name], () => globalThis[name]);
  for (const name of lent) {
    if (Object.hasOwn(made, name)) continue;
    Object.defineProperty(made, name, { get: () => globalThis[name], set: (value) => define(name, value), configurable: true });
  }
  define('global', made);
  define('metadata', about);
  define('console', new Console(process.stdout, process.stderr));
  for (const [set, clear] of Object.entries(TIMERS)) {
    define(set, counted(globalThis[set], timers));
    define(clear, (timer) => {
      for (const each of timers) if (each == timer) timers.delete(each); // eslint-disable-line eqeqeq -- it may be a number
      globalThis[clear](timer);
    });
  }
  return made;
}

/** A function that sets timers, and keeps those that have not run out in a set. */
function counted(original, timers) {
  const set = (call, ...rest) => {
    if (typeof call !== 'function') return original(call, ...rest);
    const timer = original(function run(...given) {
      if (original !== setInterval) timers.delete(timer);
      return Reflect.apply(call, this, given);
    }, ...rest);
    timers.add(timer);
    return timer;
  };
  Object.defineProperty(set, 'name', { value: original.name });
  Object.defineProperty(set, promisify.custom, { get: () => original[promisify.custom] });
  return set;
}

/** The names of the classes that each context has of its own. */
function classes(made = vm.createContext(vm.constants.DONT_CONTEXTIFY)) {
  return Object.getOwnPropertyNames(made).filter((name) => typeof made[name] === 'function' && made[name].prototype && globalThis[name] !== made[name]);
}

/** Let `instanceof` know the objects of a class of the same name, too. */
function knowBoth(own, other) {
  Object.defineProperty(own, Symbol.hasInstance, {
    configurable: true,
    writable: true,
    value: function hasInstance(value) {
      return isInstance.call(this, value) || (this === own && isInstance.call(other(), value));
    },
  });
}

/** What a run could leave behind on this process, to be compared afterwards. */
function traces() {
  const listeners = process.eventNames().map((name) => `${String(name)} ${process.listenerCount(name)}`);
  return { listeners: listeners.sort().join(), childFaults: statOf('self')[8] };
}

/** Whether a run has left something behind that the next one could meet. */
function isSpent(before) {
  const now = traces();
  if (process.exitCode !== undefined || now.listeners !== before.listeners) return true;
  const { used_heap_size: used, heap_size_limit: limit } = v8.getHeapStatistics();
  if (used > limit * MOST_HEAP) return true;
  const children = fs.readFileSync(`/proc/self/task/${process.pid}/children`, 'latin1');
  // Only who has waited for a child can have grandchildren in his group.
  return children !== '' || (now.childFaults !== before.childFaults && hasCompany());
}

function hasCompany() {
  return fs.readdirSync('/proc').some((name) => {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) return false;
    const fields = statOf(name);
    return fields !== null && fields[2] === String(process.pid) && fields[0] !== 'Z';
  });
}

/** The fields of /proc/PID/stat, from the state on; null when there is no such process. */
function statOf(name) {
  try {
    const stat = fs.readFileSync(`/proc/${name}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return null;
  }
}

/** Take note of each file that is loaded. */
function noted(specifier, context, next) {
  const found = next(specifier, context);
  if (found.url.startsWith('file:')) {
    const file = fileURLToPath(found.url);
    if (!loaded.has(file) && file !== script) loaded.set(file, versionOf(file));
  }
  return found;
}

function haveChanged() {
  for (const [file, version] of loaded) if (versionOf(file) !== version) return true;
  return false;
}

function versionOf(file) {
  const status = fs.statSync(file, { throwIfNoEntry: false });
  return status && `${status.ino} ${status.size} ${status.mtimeMs}`;
}

module.exports = { serve };
