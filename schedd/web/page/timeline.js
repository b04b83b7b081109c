// The timeline: what fired and what is to come, one row a script, on one axis with a line for now.
//
// Rows are drawn on canvases, one for each row in sight: 60 rows of 2,000 steps took 110 ms so, 250 ms as SVG with
// one path for each colour, 2 s with a rectangle for each mark. What is drawn is also a table, behind a button.

import { Empty, Problem, Windowed, html, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./ui.js";
import { get } from "./api.js";
import { clock, day, number, plural, statusWord } from "./format.js";
import { go, href } from "./route.js";
import { onEvent, serverNow, useNow, useRecent, useRuns, useSchedules } from "./store.js";
import { FAILED, ZOOMS, around, asked, atOf, batches, covers, daysLabel, moved, nextZoom, parted, spanOf, stepFor, stretches, ticks, xOf, zoomed } from "./axis.js";

const ROW_PX = 40;
const LOAD_PX = 56;
const LEAST_PX = 3; // a mark is never narrower
const CALM_MS = 180; // a fetch waits until scrolling and zooming have come to rest
const LIVE_MS = 1_500; // what is to come is asked for again so long after it changed
const MOST_KEPT = 600; // scripts whose marks are kept
const MOST_TABLE = 500;
const NEAR_PX = 8;
const LABEL_PX = { major: 52, minor: 42 };
const FLAG_PX = 24; // half of it
const PAN = 0.2;
// What is drawn first lies below.
const ORDER = ["ok", "disabled", "skipped_overload", "incompatible", "load_error", "missed", "timeout", "error"];
const COLOURS = { ok: "--ok", error: "--error", missed: "--miss", timeout: "--timeout", skipped_overload: "--skip", disabled: "--off", load_error: "--error", incompatible: "--error" };
const iso = (ms) => new Date(ms).toISOString();

export default function View() {
  const { list, loaded, error } = useSchedules();
  const [view, setView] = useState(() => around(serverNow(), ZOOMS[2].spanMs));
  const [follows, setFollows] = useState(true);
  const [asTable, setAsTable] = useState(false);
  const [filter, setFilter] = useState("");
  const now = useNow(Math.max(1_000, spanOf(view) / 1_000));
  const shownView = useMemo(() => (follows ? around(now, spanOf(view)) : view), [follows, follows ? now : 0, view]);
  const rows = useMemo(() => list.filter((item) => item.scriptRel.toLowerCase().includes(filter.trim().toLowerCase())), [list, filter]);
  const latest = useRef(shownView);
  latest.current = shownView;
  const move = useCallback((next) => { setFollows(false); setView(next); }, []);
  const zoom = useCallback((spanMs) => {
    const at = latest.current;
    const stands = serverNow() > at.from && serverNow() < at.to;
    const anchor = stands ? serverNow() : (at.from + at.to) / 2;
    setView(zoomed(at, spanMs / spanOf(at), anchor));
  }, []);
  const home = useCallback(() => { setFollows(true); setView(around(serverNow(), spanOf(latest.current))); }, []);
  useKeys({ latest, move, zoom, home });
  if (error && !loaded) return html`<h1 class="view-title">Timeline</h1><${Problem} error=${error} />`;
  if (loaded && !list.length) return html`<h1 class="view-title">Timeline</h1><${Empty} title="Nothing is scheduled yet">A script with a line such as # @schedule "*/5 * * * *" shows up here after a reload.<//>`;
  return html`<div class="timeline-page" aria-busy=${!loaded}>
    <div class="timeline-bar">
      <h1 class="view-title">Timeline</h1>
      <input type="search" class="timeline-filter" data-search placeholder="Filter scripts" aria-label="Filter scripts" value=${filter} onInput=${(event) => setFilter(event.currentTarget.value)} />
      <div class="zooms" role="group" aria-label="Zoom">${ZOOMS.map(({ id, label, spanMs }) => html`<button key=${id} type="button" aria-pressed=${Math.abs(spanOf(view) - spanMs) < 1_000} onClick=${() => zoom(spanMs)}>${label}</button>`)}</div>
      <div class="zooms" role="group" aria-label="Move">
        <button type="button" aria-label="Earlier" onClick=${() => move(moved(shownView, -spanOf(view) / 2))}>←</button>
        <button type="button" aria-pressed=${follows} onClick=${home}>Now</button>
        <button type="button" aria-label="Later" onClick=${() => move(moved(shownView, spanOf(view) / 2))}>→</button>
      </div>
      <button type="button" class="zooms-one" aria-pressed=${asTable} onClick=${() => setAsTable(!asTable)}>Table</button>
    </div>
    <${Legend} />
    <${Rows} rows=${rows} view=${shownView} now=${now} move=${move} asTable=${asTable} />
  </div>`;
}

function useKeys({ latest, move, zoom, home }) {
  useEffect(() => {
    const pressed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey && event.key !== "+") return;
      if (event.target.closest?.("input, select, textarea, dialog") || document.querySelector("dialog[open]")) return;
      const span = spanOf(latest.current);
      if (event.key === "+" || event.key === "=") zoom(nextZoom(span, -1).spanMs);
      else if (event.key === "-" || event.key === "−") zoom(nextZoom(span, 1).spanMs);
      else if (event.key === "ArrowLeft") move(moved(latest.current, -span * PAN));
      else if (event.key === "ArrowRight") move(moved(latest.current, span * PAN));
      else if (event.key === "Home") home();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, [move, zoom, home]);
}

function Legend() {
  return html`<ul class="time-legend" aria-label="Legend">
    <li><i class="mark is-ok" aria-hidden="true"></i> ok</li>
    <li><i class="mark is-error" aria-hidden="true"></i> failed</li>
    <li><i class="mark is-timeout" aria-hidden="true"></i> timed out</li>
    <li><i class="mark is-miss" aria-hidden="true"></i> missed</li>
    <li><i class="mark is-skip" aria-hidden="true"></i> skipped</li>
    <li><i class="mark is-off" aria-hidden="true"></i> off</li>
    <li><i class="mark is-run" aria-hidden="true"></i> running</li>
    <li><i class="mark is-coming" aria-hidden="true"></i> coming</li>
  </ul>`;
}

function Rows({ rows, view, now, move, asTable }) {
  const [seen, setSeen] = useState([]);
  const onRange = useCallback((shown) => setSeen(shown.map((item) => item.scriptRel)), []);
  const visible = asTable ? rows.slice(0, 40).map((item) => item.scriptRel) : seen;
  const { known, total, error, retry } = useMarks(visible, view);
  const recent = useRecent(visible);
  const running = useRunning();
  const [box, width] = useWidth();
  const [tip, setTip] = useState(null);
  usePan(box, width, view, move, setTip);
  const paint = usePaint();
  const lines = useMemo(() => ticks(view, width, width < 420 ? 48 : 72), [view, width]);
  const draw = (item) => html`<${Row} key=${item.scriptRel} item=${item} view=${view} now=${now} width=${width} paint=${paint}
    marks=${known.get(item.scriptRel)} outcomes=${recent.get(item.scriptRel)?.outcomes} running=${running.get(item.scriptRel)} setTip=${setTip} />`;
  return html`${error && html`<${Problem} error=${error} retry=${retry} />`}
  <div class="timeline" ref=${box} aria-busy=${!total && !error} onMouseLeave=${() => setTip(null)}>
    <div class="timeline-head">
      <div class="timeline-name timeline-day">${daysLabel(view, now)}</div>
      <div class="timeline-axis" aria-hidden="true">${lines.map(({ at, label, major }) => html`<span key=${at} class=${major ? "is-major" : ""} ref=${place(xOf(at, view, width))}>${fits(xOf(at, view, width), major, view, now, width) ? label : ""}</span>`)}<${NowFlag} now=${now} view=${view} width=${width} /></div>
      <div class="timeline-name"><strong>All scripts</strong></div>
      <${Load} total=${total} view=${view} now=${now} width=${width} paint=${paint} setTip=${setTip} />
    </div>
    ${asTable ? html`<${Table} rows=${rows} known=${known} view=${view} />` : html`<div class="timeline-rows">
      <div class="timeline-lines" aria-hidden="true">${lines.map(({ at, major }) => html`<i key=${at} class=${major ? "is-major" : ""} ref=${place(xOf(at, view, width))}></i>`)}<${NowLine} now=${now} view=${view} width=${width} /></div>
      ${rows.length ? html`<${Windowed} rows=${rows} height=${ROW_PX} render=${draw} id=${(item) => item.scriptRel} label="Scripts" onRange=${onRange} />`
        : html`<p class="timeline-none">No script has that in its name.</p>`}
    </div>`}
    ${tip && html`<${Tip} tip=${tip} />`}
  </div>`;
}

const place = (x) => (element) => element?.style.setProperty("--x", `${x.toFixed(1)}px`);
const within = (now, view) => now >= view.from && now <= view.to;
const NowLine = ({ now, view, width }) => within(now, view) && html`<b class="timeline-now" ref=${place(xOf(now, view, width))}></b>`;
const NowFlag = ({ now, view, width }) => within(now, view) && html`<b class="timeline-flag" ref=${place(xOf(now, view, width))}>${clock(new Date(Math.floor(now / 60_000) * 60_000))}</b>`;

/** Whether there is room for the words of a line: not at the end, and not below the flag for now. */
function fits(x, major, view, now, width) {
  const end = x + (major ? LABEL_PX.major : LABEL_PX.minor);
  if (end > width) return false;
  const flag = xOf(now, view, width);
  return !within(now, view) || end < flag - FLAG_PX || x > flag + FLAG_PX;
}

function useRunning() {
  const runs = useRuns();
  return useMemo(() => {
    const by = new Map();
    for (const run of runs) if (run.startedAt) by.set(run.scriptRel ?? run.scriptPath, [...(by.get(run.scriptRel ?? run.scriptPath) ?? []), run]);
    return by;
  }, [runs]);
}

/** The width of the part that is the axis. */
function useWidth() {
  const box = useRef(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const axis = box.current?.querySelector(".timeline-axis");
    if (!axis) return undefined;
    const measure = () => setWidth(Math.max(1, axis.clientWidth));
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(axis);
    return () => watch.disconnect();
  }, []);
  return [box, width];
}

