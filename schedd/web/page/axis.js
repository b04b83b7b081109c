// The axis of time: windows, steps, ticks, and the hours of local days.
//
// Pure: no DOM, no clock, no imports. A window is {from, to} in milliseconds. Local time is that of the browser,
// asked for each instant, so that a day of 23 or 25 hours is drawn as long as it was.

const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

/** The zooms that have a button; steps divide an hour or a day, and there are some 300 of them in a window. */
export const ZOOMS = [
  { id: "1h", label: "1 h", spanMs: HOUR, stepMs: 10_000 },
  { id: "6h", label: "6 h", spanMs: 6 * HOUR, stepMs: MINUTE },
  { id: "24h", label: "24 h", spanMs: DAY, stepMs: 5 * MINUTE },
  { id: "7d", label: "7 d", spanMs: 7 * DAY, stepMs: 30 * MINUTE },
  { id: "30d", label: "30 d", spanMs: 30 * DAY, stepMs: 2 * HOUR },
];
const LEAST_MS = ZOOMS[0].spanMs;
const MOST_MS = ZOOMS.at(-1).spanMs;

const NOW_AT = 0.6; // where in a window that follows the clock "now" is: more has happened than is looked ahead
const UNITS = [MINUTE, 2 * MINUTE, 5 * MINUTE, 10 * MINUTE, 15 * MINUTE, 30 * MINUTE, HOUR, 2 * HOUR, 3 * HOUR, 6 * HOUR, 12 * HOUR, DAY, 2 * DAY, 7 * DAY];
const QUARTER = 15 * MINUTE; // all zones are whole quarters of an hour from UTC
const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

export const spanOf = ({ from, to }) => to - from;

/** The window of a span that has now in it, at its usual place. */
export function around(now, spanMs) {
  const span = bounded(spanMs);
  return { from: now - span * NOW_AT, to: now + span * (1 - NOW_AT) };
}

/** The length of a step in a window of this span: that of the zoom it is nearest to. */
export function stepFor(spanMs) {
  const wider = ZOOMS.find((zoom) => spanMs <= zoom.spanMs * 1.5);
  return (wider ?? ZOOMS.at(-1)).stepMs;
}

/** The window `factor` times as wide, with `at` staying where it is. */
export function zoomed(view, factor, at) {
  const before = spanOf(view);
  const span = bounded(before * factor);
  const share = (at - view.from) / before;
  return { from: at - span * share, to: at + span * (1 - share) };
}

/** The next zoom with a button in a direction: 1 is wider, -1 is narrower. */
export function nextZoom(spanMs, direction) {
  const near = (zoom) => Math.abs(zoom.spanMs - spanMs) < 1_000;
  if (direction > 0) return ZOOMS.find((zoom) => zoom.spanMs > spanMs && !near(zoom)) ?? ZOOMS.at(-1);
  return ZOOMS.findLast((zoom) => zoom.spanMs < spanMs && !near(zoom)) ?? ZOOMS[0];
}

export function moved({ from, to }, ms) {
  return { from: from + ms, to: to + ms };
}

function bounded(spanMs) {
  return Math.min(MOST_MS, Math.max(LEAST_MS, spanMs));
}

export const xOf = (ms, { from, to }, width) => ((ms - from) / (to - from)) * width;
export const atOf = (x, { from, to }, width) => from + (x / width) * (to - from);

/** What to ask for so that a window and half of it at each side are known: {from, to, stepMs}, on whole steps. */
export function asked(view) {
  const span = spanOf(view);
  const stepMs = stepFor(span);
  return { from: Math.floor((view.from - span / 2) / stepMs) * stepMs, to: Math.ceil((view.to + span / 2) / stepMs) * stepMs, stepMs };
}

/** Whether an answer still covers a window at its step. */
export function covers(known, view) {
  return Boolean(known) && known.stepMs === stepFor(spanOf(view)) && known.from <= view.from && known.to >= view.to;
}

/** The lines of a window: [{at, label, major}], at round local times and at least `leastPx` apart. */
export function ticks(view, width, leastPx = 72) {
  const least = (spanOf(view) * leastPx) / Math.max(1, width);
  const unit = UNITS.find((one) => one >= least) ?? UNITS.at(-1);
  const found = unit >= DAY ? days(view, unit) : times(view, unit);
  // In an hour that comes twice a round time does too: one of them is enough where there is no room for both.
  return found.filter(({ at }, index) => index === 0 || at - found[index - 1].at >= Math.min(unit, least) * 0.99);
}

function times({ from, to }, unit) {
  const pace = Math.min(unit, QUARTER);
  const found = [];
  for (let at = Math.ceil(from / pace) * pace; at <= to; at += pace) {
    const local = new Date(at);
    const ofDay = (local.getHours() * 60 + local.getMinutes()) * MINUTE;
    if (ofDay % unit) continue;
    found.push({ at, label: ofDay ? timeLabel(local) : dayLabel(local), major: !ofDay });
  }
  return found;
}

function days({ from, to }, unit) {
  const found = [];
  for (let at = midnight(from); at <= to; at = midnight(at, 1)) {
    const local = new Date(at);
    if (at < from || !isShown(local, unit)) continue;
    found.push({ at, label: `${local.getDate()} ${MONTHS[local.getMonth()]}`, major: local.getDay() === 1 });
  }
  return found;
}

function isShown(local, unit) {
  if (unit === 7 * DAY) return local.getDay() === 1;
  return (Date.UTC(local.getFullYear(), local.getMonth(), local.getDate()) / DAY) % (unit / DAY) === 0;
}

const two = (n) => String(n).padStart(2, "0");
const timeLabel = (local) => `${two(local.getHours())}:${two(local.getMinutes())}`;

