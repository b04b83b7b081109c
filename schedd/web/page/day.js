// The last 24 hours: how many fires ended how, and the newest of what failed. Asked for once, whoever looks.
//
// The counts are the calendar's, by the minute and over the whole log, so they are right however many there are.
// The lines are the history's, by its cursor; they say which scripts and why, and `cut` says when they are not
// all. What ends meanwhile is put to both. A status of which there was none is not searched for.

import { useEffect, useState } from "./vendor/hooks.mjs";
import { get, onSignedOut } from "./api.js";
import { onEvent, serverNow } from "./store.js";
import { FAILED, isFailure } from "./failures.js";

export const AHEAD_MS = 6 * 3_600_000;
export const DAY_MS = 86_400_000;
const STEP_MS = 60_000;
const MOST = 1_000; // lines of each kind
const MOST_PAGES = 20; // one answer searches only a stretch of the log
const AGAIN_MS = 300_000;
const SOON_MS = 3_000;
const FLUSH_MS = 250;
const UNWANTED = ["lock", "overload", "hold_full", "too_late"];

const EMPTY = { grid: null, entries: null, cut: false, error: null };
const listeners = new Set();
let known = EMPTY;
let news = []; // what ended since the last flush
let flushing = null;
let asking = null;
let again = null;
let offs = null;
let signedIn = 0; // what was asked for by somebody else is not kept

/**
 * {grid, entries, cut, error, retry}. `grid`: {from, stepMs, fires: {status: [n…]}, missed: [n…], slots: [n…]}, a day
 * back and AHEAD_MS ahead; null while it is not known. `entries`: what failed, newest first; null the same.
 */
export function useDay() {
  const [seen, setSeen] = useState(known);
  useEffect(() => {
    setSeen(known);
    listeners.add(setSeen);
    if (listeners.size === 1) begin();
    return () => {
      listeners.delete(setSeen);
      if (!listeners.size) end();
    };
  }, []);
  return { ...seen, retry: look };
}

/** How many fires of the grid's last day ended with one of these statuses. */
export function countOf({ from, stepMs, fires }, statuses, now) {
  const first = Math.max(0, Math.floor((now - DAY_MS - from) / stepMs));
  let sum = 0;
  for (const status of statuses) for (let index = first; index < (fires[status]?.length ?? 0); index += 1) sum += fires[status][index];
  return sum;
}

onSignedOut(() => {
  signedIn += 1;
  offs?.forEach((off) => off());
  offs = null;
  news = [];
  end();
  tell(EMPTY);
});

function tell(next) {
  known = next;
  for (const listener of listeners) listener(next);
}

// Once begun it follows the events for good, so that whoever comes back does not see what was so before.
function begin() {
  offs ??= [
    onEvent("ended", ended),
    onEvent("hello", (hello) => { if (!hello.resumed) look(); }),
  ];
  look();
}

function end() {
  clearTimeout(again);
  again = null;
}

function later(ms) {
  clearTimeout(again);
  again = setTimeout(look, ms);
}

function ended(entry) {
  news.push(entry);
  flushing ??= setTimeout(flush, FLUSH_MS);
}

function flush() {
  flushing = null;
  // While an answer is on its way they wait for it.
  if (asking || !known.grid) return;
  tell(joined(known, news));
  // Where slots count that ended together is the daemon's to say.
  if (listeners.size && news.some((entry) => entry.count > 1 || entry.reason === "missed")) later(SOON_MS);
  news = [];
}

function joined(before, entries) {
  const grid = { ...before.grid, fires: { ...before.grid.fires } };
  const own = new Set(); // statuses whose counts were copied
  for (const { status, ts, count, reason } of entries) {
    const index = Math.floor((Date.parse(ts) - grid.from) / grid.stepMs);
    if (count > 1 || reason === "missed" || !(index >= 0 && index < grid.slots.length)) continue;
    if (!own.has(status)) grid.fires[status] = [...(grid.fires[status] ?? new Array(grid.slots.length).fill(0))];
    own.add(status);
    grid.fires[status][index] += 1;
  }
  const failed = entries.filter(isFailure).reverse();
  if (!failed.length) return { ...before, grid };
  const ids = new Set(failed.map((entry) => entry.runId));
  const all = [...failed, ...before.entries.filter((entry) => !ids.has(entry.runId))];
  const most = MOST * 4;
  return { ...before, grid, entries: all.slice(0, most), cut: before.cut || all.length > most };
}

/** Ask for all of it; a second call while one is on its way is the same. */
function look() {
  asking ??= asked().finally(() => {
    asking = null;
    if (news.length) flushing ??= setTimeout(flush, FLUSH_MS);
    if (listeners.size) later(AGAIN_MS);
  });
  return asking;
}

async function asked() {
  const turn = signedIn;
  try {
    const now = serverNow();
    const from = Math.floor((now - DAY_MS) / STEP_MS) * STEP_MS;
    const to = from + DAY_MS + AHEAD_MS;
    const found = await get("schedules/calendar", { from: iso(from), to: iso(to), step: STEP_MS / 1_000 });
    const grid = { from, stepMs: STEP_MS, fires: found.fires, missed: found.missed, slots: found.slots };
    const answered = Date.parse(found.now);
    const since = iso(now - DAY_MS);
    const pages = await Promise.all(wantedOf(grid).map((wanted) => allOf({ ...wanted, since })));
    const entries = pages.flatMap((page) => page.entries).filter(isFailure).sort((a, b) => (a.ts < b.ts ? 1 : -1));
    if (turn !== signedIn) return;
    news = news.filter((entry) => Date.parse(entry.ts) >= answered);
    tell({ grid, entries, cut: pages.some((page) => page.cut), error: null });
  } catch (error) {
    if (turn === signedIn) tell({ ...known, error });
  }
}

// Missed slots of the day before may have been decided today, so errors are always searched for.
function wantedOf({ fires }) {
  const failed = FAILED.filter((status) => status === "error" || fires[status]);
  const skipped = fires.skipped_overload ? UNWANTED : [];
  return [...failed.map((status) => ({ status })), ...skipped.map((reason) => ({ status: "skipped_overload", reason }))];
}

async function allOf(params) {
  const entries = [];
  let cursor = null;
  for (let pages = 0; pages < MOST_PAGES; pages += 1) {
    const page = await get("schedules/history", { ...params, limit: MOST, includeRotated: true, ...(cursor ? { cursor } : {}) });
    entries.push(...page.entries);
    cursor = page.cursor ?? null;
    if (!cursor || entries.length >= MOST) break;
  }
  return { entries: entries.slice(0, MOST), cut: Boolean(cursor) };
}

function iso(ms) {
  return new Date(ms).toISOString();
}