/** The colours of the theme in force, anew when it changes. */
function usePaint() {
  const read = () => {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return { ...Object.fromEntries(Object.entries(COLOURS).map(([status, name]) => [status, of(name)])), run: of("--run"), coming: of("--time-coming") || of("--accent"), surface: of("--surface") };
  };
  const [paint, setPaint] = useState(read);
  useEffect(() => {
    const again = () => setPaint(read());
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const watch = new MutationObserver(again);
    watch.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
    dark.addEventListener("change", again);
    again();
    return () => { watch.disconnect(); dark.removeEventListener("change", again); };
  }, []);
  return paint;
}

/** Drag and the wheel move and zoom; a plain wheel upwards and downwards scrolls the page, as everywhere. */
function usePan(box, width, view, move, setTip) {
  const at = useRef({});
  at.current = { view, width, move };
  useEffect(() => {
    const element = box.current;
    const wheel = (event) => {
      const { view: seen, width: wide } = at.current;
      if (!event.target.closest(".timeline-plot, .timeline-axis")) return;
      if (event.ctrlKey || event.metaKey) {
        event.preventDefault();
        const left = element.querySelector(".timeline-axis").getBoundingClientRect().left;
        at.current.move(zoomed(seen, Math.exp(event.deltaY / 300), atOf(event.clientX - left, seen, wide)));
      } else if (event.shiftKey || Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        event.preventDefault();
        at.current.move(moved(seen, ((event.deltaX || event.deltaY) / wide) * spanOf(seen)));
      }
    };
    let drag = null;
    const down = (event) => {
      if (event.button || !event.target.closest(".timeline-plot, .timeline-axis")) return;
      drag = { x: event.clientX, view: at.current.view, far: false };
    };
    const drawn = (event) => {
      if (!drag) return;
      const by = event.clientX - drag.x;
      if (!drag.far && Math.abs(by) < 5) return;
      if (!drag.far) element.setPointerCapture(event.pointerId);
      drag.far = true;
      setTip(null);
      at.current.move(moved(drag.view, (-by / at.current.width) * spanOf(drag.view)));
    };
    const up = () => {
      // The click that ends a drag opens nothing.
      if (drag?.far) addEventListener("click", swallow, { capture: true, once: true });
      if (drag?.far) setTimeout(() => removeEventListener("click", swallow, { capture: true }));
      drag = null;
    };
    const swallow = (event) => { event.preventDefault(); event.stopPropagation(); };
    const cancel = () => { drag = null; };
    const all = [["pointerdown", down], ["pointermove", drawn], ["pointerup", up], ["pointercancel", cancel]];
    element.addEventListener("wheel", wheel, { passive: false });
    for (const [type, call] of all) element.addEventListener(type, call);
    return () => {
      element.removeEventListener("wheel", wheel);
      for (const [type, call] of all) element.removeEventListener(type, call);
    };
  }, []);
}