/** The days of a window in words, with the year where it is another: 24 Nov, 24–25 Nov, 28 Nov – 5 Dec. */
export function daysLabel({ from, to }, now) {
  const [first, last] = [new Date(from), new Date(to)];
  const one = (at, withYear) => `${at.getDate()} ${MONTHS[at.getMonth()]}${withYear ? ` ${at.getFullYear()}` : ""}`;
  const isOther = last.getFullYear() !== new Date(now).getFullYear() || first.getFullYear() !== last.getFullYear();
  if (midnight(from) === midnight(to)) return one(last, isOther);
  if (first.getMonth() === last.getMonth() && to - from < 31 * DAY) return `${first.getDate()}–${one(last, isOther)}`;
  return `${one(first, first.getFullYear() !== last.getFullYear())} – ${one(last, isOther)}`;
}

export const dayLabel = (at) => {
  const local = new Date(at);
  return `${WEEKDAYS[local.getDay()]} ${local.getDate()}`;
};

/** The beginning of the local day of an instant, or of one so many days later. */
export function midnight(at, later = 0) {
  const local = new Date(at);
  return new Date(local.getFullYear(), local.getMonth(), local.getDate() + later).getTime();
}

/** Stretches of neighbouring steps with the same thing in them: [[index, n], …] → [{first, last, n}, …]. */
export function stretches(pairs) {
  const found = [];
  for (const [index, n] of pairs) {
    if (!n) continue;
    const before = found.at(-1);
    if (before && before.last === index - 1) {
      before.last = index;
      before.n += n;
    } else found.push({ first: index, last: index, n });
  }
  return found;
}

export const FAILED = ["error", "missed", "timeout", "load_error", "incompatible"];

/** The fires with the missed ones apart from the errors: a number a step, or pairs of a step and a number. */
export function parted(fires, missed) {
  if (!missed?.some(Boolean)) return fires;
  const pairs = Array.isArray(missed[0]);
  const gone = new Map(pairs ? missed : missed.entries());
  const rest = (index, n) => n - (gone.get(index) ?? 0);
  const error = fires.error.map((one, index) => (pairs ? [one[0], rest(...one)] : rest(index, one)));
  return { ...fires, error, missed };
}

/** The answer of the calendar by hours of local days: [{day, hours: [{from, to, past, failed, missed, coming} | null × 24]}]. */
export function hours({ from, stepMs, slots, fires, missed = [] }) {
  const apart = Object.entries(parted(fires, missed));
  const byDay = new Map();
  slots.forEach((coming, index) => {
    const at = from + index * stepMs;
    const local = new Date(at);
    const day = midnight(at);
    if (!byDay.has(day)) byDay.set(day, Array(24).fill(null));
    const cells = byDay.get(day);
    const hour = local.getHours();
    const cell = (cells[hour] ??= { from: at, to: at, past: 0, failed: 0, missed: 0, coming: 0 });
    cell.to = at + stepMs;
    cell.coming += coming;
    for (const [status, counts] of apart) {
      cell.past += counts[index] ?? 0;
      if (status === "missed") cell.missed += counts[index] ?? 0;
      else if (FAILED.includes(status)) cell.failed += counts[index] ?? 0;
    }
  });
  return [...byDay].map(([day, cells]) => ({ day, hours: cells }));
}

/** What the darkest cell stands for: the most, but thrice the usual, so that even load is of one middling tone. */
export function darkest(byDay) {
  const all = byDay.flatMap(({ hours: cells }) => cells.flatMap((cell) => (cell ? [cell.past, cell.coming] : []))).filter(Boolean).sort((a, b) => a - b);
  return Math.max(1, all.at(-1) ?? 1, 3 * (all[all.length >> 1] ?? 0));
}

/** How dark a cell is, 0…5: 0 is nothing at all, and a tenth of the most is told from a hundredth. */
export function level(n, most) {
  return n ? Math.max(1, Math.ceil(5 * Math.sqrt(n / Math.max(n, most)))) : 0;
}

/** The hour of the day with the most slots to come, {hour, slots, days that have some, times the mean}, or null without
    any. Hours are compared by the day: one that is over for today has a day less than the others. */
export function busiest(byDay, now) {
  const found = Array.from({ length: 24 }, (_, hour) => ({ hour, slots: 0, days: 0, left: 0 }));
  for (const { hours: cells } of byDay) {
    cells.forEach((cell, hour) => {
      if (!cell || cell.to <= now) return;
      found[hour].slots += cell.coming;
      found[hour].days += cell.coming ? 1 : 0;
      found[hour].left += 1;
    });
  }
  const aDay = ({ slots, left }) => (left ? slots / left : 0);
  const most = found.reduce((before, one) => (aDay(one) > aDay(before) ? one : before));
  if (!most.slots) return null;
  const { hour, slots, days } = most;
  return { hour, slots, days, ratio: aDay(most) / (found.reduce((sum, one) => sum + aDay(one), 0) / 24) };
}

export const hourSpan = (hour) => `${two(hour)}:00–${two((hour + 1) % 24)}:00`;

const MOST_ADDRESS = 5_000; // characters: servers and proxies refuse addresses of 8 KiB
const MOST_ASKED = 200;

/** Scripts in batches that one request may name. */
export function batches(scripts) {
  const found = [];
  let size = Infinity;
  for (const script of scripts) {
    const more = encodeURIComponent(script).length + 12;
    if (size + more > MOST_ADDRESS || found.at(-1).length === MOST_ASKED) {
      found.push([]);
      size = 0;
    }
    found.at(-1).push(script);
    size += more;
  }
  return found;
}
