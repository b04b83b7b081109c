// What the failures of a stretch of time have in common, and a sentence for each such group.
//
// A night in which the database was away leaves fifty red lines that are one fact. Every failure is a candidate
// for several groups (its minute, its lock, what went wrong, its script); the group that explains the most
// scripts is taken first, its failures are set aside, and the rest is looked at again. A script that fails all day
// long says little about any one minute of it, so each script has one voice, split among all of its failures.
//
// Pure: no DOM, no clock. Times are milliseconds since the epoch.

import { plural } from "./format.js";

export const MOST_GROUPS = 50;

/** The statuses of what went wrong. */
export const FAILED = ["error", "timeout", "load_error", "incompatible"];
// Skips that somebody should know of: the others are what a header or a person asked for.
const UNWANTED_SKIPS = new Set(["lock", "overload", "hold_full", "too_late"]);
// What says nothing by itself: two scripts that end with 1 need not have anything in common.
const PLAIN_EXITS = new Set([1, 2]);
const ABSENCES = new Set(["missed", "interrupted"]);
// How many scripts make a group: in a busy hour two of them meet in one minute by chance.
const FEWEST = { minute: 3, lock: 2, cause: 2, script: 1 };
const MINUTE_MS = 60_000;
const NEARLY = 1e-9;

/** Whether an entry of the history is something that went wrong. */
export function isFailure(entry) {
  return FAILED.includes(entry.status) || (entry.status === "skipped_overload" && UNWANTED_SKIPS.has(entry.reason));
}

/** What went wrong, in as few words as identify it: "exit 1", "killed by SIGKILL", "timed out". */
export function cause(entry) {
  switch (entry.reason ?? entry.status) {
    case "exit": return entry.exitCode == null ? "a failing exit" : `exit ${entry.exitCode}`;
    case "signal": return entry.signal ? `killed by ${entry.signal}` : "killed by a signal";
    case "exception": return "an exception";
    case "unexpected": return "not what it expects";
    case "spawn": return "could not be started";
    case "out_of_memory": return "out of memory";
    case "stopped": return "stopped";
    case "interrupted": return "cut off when schedd or the host died";
    case "missed": return "missed, nobody was there to decide";
    case "timeout": return "timed out";
    case "preflight": return "would not compile";
    case "unreadable": return "unreadable";
    case "unsafe": return "unsafe owner or mode";
    case "websocket": return "@websocket cannot be scheduled";
    case "lock": return "the lock was taken";
    case "overload": return "no free place to run";
    case "hold_full": return "too many were waiting";
    case "too_late": return "could not start in time";
    default: return String(entry.reason ?? entry.status);
  }
}

/**
 * Group failures by what they share, the group that explains most first.
 *
 * Each group: {id, by, sentence, cause, status, reason, scripts: [...], count, first, last, entries newest first}.
 * `by` is minute | lock | cause | script. `lockOf(scriptPath)` names the lock of a script, if it has one;
 * `clock(ms)` writes a time of day. Entries that are no failures are passed over.
 */
export function group(entries, { lockOf = () => null, clock = wallClock } = {}) {
  const all = entries.filter(isFailure).map((entry) => seen(entry, lockOf));
  const rest = new Set(all);
  const possible = candidates(all, voices(all));
  const groups = [];
  while (rest.size && groups.length < MOST_GROUPS) {
    const best = bestOf(possible);
    const members = [...best.members];
    groups.push(told({ ...best, members }, clock));
    for (const one of members) {
      rest.delete(one);
      // Thousands of failures are counted once, and not once more for each group.
      for (const other of one.shares) leave(other, one);
    }
  }
  if (rest.size) groups.push(others([...rest]));
  return groups;
}

function seen(entry, lockOf) {
  const at = Date.parse(entry.ts);
  return {
    entry,
    at,
    due: Date.parse(entry.slot ?? entry.startedAt ?? entry.ts),
    cause: cause(entry),
    lock: lockOf(entry.scriptPath) || null,
    slots: entry.count ?? 1,
    voice: 0,
    shares: [], // the candidates that it is in
  };
}

// How much one failure of a script says: the more of them there are, the less each does.
function voices(all) {
  const counts = new Map();
  for (const one of all) counts.set(one.entry.scriptPath, (counts.get(one.entry.scriptPath) ?? 0) + 1);
  return (one) => 1 / counts.get(one.entry.scriptPath);
}

function candidates(all, voice) {
  const found = new Map();
  const put = (key, by, weight, one) => {
    let into = found.get(key);
    if (!into) found.set(key, (into = { key, by, weight, voice: 0, members: new Set(), scripts: new Map() }));
    into.members.add(one);
    into.voice += one.voice;
    into.scripts.set(one.entry.scriptPath, (into.scripts.get(one.entry.scriptPath) ?? 0) + 1);
    one.shares.push(into);
  };
  for (const one of all) {
    const { entry } = one;
    one.voice = voice(one);
    put(`script\n${entry.scriptPath}\n${one.cause}`, "script", 1, one);
    for (const minute of new Set([Math.floor(one.due / MINUTE_MS), Math.floor(one.at / MINUTE_MS)])) {
      put(`minute\n${minute}\n${one.cause}`, "minute", 1, one);
      put(`minute\n${minute}`, "minute", 0.7, one);
    }
    if (one.lock) put(`lock\n${one.lock}\n${one.cause}`, "lock", entry.reason === "lock" ? 1.2 : 0.95, one);
    const text = gist(entry);
    if (text) put(`text\n${text}`, "cause", 0.92, one);
    // An absence of schedd explains by itself whatever it cost, whenever that was due.
    if (telling(entry)) put(`cause\n${one.cause}`, "cause", ABSENCES.has(entry.reason) ? 1.2 : 0.9, one);
  }
  return [...found.values()];
}

