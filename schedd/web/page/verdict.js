// Whether everything is fine, in one sentence: the first thing that is read, so it must never be wrong.
//
// It says so only of what it knows: not while the last day is still being read, not without a link, and not of a
// script whose last run failed, however long ago that was. What is worst comes first, the rest stands below it.
//
// Pure: no DOM, no clock. Times are milliseconds since the epoch.

import { FAILED, isFailure } from "./failures.js";
import { clock, plural, until } from "./format.js";

const NUMBER = { true: ["is", "has", "does"], false: ["are", "have", "do"] };

/**
 * {tone, text, more}: `tone` names the shape and the colour, `more` is a list of sentences.
 *
 * `list`: the schedules; `entries`: what failed in the last day, newest first, null while that is not known, `cut`
 * when these are not all; `dayError`: why it is not known; `health`: null while it is not known; `lostSince`: since when
 * the link is lost, or null; `paused`: whether all are.
 */
export function verdict({ list, now, entries, cut = false, dayError = null, health, lostSince = null, paused = false }) {
  const all = [comingOf(list, now)];
  if (lostSince != null) return { tone: "timeout", text: `No news since ${clock(new Date(lostSince))}.`, more: ["What is below was so then; it may have changed."] };
  if (health && !health.ready) return { tone: "error", text: "schedd is not ready.", more: health.reasons ?? [] };
  if (!health || !entries) {
    if (dayError) return { tone: "timeout", text: "The last 24 hours could not be read.", more: [dayError.message, ...all] };
    return { tone: "idle", text: "One moment.", more: all };
  }
  const refused = health.failed ? `${plural(health.failed, "file")} could not be registered.` : "";
  if (!list.length) return refused ? { tone: "error", text: refused, more: [] } : { tone: "idle", text: "No scripts yet.", more: [] };

  const failing = list.filter((item) => FAILED.includes(item.lastFireStatus) && item.status !== "disabled" && !ownPause(item));
  const { failed, mended, others } = scriptsOf(list, entries, failing);
  const past = pastOf({ failed, mended, others, cut, again: failing.length > 0 });
  const slow = list.filter((item) => item.cadence);
  const lag = slow.length ? `${plural(slow.length, "script")} ${one(slow, 2)} not keep up with ${slow.length === 1 ? "its" : "their"} interval.` : "";
  const skips = entries.filter((entry) => !FAILED.includes(entry.status) && isFailure(entry)).reduce((sum, entry) => sum + (entry.count ?? 1), 0);
  const left = skips ? `${cut ? "At least " : ""}${plural(skips, "slot")} ${skips === 1 ? "was" : "were"} skipped for want of a lock, a place or time.` : "";
  const told = (tone, text, ...more) => ({ tone, text, more: [...more.filter((sentence) => sentence && sentence !== text), ...all] });

  if (failing.length) return told("error", `${plural(failing.length, "script")} ${one(failing, 0)} failing.`, paused && "All scripts are paused.", past, refused, lag);
  if (refused) return told("error", refused, paused && "All scripts are paused.", past, lag, left);
  if (paused) return told("off", "All scripts are paused.", past, lag, left);
  if (lag) return told("skip", lag, past, left);
  if (others) return told("miss", "Nothing is failing just now.", past, left);
  if (failed) return told("ok", "Everything runs again.", past, left);
  if (left) return told("skip", "Nothing failed, but not every slot ran.", left);
  return told("ok", "Everything is fine.");
}

const ownPause = (item) => Boolean(item.pause && !item.pause.all);
const one = (things, word) => NUMBER[(things.length ?? things) === 1][word];

// Those that failed in the last day and are not failing now: ok since, or not known to be.
function scriptsOf(list, entries, failing) {
  const now = new Set(failing.map((item) => item.scriptRel));
  const status = new Map(list.map((item) => [item.scriptRel, item.lastFireStatus]));
  const failed = new Set(entries.filter((entry) => FAILED.includes(entry.status)).map((entry) => entry.scriptPath));
  const rest = [...failed].filter((script) => !now.has(script));
  const mended = rest.filter((script) => status.get(script) === "ok").length;
  return { failed: rest.length, mended, others: rest.length - mended };
}

function pastOf({ failed, mended, others, cut, again }) {
  if (!failed) return "";
  const who = `${cut ? "At least " : ""}${again ? plural(failed, "other") : plural(failed, "script")}`;
  const since = others ? (mended ? `; ${mended} of them ${one(mended, 0)} ok since` : "") : `, and ${one(failed, 0)} ok since`;
  return `${who} failed in the last 24 h${since}.`;
}

function comingOf(list, now) {
  const coming = list.reduce((least, item) => (item.nextFire && (!least || item.nextFire < least) ? item.nextFire : least), null);
  return coming ? `The next fire is ${until(Date.parse(coming) - now).replace(/^now$/, "due now")}.` : "No fire is due.";
}
