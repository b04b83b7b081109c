// What the page knows: the schedules, the runs, the health and the pauses, kept up to date by the events.
//
// One stream feeds it. After each `hello` everything is asked for again (an unchanged answer is a 304), and what
// the events said meanwhile is newer than what that answers. Changes are told at most four times a second: ten
// thousand fires in a minute are then no more work to draw than one.

import { useEffect, useMemo, useState } from "./vendor/hooks.mjs";
import { get, stream, token } from "./api.js";

const FLUSH_MS = 250;
const POLL_MS = 10_000;
const SILENT_MS = 40_000; // the stream has a comment every 15 s
const FIRST_WAIT_MS = 1_000;
const MOST_WAIT_MS = 15_000;
const MOST_OUTCOMES = 30;
const MOST_RECENT = 2_000; // scripts whose outcomes are kept
const MOST_ADDRESS = 5_000; // characters of one request
const MOST_ASKED = 200;

const slices = {
  schedules: slice({ list: [], by: new Map(), loaded: false, error: null }),
  runs: slice([]),
  health: slice(null),
  pauses: slice([]),
  link: slice({ state: "connecting", since: Date.now() }),
  recent: slice(new Map()),
};
const callbacks = new Map(); // type of event -> callbacks
const items = new Map(); // scriptRel -> item
const runs = new Map(); // runId -> item
const recent = new Map(); // scriptRel -> {usualMs, outcomes}
const wishes = new Set(); // arrays of scripts that views show just now
let touched = null; // what events told while the answers were on their way
let listed = false; // the list was there once
let offset = 0;
let stop = null;

function slice(value) {
  return { value, listeners: new Set() };
}

function useSlice({ value, listeners }, current) {
  const [seen, setSeen] = useState(value);
  useEffect(() => {
    setSeen(() => current());
    listeners.add(setSeen);
    return () => listeners.delete(setSeen);
  }, []);
  return seen;
}

function put(name, value) {
  const one = slices[name];
  one.value = value;
  for (const listener of one.listeners) listener(() => value);
}

const use = (name) => useSlice(slices[name], () => slices[name].value);

/** {list, by, loaded, error}: all scripts by path, and the same as a Map. */
export const useSchedules = () => use("schedules");
/** What is known just now of one script, or undefined. */
export const scheduleNow = (script) => items.get(script);
/** Runs in flight and fires that wait, oldest first. */
export const useRuns = () => use("runs");
/** {ready, reasons, phase, version, host, startedAt, failed, scriptsDir, …}, or null while it is not known. */
export const useHealth = () => use("health");
/** The pauses in force. */
export const usePauses = () => use("pauses");
/** {state: "connecting" | "live" | "lost", since}. */
export const useLink = () => use("link");

/** The daemon's clock, in milliseconds: the reader's may be wrong. */
export function serverNow() {
  return Date.now() + offset;
}

// One ticker for all that ticks, on the second, and none while nobody looks.
const ticks = new Set();
let ticker = null;

function tick() {
  ticker = null;
  if (!ticks.size) return;
  ticker = setTimeout(tick, 1_000 - (serverNow() % 1_000) + 5);
  if (document.hidden) return;
  const now = serverNow();
  for (const listener of ticks) listener(now);
}

/** Call back about every second with the daemon's time. Returns what ends that. */
export function onTick(callback) {
  ticks.add(callback);
  if (ticker == null) ticker = setTimeout(tick, 1_000 - (serverNow() % 1_000) + 5);
  return () => ticks.delete(callback);
}

/** The daemon's time, anew every so many milliseconds. */
export function useNow(everyMs = 1_000) {
  const [now, setNow] = useState(serverNow);
  useEffect(() => onTick((at) => setNow((before) => (at - before >= everyMs - 20 || at < before ? at : before))), [everyMs]);
  return now;
}

/** Call back with the data of each event of a type. Returns what ends that. */
export function onEvent(type, callback) {
  const found = callbacks.get(type) ?? new Set();
  callbacks.set(type, found);
  found.add(callback);
  return () => found.delete(callback);
}

const dirty = new Set();
let flushing = null;