/** What is known of the scripts in sight and of all: asked for when the window has left it, and live from events. */
function useMarks(visible, view) {
  const store = useRef({ known: new Map(), total: null });
  const [, setTurn] = useState(0);
  const [error, setError] = useState(null);
  const again = useCallback(() => setTurn((n) => n + 1), []);
  const stale = useRef(new Set());
  const wanted = useRef({});
  wanted.current = { visible, view };
  const busy = useRef(null);
  const load = useCallback(async () => {
    busy.current?.abort();
    const mine = (busy.current = new AbortController());
    const { visible: scripts, view: seen } = wanted.current;
    const { from, to, stepMs } = asked(seen);
    const frame = { from: iso(from), to: iso(to), step: stepMs / 1_000 };
    const { known } = store.current;
    const missing = scripts.filter((script) => stale.current.has(script) || !covers(known.get(script), seen));
    for (const script of missing) stale.current.delete(script);
    const needsTotal = stale.current.delete("") || !covers(store.current.total, seen);
    try {
      const asks = batches(missing).map((some) => get("schedules/calendar", { ...frame, by: "script", scriptPath: some }));
      if (needsTotal) asks.push(get("schedules/calendar", frame));
      for (const answer of await Promise.all(asks)) {
        const of = { from: Date.parse(answer.from), to: Date.parse(answer.to), stepMs: answer.stepMs };
        if (!answer.scripts) store.current.total = { ...of, slots: [...answer.slots], fires: Object.fromEntries(Object.entries(parted(answer.fires, answer.missed)).map(([status, counts]) => [status, [...counts]])) };
        for (const { scriptPath, slots, fires, missed } of answer.scripts ?? []) {
          known.delete(scriptPath);
          known.set(scriptPath, { ...of, slots: new Map(slots), fires: Object.fromEntries(Object.entries(parted(fires, missed)).map(([status, pairs]) => [status, new Map(pairs)])) });
        }
      }
      while (known.size > MOST_KEPT) known.delete(known.keys().next().value);
      if (!mine.signal.aborted) setError(null);
    } catch (problem) {
      for (const script of missing) stale.current.add(script);
      if (needsTotal) stale.current.add("");
      if (!mine.signal.aborted) setError(problem);
    }
    again();
  }, []);
  const { known, total } = store.current;
  const first = !total;
  const lacks = !covers(total, view) || visible.some((script) => !covers(known.get(script), view));
  useEffect(() => {
    if (!lacks) return undefined;
    const timer = setTimeout(load, first ? 0 : CALM_MS);
    return () => clearTimeout(timer);
  }, [lacks, visible.join("\n"), stepFor(spanOf(view)), Math.round(view.from / stepFor(spanOf(view)) / 20)]);
  useEffect(() => {
    let timer = null;
    let drawing = null;
    const later = (script) => {
      stale.current.add(script);
      stale.current.add("");
      timer ??= setTimeout(() => { timer = null; load(); }, LIVE_MS);
    };
    const offs = [
      onEvent("ended", (entry) => {
        count(store.current.known.get(entry.scriptPath), entry, true);
        count(store.current.total, entry, false);
        drawing ??= requestAnimationFrame(() => { drawing = null; again(); });
      }),
      onEvent("schedule", (item) => wanted.current.visible.includes(item.scriptRel) && later(item.scriptRel)),
      onEvent("gone", ({ scriptRel }) => later(scriptRel)),
      onEvent("hello", ({ resumed }) => { if (!resumed) for (const script of store.current.known.keys()) later(script); }),
      () => { clearTimeout(timer); cancelAnimationFrame(drawing); busy.current?.abort(); },
    ];
    return () => offs.forEach((off) => off());
  }, []);
  return { known, total, error, retry: load };
}

