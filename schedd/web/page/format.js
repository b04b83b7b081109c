// How times, amounts and statuses are written.
//
// Pure: no DOM, no clock, no imports. Every text is short enough for a table cell, and two neighbouring values have
// the same form, so that a column of them can be compared without reading.

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** How long something took: "320 ms", "4.2 s", "3 min 12 s", "2 h 5 min", "3 d 4 h". */
export function duration(ms) {
  if (ms == null || Number.isNaN(ms)) return "–";
  const size = Math.abs(ms);
  if (size < SECOND) return `${Math.round(size)} ms`;
  if (size < 9_950) return `${(size / SECOND).toFixed(1)} s`;
  return split(size);
}

/** How long ago something was: "just now", "40 s ago", "3 min ago", "2 h ago", "3 d ago". */
export function ago(ms) {
  if (ms == null || Number.isNaN(ms)) return "never";
  if (ms < 2 * SECOND) return "just now";
  return `${largest(ms)} ago`;
}

/** How long it takes until something: "now", "in 40 s", "in 3 min 12 s", "in 2 h 5 min", "in 3 d 4 h". */
export function until(ms) {
  if (ms == null || Number.isNaN(ms)) return "never";
  if (ms < SECOND) return "now";
  return ms < HOUR && ms >= 10 * MINUTE ? `in ${Math.floor(ms / MINUTE)} min` : `in ${split(ms)}`;
}

function largest(ms) {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return `${Math.floor(ms / MINUTE)} min`;
  if (ms < 2 * DAY) return `${Math.floor(ms / HOUR)} h`;
  return `${number(Math.floor(ms / DAY))} d`;
}

/** The two largest units, the second one left out when it is nothing. */
function split(ms) {
  if (ms < MINUTE) return `${Math.floor(ms / SECOND)} s`;
  if (ms < HOUR) return pair(ms, MINUTE, "min", SECOND, "s");
  if (ms < DAY) return pair(ms, HOUR, "h", MINUTE, "min");
  return pair(ms, DAY, "d", HOUR, "h");
}

function pair(ms, large, largeName, small, smallName) {
  const rest = Math.floor((ms % large) / small);
  const first = `${number(Math.floor(ms / large))} ${largeName}`;
  return rest ? `${first} ${rest} ${smallName}` : first;
}

// Making a formatter takes 50 µs, using one takes 1.
const formatters = new Map();

function formatter(zone, kind) {
  const key = `${kind} ${zone ?? ""}`;
  let made = formatters.get(key);
  if (!made) {
    const fields = kind === "clock"
      ? { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }
      : { year: "numeric", month: "2-digit", day: "2-digit", weekday: "short" };
    made = new Intl.DateTimeFormat("en-GB", { ...fields, timeZone: zone ?? undefined });
    formatters.set(key, made);
  }
  return made;
}

/** The time of day, "18:00" or, when there are seconds, "18:00:05"; without a zone in the reader's own. */
export function clock(date, zone) {
  const at = asDate(date);
  if (!at) return "–";
  const text = formatter(zone, "clock").format(at);
  return text.endsWith(":00") ? text.slice(0, -3) : text;
}

/** The day, "Tue 2026-11-24"; without a zone in the reader's own. */
export function day(date, zone) {
  const at = asDate(date);
  if (!at) return "–";
  const parts = Object.fromEntries(formatter(zone, "day").formatToParts(at).map(({ type, value }) => [type, value]));
  return `${parts.weekday} ${parts.year}-${parts.month}-${parts.day}`;
}

function asDate(value) {
  if (value == null) return null;
  const at = value instanceof Date ? value : new Date(value);
  return Number.isNaN(at.getTime()) ? null : at;
}

/** A number with thin groups of thousands: "12 345" (with a narrow no-break space). */
export function number(n) {
  if (n == null || Number.isNaN(n)) return "–";
  const [whole, part] = String(n).split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, "\u202f");
  return part ? `${grouped}.${part}` : grouped;
}

