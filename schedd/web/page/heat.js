// The heat map: how much fires in each hour of the days around today, and what is to come.
//
// A real table: a cell is a row header and a column header away from being read out, and the arrows move in it.
// Steps of a quarter of an hour are asked for, since not every zone is a whole number of hours from UTC.

import { Dialog, Empty, Panel, Problem, html, useEffect, useMemo, useRef, useState } from "./ui.js";
import { get } from "./api.js";
import { clock, day, number, plural } from "./format.js";
import { href } from "./route.js";
import { onEvent, serverNow, useNow, useSchedules } from "./store.js";
import { batches, busiest, darkest, dayLabel, hourSpan, hours, level, midnight } from "./axis.js";

const DAYS = 7;
const STEP = "15m";
const REFRESH_MS = 2_000; // after something ended; a minute ends thousands at times
const CALM_MS = 60_000;
const MOST_SCRIPTS = 2_000; // scripts whose slots are looked up for one cell
const MOST_LISTED = 60;
const EVEN = 1.15;
const PEAK = 1.8; // so many times the mean is worth a word
const iso = (ms) => new Date(ms).toISOString();
const KEYS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

export default function View() {
  const now = useNow(CALM_MS);
  const { list, loaded } = useSchedules();
  const [answer, setAnswer] = useState(null);
  const [error, setError] = useState(null);
  const [turn, setTurn] = useState(0);
  const [open, setOpen] = useState(null);
  const today = midnight(now);
  useEffect(() => {
    let gone = false;
    get("schedules/calendar", { from: iso(midnight(today, -DAYS)), to: iso(midnight(today, DAYS)), step: STEP })
      .then((found) => { if (!gone) { setAnswer(found); setError(null); } })
      .catch((problem) => { if (!gone) setError(problem); });
    return () => { gone = true; };
  }, [today, turn, Math.floor(now / CALM_MS)]);
  useEffect(() => {
    let timer = null;
    const later = () => { timer ??= setTimeout(() => { timer = null; setTurn((n) => n + 1); }, REFRESH_MS); };
    const offs = [onEvent("ended", later), onEvent("gone", later), onEvent("hello", later), () => clearTimeout(timer)];
    return () => offs.forEach((off) => off());
  }, []);
  const byDay = useMemo(() => answer && hours({ ...answer, from: Date.parse(answer.from) }), [answer]);
  const retry = () => setTurn((n) => n + 1);
  return html`<div class="heat-page" aria-busy=${!byDay && !error}>
    <h1 class="view-title">Load</h1>
    ${error && html`<${Problem} error=${error} retry=${retry} />`}
    ${byDay && loaded && !list.length ? html`<${Empty} title="Nothing is scheduled yet">A script with a line such as # @schedule "0 3 * * *" shows up here after a reload.<//>`
      : byDay && html`<${Panel} title="Fires by hour" note="7 days back and 7 days ahead, in your local time">
          <${Busiest} byDay=${byDay} now=${now} />
          <${Legend} />
          <${Grid} byDay=${byDay} now=${now} onOpen=${setOpen} />
        <//>`}
    ${open && html`<${Coming} cell=${open} list=${list} onClose=${() => setOpen(null)} />`}
  </div>`;
}

function Busiest({ byDay, now }) {
  const peak = busiest(byDay, now);
  if (!peak) return html`<p class="heat-peak">Nothing comes in the next 7 days.</p>`;
  const each = peak.days > 1 ? `, ${number(Math.round(peak.slots / peak.days))} a day` : "";
  if (peak.ratio < EVEN) return html`<p class="heat-peak">The load is even: about <strong>${plural(Math.round(peak.slots / peak.days), "slot")}</strong> in an hour of the next 7 days.</p>`;
  const advice = peak.ratio >= PEAK && peak.slots / peak.days >= 10;
  return html`<p class="heat-peak">Busiest: <strong>${hourSpan(peak.hour)}</strong>, ${plural(peak.slots, "slot")} in the next 7 days${each}${advice ? html`: spread them with <code>H</code> or <code>@jitter</code>.` : "."}</p>`;
}

function Legend() {
  const ramp = (kind) => [1, 2, 3, 4, 5].map((n) => html`<i key=${n} class=${`heat-swatch is-${kind} is-level-${n}`}></i>`);
  return html`<ul class="time-legend" aria-label="Legend">
    <li><span class="heat-ramp" aria-hidden="true">${ramp("past")}</span> fired: few to many</li>
    <li><span class="heat-ramp" aria-hidden="true">${ramp("coming")}</span> coming: few to many</li>
    <li><span class="heat-swatch is-past is-level-1" aria-hidden="true"><${Failed} /></span> some failed</li>
    <li><span class="heat-swatch is-past is-level-1" aria-hidden="true"><${Missed} /></span> some missed</li>
  </ul>`;
}

const Failed = () => html`<svg class="heat-failed" viewBox="0 0 8 8" aria-hidden="true"><path d="M4 0 8 4 4 8 0 4Z" /></svg>`;

const Missed = () => html`<svg class="heat-failed is-missed" viewBox="0 0 8 8" aria-hidden="true"><circle cx="4" cy="4" r="3" /></svg>`;

function Grid({ byDay, now, onOpen }) {
  const table = useRef(null);
  const [at, setAt] = useState(() => [byDay.findIndex(({ day: one }) => one === midnight(now)), new Date(now).getHours()]);
  const most = useMemo(() => darkest(byDay), [byDay]);
  const key = (event) => {
    const step = KEYS[event.key];
    if (!step || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    event.stopPropagation();
    let [row, hour] = at;
    do {
      row += step[0];
      hour += step[1];
    } while (byDay[row] && hour >= 0 && hour < 24 && !byDay[row].hours[hour]);
    if (!byDay[row]?.hours[hour]) return;
    setAt([row, hour]);
    table.current.querySelector(`[data-at="${row}-${hour}"]`)?.focus();
  };
  return html`<div class="heat-box"><table class="heat" ref=${table} onKeyDown=${key}>
    <caption class="unseen">Fires and coming slots for each hour of each day. The arrow keys move between the cells, Enter opens one.</caption>
    <thead><tr><th scope="col"><span class="unseen">Day</span></th>${Array.from({ length: 24 }, (_, hour) => html`<th key=${hour} scope="col" class=${hour % 3 ? "is-minor" : ""}><span aria-hidden="true">${String(hour).padStart(2, "0")}</span><span class="unseen">${hourSpan(hour)}</span></th>`)}</tr></thead>
    <tbody>${byDay.map((row, index) => html`<tr key=${row.day} class=${row.day === midnight(now) ? "is-today" : ""}>
      <th scope="row"><span aria-hidden="true">${row.day === midnight(now) ? "Today" : dayLabel(row.day)}</span><span class="unseen">${day(new Date(row.day))}</span></th>
      ${row.hours.map((cell, hour) => html`<${Cell} key=${hour} cell=${cell} now=${now} most=${most} here=${index === at[0] && hour === at[1]} place=${`${index}-${hour}`} onOpen=${onOpen} onFocus=${() => setAt([index, hour])} />`)}
    </tr>`)}</tbody>
  </table></div>`;
}

function Cell({ cell, now, most, here, place, onOpen, onFocus }) {
  if (!cell) return html`<td class="heat-none" title="This hour did not exist: the clock went forward"><span class="unseen">no such hour</span></td>`;
  const isNow = cell.from <= now && now < cell.to;
  const past = cell.to <= now || (isNow && cell.past > 0);
  const n = past ? cell.past : cell.coming;
  const kind = `heat-cell is-${past ? "past" : "coming"} is-level-${level(n, most)}${isNow ? " is-now" : ""}`;
  const words = [
    (past || isNow) && `${number(cell.past)} fired`,
    cell.failed > 0 && `${number(cell.failed)} failed`,
    cell.missed > 0 && `${number(cell.missed)} missed`,
    (!past || isNow) && `${number(cell.coming)} coming`,
  ].filter(Boolean).join(", ");
  const title = `${day(new Date(cell.from))} ${clock(new Date(cell.from))}–${clock(new Date(cell.to))}: ${words}`;
  const inside = html`${n > 0 && html`<span class="heat-n" aria-hidden="true">${short(n)}</span>`}${cell.failed > 0 ? html`<${Failed} />` : cell.missed > 0 && html`<${Missed} />`}<span class="unseen">${words}</span>`;
  const common = { class: kind, title, tabIndex: here ? 0 : -1, "data-at": place, onFocus };
  if (!past) return html`<td><button type="button" ...${common} onClick=${() => onOpen(cell)}>${inside}</button></td>`;
  // What was missed was written down later: its lines are found by their slots.
  const bounds = cell.missed > 0 && cell.missed === cell.past
    ? { reason: "missed", slotSince: iso(cell.from), slotUntil: iso(cell.to), rotated: "1" }
    : { since: iso(cell.from), until: iso(cell.to) };
  return html`<td><a ...${common} href=${href("history", {}, bounds)}>${inside}</a></td>`;
}

function short(n) {
  return n < 10_000 ? String(n) : `${Math.round(n / 1_000)}k`;
}

/** The slots of an hour to come, by script. */
function Coming({ cell, list, onClose }) {
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let gone = false;
    setError(null);
    slotsOf(cell, list).then((one) => { if (!gone) setFound(one); }).catch((problem) => { if (!gone) setError(problem); });
    return () => { gone = true; };
  }, [cell, turn]);
  const title = `Coming ${day(new Date(cell.from))}, ${clock(new Date(cell.from))}–${clock(new Date(cell.to))}`;
  return html`<${Dialog} title=${title} onClose=${onClose}>
    ${error ? html`<${Problem} error=${error} retry=${() => setTurn((n) => n + 1)} />` : !found ? html`<p class="muted" aria-busy="true">Looking …</p>`
      : !found.rows.length ? html`<${Empty} title="No slot in this hour">Scripts that are paused or disabled have none either.<//>`
      : html`<table class="heat-list"><thead><tr><th scope="col">Script</th><th scope="col">First</th><th scope="col" class="is-number">Slots</th></tr></thead>
          <tbody>${found.rows.slice(0, MOST_LISTED).map(({ script, n, first }) => html`<tr key=${script}><td><a href=${href("script", { script })}>${script}</a></td><td>${clock(new Date(first))}</td><td class="is-number">${number(n)}</td></tr>`)}</tbody></table>
        ${found.rows.length > MOST_LISTED && html`<p class="muted">And ${plural(found.rows.length - MOST_LISTED, "more script")}.</p>`}
        ${found.left > 0 && html`<p class="muted">${plural(found.left, "script")} were not looked at.</p>`}`}
  <//>`;
}

async function slotsOf(cell, list) {
  const from = Math.max(cell.from, serverNow());
  const able = list.filter((item) => item.nextFire && Date.parse(item.nextFire) < cell.to).map((item) => item.scriptRel);
  const rows = [];
  for (const some of batches(able.slice(0, MOST_SCRIPTS))) {
    const answer = await get("schedules/calendar", { from: iso(cell.from), to: iso(cell.to), step: "1m", by: "script", scriptPath: some });
    for (const { scriptPath, slots } of answer.scripts ?? []) {
      const n = slots.reduce((sum, [, count]) => sum + count, 0);
      if (n) rows.push({ script: scriptPath, n, first: Math.max(from, Date.parse(answer.from) + slots[0][0] * answer.stepMs) });
    }
  }
  rows.sort((a, b) => b.n - a.n || (a.script < b.script ? -1 : 1));
  return { rows, left: Math.max(0, able.length - MOST_SCRIPTS) };
}