const indexOf = ({ from, stepMs }, at) => Math.floor((at - from) / stepMs);

/** Put one end among the marks, and take the slot that it was out of those to come. */
function count(marks, entry, sparse) {
  if (!marks) return;
  const index = indexOf(marks, Date.parse(entry.ts));
  const size = Math.round((marks.to - marks.from) / marks.stepMs);
  if (index < 0 || index >= size) return;
  const counts = (marks.fires[entry.reason === "missed" ? "missed" : entry.status] ??= sparse ? new Map() : Array(size).fill(0));
  if (sparse) counts.set(index, (counts.get(index) ?? 0) + 1);
  else counts[index] += 1;
}

/** A canvas that is drawn anew when an input changes; `blank` says that there is nothing to draw. */
function useCanvas(height, width, draw, inputs, blank = false) {
  const canvas = useRef(null);
  const pen = useRef(null);
  useLayoutEffect(() => {
    // Pixels cost more than what is drawn on them: a row that is scrolled past before its marks are there has none.
    if (blank && !pen.current) return;
    const element = canvas.current;
    const scale = devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * scale), Math.round(height * scale)];
    pen.current ??= element.getContext("2d");
    if (element.width !== wide) element.width = wide;
    if (element.height !== high) element.height = high;
    pen.current.setTransform(scale, 0, 0, scale, 0, 0);
    pen.current.clearRect(0, 0, width, height);
    draw(pen.current);
  }, inputs);
  return canvas;
}