/** A size: "0 B", "1.5 KiB", "12 MiB". */
export function bytes(n) {
  if (n == null || Number.isNaN(n)) return "–";
  let size = n;
  let unit = 0;
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  while (size >= 1_023.5 && unit < units.length - 1) {
    size /= 1_024;
    unit += 1;
  }
  return `${unit && size < 9.95 ? size.toFixed(1) : number(Math.round(size))} ${units[unit]}`;
}

const IRREGULAR = { is: "are", was: "were", has: "have" };

/** A number with its noun: "1 script", "12 scripts", "2 entries". */
export function plural(n, word) {
  if (n === 1) return `1 ${word}`;
  const many = IRREGULAR[word] ?? (/[^aeiou]y$/.test(word) ? `${word.slice(0, -1)}ies` : /(s|x|ch|sh)$/.test(word) ? `${word}es` : `${word}s`);
  return `${number(n)} ${many}`;
}

const WORDS = {
  ok: "ok",
  error: "failed",
  timeout: "timed out",
  disabled: "off",
  load_error: "not loaded",
  incompatible: "incompatible",
  skipped_overload: "skipped",
  stale_generation: "reloaded meanwhile",
  unregistered: "not registered",
  scheduler_not_ready: "not ready",
  scheduled: "scheduled",
  running: "running",
  starting: "starting",
  held: "waiting",
  ended: "ended",
  paused: "paused",
  stale: "file refused",
};

const REASON_WORDS = {
  missed: "missed",
  interrupted: "cut off",
  stopped: "stopped",
  out_of_memory: "out of memory",
  spawn: "not started",
  paused: "paused",
  maintenance: "paused",
  blackout: "blackout",
  draining: "shut down",
};

/** The word for a status of a fire, a script or a run; the reason makes it more exact where that is one word more. */
export function statusWord(status, reason) {
  return REASON_WORDS[reason] ?? WORDS[status] ?? String(status ?? "never ran").replaceAll("_", " ");
}

const REASONS = {
  exception: () => "It threw an exception",
  unexpected: () => "It did not do what its header expects",
  spawn: () => "It could not be started",
  out_of_memory: () => "It needed more memory than it may have",
  stopped: () => "Somebody stopped it",
  interrupted: () => "It was running when schedd or the host went down",
  missed: () => "Nobody was there to start it",
  timeout: (entry) => (entry.durationMs ? `It ran longer than it may, and was ended after ${duration(entry.durationMs)}` : "It ran longer than it may"),
  disabled: () => "Its header says that it is off",
  paused: () => "It was paused",
  maintenance: () => "All scripts were paused",
  blackout: () => "The slot lies in a blackout",
  preflight: () => "It would not even load",
  unreadable: () => "Its file could not be read",
  unsafe: () => "Its file may be changed by somebody who should not",
  websocket: () => "It serves a web socket, which cannot be scheduled",
  overlap: () => "The run before it was not over",
  overload: () => "There was no free place to run it in",
  lock: () => "Another script had its lock",
  hold_full: () => "Too many fires were waiting already",
  superseded: () => "A newer fire took its place",
  too_late: () => "It could not start within its deadline",
  draining: () => "schedd was about to stop",
  exit: (entry) => (entry.exitCode == null ? "It ended with a failure" : `It ended with exit code ${entry.exitCode}`),
  signal: (entry) => (entry.signal ? `It was ended by ${entry.signal}` : "A signal ended it"),
};

/** What happened, in one plain sentence without its full stop, with the first line of the error where there is one. */
export function explain(status, reason, entry = {}) {
  if (status === "ok") return entry?.returnPreview ? `It returned ${entry.returnPreview}` : "It ended well";
  const said = REASONS[reason]?.(entry ?? {}) ?? `It is ${statusWord(status, reason)}`;
  const error = firstLine(entry?.error);
  return error && !said.includes(error) ? `${said}: ${error}` : said;
}

function firstLine(text) {
  return String(text ?? "").split("\n").find((line) => line.trim())?.trim() ?? "";
}