function changed(name) {
  // What events tell before the first list is no list.
  if (name === "schedules" && !listed) return;
  dirty.add(name);
  flushing ??= setTimeout(flush, FLUSH_MS);
}

function flush() {
  clearTimeout(flushing);
  flushing = null;
  if (dirty.has("schedules")) {
    const list = [...items.values()].sort((a, b) => (a.scriptRel < b.scriptRel ? -1 : 1));
    put("schedules", { list, by: new Map(items), loaded: true, error: null });
  }
  if (dirty.has("runs")) put("runs", [...runs.values()].sort((a, b) => (orderOf(a) < orderOf(b) ? -1 : 1)));
  if (dirty.has("recent")) put("recent", new Map(recent));
  dirty.clear();
}

const orderOf = (run) => run.startedAt ?? run.due ?? run.slot ?? "~";

const takes = {
  started(run) {
    runs.set(run.runId, run);
    touched?.runs.set(run.runId, run);
    changed("runs");
  },
  ended(entry) {
    touched?.runs.set(entry.runId, null);
    if (runs.delete(entry.runId)) changed("runs");
    remember(entry);
  },
  schedule(item) {
    items.set(item.scriptRel, item);
    touched?.items.set(item.scriptRel, item);
    changed("schedules");
  },
  gone({ scriptRel }) {
    items.delete(scriptRel);
    touched?.items.set(scriptRel, null);
    changed("schedules");
  },
  pauses({ pauses }) {
    put("pauses", pauses);
    look();
  },
  health(health) {
    put("health", { ...slices.health.value, ...health });
    look();
  },
};

function took(type, data) {
  takes[type]?.(data);
  for (const callback of callbacks.get(type) ?? []) callback(data);
}

function remember(entry) {
  const known = recent.get(entry.scriptPath);
  if (!known || known.outcomes.some((one) => one.runId === entry.runId)) return;
  const { ts, runId, status, reason = null, durationMs, kind } = entry;
  const outcomes = [...known.outcomes, { ts, runId, status, reason, durationMs, kind }].slice(-MOST_OUTCOMES);
  recent.set(entry.scriptPath, { ...known, outcomes });
  changed("recent");
}

/** Begin to follow the daemon; nothing happens before, nor after `end`. */
export function begin() {
  stop?.abort();
  stop = new AbortController();
  follow(stop.signal);
}

export function end() {
  listed = false;
  stop?.abort();
  stop = null;
  for (const map of [items, runs, recent]) map.clear();
  put("schedules", { list: [], by: new Map(), loaded: false, error: null });
  put("runs", []);
  put("health", null);
  put("pauses", []);
}

async function follow(signal) {
  let lastEventId = null;
  let wait = FIRST_WAIT_MS;
  linked("connecting");
  while (!signal.aborted) {
    const turn = new AbortController();
    const ended = () => turn.abort();
    signal.addEventListener("abort", ended);
    let silence = setTimeout(ended, SILENT_MS);
    try {
      await stream("events", {
        signal: turn.signal,
        lastEventId,
        onEvent(type, data, id) {
          clearTimeout(silence);
          silence = setTimeout(ended, SILENT_MS);
          lastEventId = id ?? lastEventId;
          if (type === "hello") {
            wait = FIRST_WAIT_MS;
            greeted(data);
          }
          took(type, data);
        },
      });
    } catch (error) {
      if (error.status === 401) break;
    } finally {
      clearTimeout(silence);
      signal.removeEventListener("abort", ended);
    }
    if (signal.aborted) break;
    linked("lost");
    fetchAll();
    await pause(wait, signal);
    wait = Math.min(MOST_WAIT_MS, wait * 2);
  }
}

function greeted(hello) {
  offset = Date.parse(hello.now) - Date.now();
  // A clock that is right to half a second is right: the way of the answer takes that long at times.
  if (Math.abs(offset) < 500) offset = 0;
  if (!hello.resumed) {
    recent.clear();
    changed("recent");
  }
  linked("live");
  fetchAll();
}

function linked(state) {
  if (slices.link.value.state !== state) put("link", { state, since: Date.now() });
}