function leave(candidate, one) {
  candidate.members.delete(one);
  candidate.voice -= one.voice;
  const left = candidate.scripts.get(one.entry.scriptPath) - 1;
  if (left) candidate.scripts.set(one.entry.scriptPath, left);
  else candidate.scripts.delete(one.entry.scriptPath);
}

function bestOf(all) {
  let best = null;
  for (const one of all) {
    const fewest = FEWEST[one.by];
    if (one.scripts.size < fewest) continue;
    const score = one.voice * one.weight;
    // Several scripts must be explained for the most part, or what they share is a coincidence.
    if (fewest > 1 && score < fewest * 0.6 - NEARLY) continue;
    if (!best || before(one, score, best)) best = { ...one, score };
  }
  return best;
}

function before(one, score, best) {
  if (Math.abs(score - best.score) > NEARLY) return score > best.score;
  if (one.members.size !== best.members.size) return one.members.size > best.members.size;
  return lastOf(one) > lastOf(best);
}

function lastOf({ members }) {
  let last = 0;
  for (const one of members) last = Math.max(last, one.at);
  return last;
}

// Whether what went wrong points at something beyond the script.
function telling(entry) {
  if (entry.reason === "exit") return entry.exitCode != null && !PLAIN_EXITS.has(entry.exitCode);
  return !["exception", "unexpected", "stopped", "preflight"].includes(entry.reason);
}

// The error without what differs from run to run: numbers, ids and paths of the script itself.
function gist(entry) {
  const text = (entry.error ?? "").split("\n", 1)[0].trim();
  if (text.length < 8 || /^(exit (code|status) \d+|killed by \w+)\.?$/i.test(text)) return "";
  const named = /[./]/.test(entry.scriptPath) ? text.replaceAll(entry.scriptPath, "…") : text;
  return named.replace(/[0-9a-f]{8}-[0-9a-f-]{27}/gi, "…").replace(/\d+/g, "…");
}

function told(found, clock) {
  const members = found.members.toSorted((a, b) => b.at - a.at);
  const newest = members[0].entry;
  const count = members.reduce((sum, one) => sum + one.slots, 0);
  const scripts = [...new Set(members.map((one) => one.entry.scriptPath))];
  const causes = new Set(members.map((one) => one.cause));
  const facts = { members, scripts, count, cause: causes.size === 1 ? members[0].cause : null, clock, key: found.key };
  return {
    id: found.key,
    by: found.by,
    sentence: SENTENCES[found.by](facts),
    cause: facts.cause,
    status: newest.status,
    reason: causes.size === 1 ? newest.reason ?? null : null,
    scripts,
    count,
    first: Math.min(...members.map((one) => one.at)),
    last: members[0].at,
    entries: members.map((one) => one.entry),
  };
}

const SENTENCES = {
  minute({ scripts, cause: what, clock, key }) {
    const at = clock(Number(key.split("\n")[1]) * MINUTE_MS);
    return `${plural(scripts.length, "script")} failed within the same minute, ${at}${what ? `: ${what}` : ""}`;
  },
  lock({ members, scripts, count, cause: what }) {
    const [{ lock, entry }] = members;
    if (entry.reason === "lock") {
      return `${plural(count, "slot")} of ${plural(scripts.length, "script")} skipped: the lock ${lock} was taken`;
    }
    return `${plural(scripts.length, "script")} that share the lock ${lock} failed: ${what}`;
  },
  cause({ members, scripts, count, cause: what, clock, key }) {
    const [{ entry }] = members;
    if (entry.reason === "missed") {
      return `${plural(count, "slot")} of ${plural(scripts.length, "script")} missed: nobody was there to decide`;
    }
    const text = key.startsWith("text\n") ? firstLine(entry.error).replace(/^exit code \d+: /, "") : what;
    const often = count > scripts.length ? `, ${plural(count, "time")} since ${clock(members.at(-1).at)}` : "";
    return `${plural(scripts.length, "script")} failed alike: ${text}${often}`;
  },
  script({ members, scripts, count, cause: what, clock }) {
    const [{ entry }] = members;
    const name = scripts[0];
    const skipped = entry.status === "skipped_overload";
    if (entry.reason === "missed") return `${name} missed ${plural(count, "slot")}: nobody was there to decide`;
    if (entry.reason === "stopped") {
      return count === 1 ? `${name} was stopped at ${clock(members[0].at)}` : `${name} was stopped ${plural(count, "time")} since ${clock(members.at(-1).at)}`;
    }
    const verb = skipped ? "was skipped" : "failed";
    if (count === 1) return `${name} ${verb} at ${clock(members[0].at)}: ${what}`;
    return `${name} ${verb} ${plural(count, "time")} since ${clock(members.at(-1).at)}: ${what}`;
  },
};

// What is left when there are more groups than anybody reads.
function others(rest) {
  const members = rest.toSorted((a, b) => b.at - a.at);
  const scripts = [...new Set(members.map((one) => one.entry.scriptPath))];
  const count = members.reduce((sum, one) => sum + one.slots, 0);
  return {
    id: "others", by: "others", cause: null, status: members[0].entry.status, reason: null, scripts, count,
    sentence: `${plural(count, "failure")} more, of ${plural(scripts.length, "script")}`,
    first: members.at(-1).at, last: members[0].at, entries: members.map((one) => one.entry),
  };
}

const firstLine = (text) => (text ?? "").split("\n", 1)[0];

function wallClock(ms) {
  return new Date(ms).toLocaleTimeString("en-GB", { hour: "2-digit", minute: "2-digit" });
}