function Row({ item, view, now, width, paint, marks, outcomes, running, setTip }) {
  const seen = marks && marks.stepMs ? marks : null;
  const canvas = useCanvas(ROW_PX, width, (pen) => drawRow(pen, { marks: seen, outcomes, running, view, now, width, paint }), [view, width, paint, marks, marks && sumOf(marks), outcomes, running, running && now], !seen && !outcomes?.length && !running);
  const things = () => (seen ? thingsOf(seen, view, now) : []);
  const show = (thing) => setTip(thing && { ...thing, x: xOf((thing.from + thing.to) / 2, view, width), script: item.scriptRel, element: canvas.current });
  const near = (event) => {
    const x = event.clientX - canvas.current.getBoundingClientRect().left;
    return nearest(things(), atOf(x, view, width), (NEAR_PX / width) * spanOf(view));
  };
  const [at, setAt] = useState(-1);
  const step = (by) => {
    const all = things();
    if (!all.length) return;
    const start = at < 0 || at >= all.length ? all.findLastIndex((thing) => thing.from <= now) : at + by;
    const next = Math.min(all.length - 1, Math.max(0, start));
    setAt(next);
    show(all[next]);
  };
  const key = (event) => {
    if (event.key === "," || event.key === ".") step(event.key === "," ? -1 : 1);
    else if (event.key === "Enter" && at >= 0 && things()[at]) go(linkOf(item.scriptRel, things()[at]));
    else if (event.key === "Escape") setTip(null);
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  const open = (event) => { const thing = near(event); if (thing) go(linkOf(item.scriptRel, thing)); };
  return html`<div class="timeline-row">
    <a class="timeline-name" href=${href("script", { script: item.scriptRel })} title=${item.scriptRel}>${nameOf(item.scriptRel)}</a>
    <div class="timeline-plot" tabindex="0" role="group" aria-label=${`${item.scriptRel}: ${rowWords(seen, view, now)}${running ? `, ${number(running.length)} running` : ""}`} aria-keyshortcuts=", . Enter" onFocus=${(event) => event.currentTarget.matches(":focus-visible") && step(0)} onBlur=${() => { setTip(null); setAt(-1); }} onKeyDown=${key}
      onPointerMove=${(event) => !event.buttons && show(near(event))} onClick=${open}><canvas ref=${canvas} aria-hidden="true"></canvas></div>
  </div>`;
}

function nameOf(script) {
  const cut = script.lastIndexOf("/") + 1;
  return html`<span class="timeline-file">${script.slice(cut)}</span><span class="timeline-dir">${script.slice(0, Math.max(0, cut - 1))}</span>`;
}

function sumOf({ fires }) {
  let sum = 0;
  for (const counts of Object.values(fires)) for (const n of counts.values()) sum += n;
  return sum;
}

function rowWords(marks, view, now) {
  if (!marks) return "loading";
  let fired = 0;
  let failed = 0;
  let coming = 0;
  for (const { status, n } of thingsOf(marks, view, now)) {
    if (!status) coming += n;
    else fired += n;
    if (FAILED.includes(status)) failed += n;
  }
  return `${number(fired)} fired, ${number(failed)} failed, ${number(coming)} coming`;
}

/** What is to be seen of a script in a window, by time: [{from, to, status | null, n}]. */
function thingsOf(marks, view, now) {
  const found = [];
  const add = (pairs, status) => {
    for (const [index, n] of pairs) {
      const from = marks.from + index * marks.stepMs;
      const to = from + marks.stepMs;
      if (n && to > view.from && from < view.to && (status || to > now)) found.push({ from, to, status, n });
    }
  };
  for (const [status, pairs] of Object.entries(marks.fires)) add(pairs, status);
  add(marks.slots, null);
  return found.sort((a, b) => a.from - b.from || rank(b.status) - rank(a.status));
}

const wordOf = (status) => (status === "missed" ? statusWord("error", "missed") : statusWord(status));
const rank = (status) => ORDER.indexOf(status);

function nearest(things, at, reach) {
  let best = null;
  for (const thing of things) {
    const away = at < thing.from ? thing.from - at : at > thing.to ? at - thing.to : 0;
    if (away <= reach && (!best || away < best.away)) best = { ...thing, away };
  }
  return best;
}

function linkOf(script, { from, to, status }) {
  return status ? href("history", {}, { script, since: iso(from), until: iso(to) }) : href("script", { script });
}

function drawRow(pen, { marks, outcomes, running, view, now, width, paint }) {
  const middle = ROW_PX / 2;
  if (marks) drawComing(pen, marks, { view, now, width, paint, middle });
  for (const run of running ?? []) {
    const x = xOf(Date.parse(run.startedAt), view, width);
    pen.fillStyle = paint.run;
    pen.globalAlpha = 0.85;
    round(pen, x, middle - 5, Math.max(LEAST_PX, xOf(now, view, width) - x), 10);
    pen.globalAlpha = 1;
  }
  // As wide as the run was, where that is known and wider than a mark; a bar needs no mark besides.
  const bars = new Map();
  for (const one of outcomes ?? []) {
    const end = Date.parse(one.ts);
    const x = xOf(end - (one.durationMs ?? 0), view, width);
    const wide = xOf(end, view, width) - x;
    if (wide < LEAST_PX || x + wide < 0 || x > width) continue;
    pen.fillStyle = paint[one.status] ?? paint.ok;
    round(pen, x, middle - 6, wide, 12);
    if (one.status === "ok" && marks) bars.set(indexOf(marks, end), (bars.get(indexOf(marks, end)) ?? 0) + 1);
  }
  if (!marks) return;
  const wide = Math.max(LEAST_PX, (marks.stepMs / spanOf(view)) * width - 1);
  for (const status of ORDER) {
    const pairs = marks.fires[status];
    if (!pairs) continue;
    pen.fillStyle = paint[status];
    pen.strokeStyle = paint[status];
    for (const [index, n] of pairs) {
      const x = xOf(marks.from + index * marks.stepMs, view, width);
      const isBar = status === "ok" && bars.get(index) >= n;
      if (n && !isBar && x > -wide && x < width + wide) SHAPE[status](pen, x, middle, wide, paint);
    }
  }
}

/** A shape for each status, so that the colour only repeats it. */
const SHAPE = {
  ok: (pen, x, middle, wide) => pen.fillRect(x, middle - 6, wide, 12),
  disabled: (pen, x, middle, wide) => pen.fillRect(x, middle - 1, wide, 2),
  skipped_overload: (pen, x, middle, wide) => pen.fillRect(x, middle + 2, wide, 4),
  error: (pen, x, middle, wide, paint) => bad(pen, x + wide / 2, middle, wide, paint, [[0, -6], [6, 0], [0, 6], [-6, 0]]),
  timeout: (pen, x, middle, wide, paint) => bad(pen, x + wide / 2, middle, wide, paint, [[-5, -6], [5, -6], [-5, 6], [5, 6]]),
  missed: (pen, x, middle, wide, paint) => ring(pen, x + wide / 2, middle, paint),
  load_error: (pen, x, middle, wide, paint) => bad(pen, x + wide / 2, middle, wide, paint, [[-5, -5], [5, -5], [5, 5], [-5, 5]]),
  incompatible: (pen, x, middle, wide, paint) => bad(pen, x + wide / 2, middle, wide, paint, [[-5, -5], [5, -5], [5, 5], [-5, 5]]),
};

function bad(pen, x, middle, wide, paint, corners) {
  pen.fillRect(x - wide / 2, middle - 12, wide, 24);
  pen.beginPath();
  corners.forEach(([dx, dy], index) => (index ? pen.lineTo(x + dx, middle + dy) : pen.moveTo(x + dx, middle + dy)));
  pen.closePath();
  const { strokeStyle, lineWidth } = pen;
  pen.strokeStyle = paint.surface;
  pen.lineWidth = 2;
  pen.stroke();
  pen.fill();
  pen.strokeStyle = strokeStyle;
  pen.lineWidth = lineWidth;
}

function ring(pen, x, middle, paint) {
  const { fillStyle, lineWidth } = pen;
  pen.beginPath();
  pen.arc(x, middle, 4.5, 0, 2 * Math.PI);
  pen.fillStyle = paint.surface;
  pen.fill();
  pen.lineWidth = 2;
  pen.stroke();
  Object.assign(pen, { fillStyle, lineWidth });
}

function round(pen, x, y, width, height) {
  const from = Math.max(-4, x);
  pen.beginPath();
  pen.roundRect(from, y, Math.max(1, Math.min(x + width, from + 8_000) - from), height, 3);
  pen.fill();
}

/** Slots to come are hollow, and dashed where one step is like the next. */
function drawComing(pen, marks, { view, now, width, paint, middle }) {
  pen.strokeStyle = paint.coming;
  pen.lineWidth = 1.25;
  const step = (marks.stepMs / spanOf(view)) * width;
  const pairs = [...marks.slots].sort((a, b) => a[0] - b[0]);
  for (const { first, last } of stretches(pairs)) {
    const end = marks.from + (last + 1) * marks.stepMs;
    if (end <= now) continue;
    const x = Math.max(xOf(now, view, width) + 2, xOf(marks.from + first * marks.stepMs, view, width));
    const wide = Math.max(LEAST_PX + 1, first === last ? Math.min(step, 7) : xOf(end, view, width) - x);
    if (x > width || x + wide < 0) continue;
    pen.setLineDash(first === last ? [] : [3, 2]);
    pen.strokeRect(x + 0.5, middle - 5.5, wide - 1, 11);
  }
  pen.setLineDash([]);
}

function Load({ total, view, now, width, paint, setTip }) {
  const canvas = useCanvas(LOAD_PX, width, (pen) => total && drawLoad(pen, { total, view, now, width, paint }), [total, total && sumOf(total), view, width, paint, now]);
  const point = (event) => {
    if (!total || event.buttons) return;
    const x = event.clientX - canvas.current.getBoundingClientRect().left;
    const index = Math.floor((atOf(x, view, width) - total.from) / total.stepMs);
    const from = total.from + index * total.stepMs;
    const counts = Object.entries(total.fires).map(([status, all]) => [status, all[index] ?? 0]).filter(([, n]) => n);
    setTip({ from, to: from + total.stepMs, counts, coming: total.slots[index] ?? 0, x, script: null, element: canvas.current });
  };
  const open = (event) => {
    const from = total && total.from + Math.floor((atOf(event.clientX - canvas.current.getBoundingClientRect().left, view, width) - total.from) / total.stepMs) * total.stepMs;
    if (from && from <= now) go(href("history", {}, { since: iso(from), until: iso(from + total.stepMs) }));
  };
  return html`<div class="timeline-plot timeline-load" role="img" aria-label=${total ? `All scripts: ${totalWords(total, view)}` : "All scripts: loading"} onPointerMove=${point} onClick=${open}><canvas ref=${canvas} aria-hidden="true"></canvas></div>`;
}

function totalWords(total, view) {
  const inside = (counts) => counts.reduce((sum, n, index) => sum + (total.from + index * total.stepMs >= view.from && total.from + index * total.stepMs < view.to ? n : 0), 0);
  const failed = FAILED.reduce((sum, status) => sum + inside(total.fires[status] ?? []), 0);
  const fired = Object.values(total.fires).reduce((sum, counts) => sum + inside(counts), 0);
  return `${number(fired)} fired, ${number(failed)} failed, ${number(inside(total.slots))} coming`;
}

function drawLoad(pen, { total, view, now, width, paint }) {
  const floor = LOAD_PX - 4;
  const first = Math.max(0, Math.floor((view.from - total.from) / total.stepMs));
  const last = Math.min(total.slots.length - 1, Math.ceil((view.to - total.from) / total.stepMs));
  const statuses = ORDER.filter((status) => total.fires[status]);
  let most = 1;
  const fired = (index) => statuses.reduce((sum, status) => sum + total.fires[status][index], 0);
  for (let index = first; index <= last; index += 1) most = Math.max(most, fired(index) + total.slots[index]);
  const high = floor - 8;
  const wide = Math.max(1, (total.stepMs / spanOf(view)) * width - 0.75);
  for (let index = first; index <= last; index += 1) {
    const at = total.from + index * total.stepMs;
    const x = xOf(at, view, width);
    let y = floor;
    for (const status of statuses) {
      const n = total.fires[status][index];
      if (!n) continue;
      const tall = Math.max(FAILED.includes(status) ? 3 : 1, (n / most) * high);
      pen.fillStyle = paint[status];
      pen.fillRect(x, y - tall, wide, tall);
      y -= tall;
    }
    const coming = at + total.stepMs > now ? total.slots[index] : 0;
    if (!coming) continue;
    const tall = Math.max(2, (coming / most) * high);
    pen.fillStyle = paint.coming;
    pen.globalAlpha = 0.3;
    pen.fillRect(x, y - tall, wide, tall);
    pen.globalAlpha = 1;
    pen.fillRect(x, y - tall, wide, 1.25);
  }
}

function stepWords(from, to) {
  return `${day(new Date(from))} ${clock(new Date(from))}–${clock(new Date(to))}`;
}

function Tip({ tip }) {
  const box = useRef(null);
  useLayoutEffect(() => {
    const own = box.current;
    const plot = tip.element.getBoundingClientRect();
    const x = Math.min(innerWidth - own.offsetWidth - 8, Math.max(8, plot.left + tip.x - own.offsetWidth / 2));
    const above = plot.top - own.offsetHeight - 4;
    own.style.setProperty("--x", `${x}px`);
    own.style.setProperty("--y", `${above > 8 ? above : plot.bottom + 4}px`);
  }, [tip]);
  const lines = tip.counts
    ? [...tip.counts.map(([status, n]) => `${number(n)} ${wordOf(status)}`), ...(tip.coming ? [`${number(tip.coming)} coming`] : [])]
    : [tip.status ? `${number(tip.n)} ${wordOf(tip.status)}` : `${plural(tip.n, "slot")} coming`];
  return html`<div class="timeline-tip" ref=${box} role="status"><strong>${tip.script ?? "All scripts"}</strong><span>${stepWords(tip.from, tip.to)}</span><span>${lines.join(", ") || "nothing"}</span></div>`;
}

function Table({ rows, known, view }) {
  const now = serverNow();
  const lines = [];
  for (const { scriptRel } of rows.slice(0, 40)) {
    const marks = known.get(scriptRel);
    if (marks) for (const thing of thingsOf(marks, view, now)) lines.push({ script: scriptRel, ...thing });
  }
  lines.sort((a, b) => a.from - b.from);
  return html`<div class="timeline-table"><table>
    <caption>What the timeline shows, by time${rows.length > 40 ? html`: the first 40 of ${plural(rows.length, "script")}. Filter to see others` : ""}${lines.length > MOST_TABLE ? `; the ${MOST_TABLE} nearest to now` : ""}</caption>
    <thead><tr><th scope="col">When</th><th scope="col">Script</th><th scope="col">What</th><th scope="col" class="is-number">Count</th></tr></thead>
    <tbody>${nearNow(lines, now).map((line) => html`<tr key=${`${line.script} ${line.from} ${line.status}`}><td>${stepWords(line.from, line.to)}</td><th scope="row"><a href=${linkOf(line.script, line)}>${line.script}</a></th><td>${line.status ? wordOf(line.status) : "coming"}</td><td class="is-number">${number(line.n)}</td></tr>`)}</tbody>
  </table></div>`;
}

function nearNow(lines, now) {
  if (lines.length <= MOST_TABLE) return lines;
  const middle = lines.findIndex(({ from }) => from > now);
  const first = Math.min(lines.length - MOST_TABLE, Math.max(0, (middle < 0 ? lines.length : middle) - MOST_TABLE / 2));
  return lines.slice(first, first + MOST_TABLE);
}