/** Wait; sooner when the network is back or the page is looked at again. */
function pause(ms, signal) {
  return new Promise((resolve) => {
    const events = [[window, "online"], [document, "visibilitychange"], [window, "schedd:retry"], [signal, "abort"]];
    const done = () => {
      clearTimeout(timer);
      for (const [target, name] of events) target.removeEventListener(name, done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    for (const [target, name] of events) target.addEventListener(name, done);
  });
}

/** Try to find the link again now. */
export function retryLink() {
  dispatchEvent(new Event("schedd:retry"));
}

let fetching = null;

/** Ask for everything again. */
export function fetchAll() {
  fetching ??= Promise.all([fetchLists(), look()]).finally(() => { fetching = null; });
  return fetching;
}

async function fetchLists() {
  const seen = { items: new Map(), runs: new Map() };
  touched = seen;
  try {
    const [list, flying, pauses] = await Promise.all([get("schedules/list"), get("runs"), get("schedules/pauses")]);
    refill(items, list.schedules.map((item) => [item.scriptRel, item]), seen.items);
    refill(runs, flying.runs.map((run) => [run.runId, run]), seen.runs);
    put("pauses", pauses.pauses);
    listed = true;
    changed("schedules");
    changed("runs");
    flush();
  } catch (error) {
    put("schedules", { ...slices.schedules.value, error });
  } finally {
    if (touched === seen) touched = null;
  }
}

function refill(map, pairs, newer) {
  map.clear();
  for (const [key, value] of pairs) map.set(key, value);
  for (const [key, value] of newer) if (value) map.set(key, value); else map.delete(key);
}

async function look() {
  try {
    put("health", { reasons: [], ...(await get("/readyz")) });
  } catch (error) {
    if (error.status !== 503) return;
    const before = slices.health.value ?? {};
    put("health", { ...before, ready: false, status: "degraded", reasons: error.details?.reasons ?? [error.message] });
  }
}

// Without a stream (a proxy that does not let one through) the page still tells what is so, only later.
setInterval(() => {
  if (stop && slices.link.value.state === "lost" && !document.hidden && token() !== null) fetchAll();
}, POLL_MS);

/** Map of scriptRel -> {usualMs, outcomes}, for scripts that are shown; what is missing is asked for in batches. */
export function useRecent(scripts) {
  const all = use("recent");
  const key = scripts.join("\n");
  useEffect(() => {
    const wish = [...scripts];
    wishes.add(wish);
    wish.some((script) => !recent.has(script)) && soon();
    return () => wishes.delete(wish);
  }, [key, all.size === 0]);
  return useMemo(() => all, [all]);
}

let asking = null;

function soon() {
  asking ??= setTimeout(async () => {
    await fetchRecent();
    asking = null;
    if (missing().length) soon();
  }, 80);
}

const refused = new Set(); // scripts that were asked for in vain

function missing() {
  const found = new Set();
  for (const wish of wishes) for (const script of wish) if (!recent.has(script) && !refused.has(script)) found.add(script);
  return [...found];
}

async function fetchRecent() {
  const batch = [];
  let size = 0;
  for (const script of missing()) {
    size += encodeURIComponent(script).length + 12;
    if (batch.length && (size > MOST_ADDRESS || batch.length === MOST_ASKED)) break;
    batch.push(script);
  }
  if (!batch.length) return;
  try {
    const answer = await get("schedules/recent", { scriptPath: batch });
    for (const { scriptPath, usualMs, outcomes } of answer.scripts) keep(scriptPath, { usualMs, outcomes });
  } catch (error) {
    if (error.status === 0 || error.status === 503) await new Promise((resolve) => setTimeout(resolve, 3_000));
  }
  for (const script of batch) if (!recent.has(script)) forget(script);
  changed("recent");
}

function forget(script) {
  refused.add(script);
  setTimeout(() => refused.delete(script), 30_000);
}

function keep(script, known) {
  recent.delete(script);
  recent.set(script, known);
  if (recent.size > MOST_RECENT) recent.delete(recent.keys().next().value);
}
