// The history: filters that are the address of the page, endless by cursor, and what ends meanwhile on top.

import { Button, Dur, Empty, Problem, Status, html, useEffect, useMemo, useRef, useState } from "./ui.js";
import { get } from "./api.js";
import { clock, day, number, plural, statusWord } from "./format.js";
import { go, href, useRoute } from "./route.js";
import { onEvent, useSchedules } from "./store.js";
import { Evidence, ScriptName, Second, kindWord, ran, reasonOf, runHref } from "./evidence.js";

const PAGE = 100;
const MOST = 3_000; // rows on the page: then it goes on with an address of its own
const MOST_EMPTY = 20; // answers without a match that are asked for in a row
const TOP_PX = 120; // so far from the top nothing is put above what is read

export const REASONS = {
  ok: [],
  error: ["exit", "signal", "exception", "unexpected", "spawn", "out_of_memory", "stopped", "interrupted", "missed"],
  timeout: ["timeout"],
  disabled: ["disabled", "paused", "maintenance", "blackout"],
  load_error: ["preflight", "unreadable", "unsafe"],
  incompatible: ["websocket"],
  skipped_overload: ["overlap", "overload", "lock", "hold_full", "superseded", "too_late", "draining"],
};
const KINDS = ["schedule", "manual", "catchup", "replay", "retry", "startup"];
const SPANS = [["", "any time"], ["1h", "last hour"], ["24h", "last 24 hours"], ["7d", "last 7 days"], ["30d", "last 30 days"]];
const SPAN_MS = { h: 3_600_000, d: 86_400_000 };
const KEYS = ["script", "status", "reason", "kind", "since", "until", "slotSince", "slotUntil", "rotated"];

export default function View() {
  const { query } = useRoute();
  const wanted = useMemo(() => Object.fromEntries(KEYS.map((key) => [key, query.get(key) ?? ""])), [query.toString()]);
  return html`<div class="history-page">
    <header class="page-head"><div class="page-title"><h1>History</h1></div></header>
    <${Filters} wanted=${wanted} />
    <${Entries} key=${JSON.stringify(wanted)} wanted=${wanted} />
  </div>`;
}

function address(wanted) {
  const query = {};
  for (const key of KEYS) if (wanted[key]) query[key] = wanted[key];
  return href("history", {}, query);
}

/** What the API is asked; `24h` in the address is reckoned from now, so that such a link stays fresh. */
function asked(wanted) {
  const params = {
    scriptPath: wanted.script,
    status: wanted.status,
    reason: wanted.reason,
    kind: wanted.kind,
    since: instantOf(wanted.since),
    until: instantOf(wanted.until),
    slotSince: instantOf(wanted.slotSince),
    slotUntil: instantOf(wanted.slotUntil),
    includeRotated: wanted.rotated ? "true" : "",
    limit: PAGE,
  };
  return Object.fromEntries(Object.entries(params).filter(([, value]) => value !== "" && value != null));
}

function instantOf(text) {
  const span = /^(\d+)([hd])$/.exec(text);
  if (span) return new Date(Date.now() - Number(span[1]) * SPAN_MS[span[2]]).toISOString();
  const at = text ? new Date(text) : null;
  return at && !Number.isNaN(+at) ? at.toISOString() : text;
}

function Filters({ wanted }) {
  const { list } = useSchedules();
  const set = (change) => go(address({ ...wanted, ...change }));
  const [script, setScript] = useState(wanted.script);
  useEffect(() => setScript(wanted.script), [wanted.script]);
  const isSpan = !wanted.since || SPANS.some(([span]) => span === wanted.since);
  const [exact, setExact] = useState(!isSpan || Boolean(wanted.until));
  const any = KEYS.some((key) => wanted[key]);
  const reasons = wanted.status ? REASONS[wanted.status] ?? [] : Object.values(REASONS).flat();
  const withReason = (status) => ({ status, reason: (REASONS[status] ?? []).includes(wanted.reason) || !status ? wanted.reason : "" });
  return html`<form class="filters" role="search" aria-label="Filter the history"
      onSubmit=${(event) => { event.preventDefault(); set({ script: script.trim() }); }}>
    <label class="filter is-wide"><span>Script</span>
      <input type="search" name="script" list="history-scripts" value=${script} placeholder="all scripts" autocomplete="off" spellcheck=${false} data-search
        onInput=${(event) => {
          const text = event.currentTarget.value;
          setScript(text);
          if (!text || list.some((item) => item.scriptRel === text)) set({ script: text });
        }}
        onChange=${(event) => set({ script: event.currentTarget.value.trim() })} />
      <datalist id="history-scripts">${list.slice(0, 500).map((item) => html`<option key=${item.scriptRel} value=${item.scriptRel}></option>`)}</datalist>
    </label>
    <label class="filter"><span>Status</span>
      <select name="status" value=${wanted.status} onChange=${(event) => set(withReason(event.currentTarget.value))}>
        <option value="">any</option>
        ${Object.keys(REASONS).map((status) => html`<option key=${status} value=${status}>${statusWord(status)}</option>`)}
      </select></label>
    <label class="filter"><span>Reason</span>
      <select name="reason" value=${wanted.reason} disabled=${!reasons.length} onChange=${(event) => set({ reason: event.currentTarget.value })}>
        <option value="">any</option>
        ${reasons.map((reason) => html`<option key=${reason} value=${reason}>${reason.replaceAll("_", " ")}</option>`)}
      </select></label>
    <label class="filter"><span>Kind</span>
      <select name="kind" value=${wanted.kind} onChange=${(event) => set({ kind: event.currentTarget.value })}>
        <option value="">any</option>
        ${KINDS.map((kind) => html`<option key=${kind} value=${kind}>${kindWord(kind)}</option>`)}
      </select></label>
    ${exact
      ? html`<label class="filter"><span>From</span>
            <input type="datetime-local" name="since" value=${localOf(wanted.since)} onChange=${(event) => set({ since: event.currentTarget.value })} /></label>
          <label class="filter"><span>Until</span>
            <input type="datetime-local" name="until" value=${localOf(wanted.until)} onChange=${(event) => set({ until: event.currentTarget.value })} /></label>`
      : html`<label class="filter"><span>When</span>
          <select name="when" value=${wanted.since} onChange=${(event) => (event.currentTarget.value === "exact" ? setExact(true) : set({ since: event.currentTarget.value }))}>
            ${SPANS.map(([span, words]) => html`<option key=${span} value=${span}>${words}</option>`)}
            <option value="exact">from … until …</option>
          </select></label>`}
    <label class="filter-check"><input type="checkbox" name="rotated" checked=${Boolean(wanted.rotated)}
        onChange=${(event) => set({ rotated: event.currentTarget.checked ? "1" : "" })} /><span>Rotated files too</span></label>
    ${(wanted.slotSince || wanted.slotUntil) && html`<span class="muted">${dueWords(wanted)}</span>`}
    ${any && html`<${Button} kind="quiet" onClick=${() => { setExact(false); go(href("history")); }}>Clear<//>`}
  </form>`;
}

/** The bounds of the slots, which come with a link of the heat map. */
function dueWords({ slotSince, slotUntil }) {
  const words = [["from", slotSince], ["until", slotUntil]].map(([word, text]) => {
    const at = new Date(text);
    return text && !Number.isNaN(+at) ? ` ${word} ${day(at)} ${clock(at)}` : "";
  });
  return `due${words.join("")}`;
}

function localOf(text) {
  const iso = instantOf(text);
  const at = iso ? new Date(iso) : null;
  if (!at || Number.isNaN(+at)) return "";
  const two = (n) => String(n).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}

function Entries({ wanted }) {
  const [rows, setRows] = useState([]);
  const [fresh, setFresh] = useState([]);
  const [state, setState] = useState({ busy: true, cursor: null, error: null, bad: [], done: false });
  const [openId, setOpenId] = useState(null);
  const foot = useRef(null);
  const loading = useRef(false);
  const params = useMemo(() => asked(wanted), [wanted]);
  const alive = useRef(true);
  const known = useRef(new Set());

  const more = async (cursor) => {
    if (loading.current) return;
    loading.current = true;
    setState((before) => ({ ...before, busy: true, error: null }));
    try {
      const { found, next, bad } = await page(params, cursor);
      if (!alive.current) return;
      const added = found.filter((entry) => !known.current.has(entry.runId));
      for (const entry of added) known.current.add(entry.runId);
      setRows((before) => before.concat(added));
      setState((before) => ({ busy: false, error: null, cursor: next, done: !next, bad: [...new Set([...before.bad, ...bad])] }));
    } catch (error) {
      if (alive.current) setState((before) => ({ ...before, busy: false, error }));
    } finally {
      loading.current = false;
    }
  };

  useEffect(() => {
    more(null);
    const off = onEvent("ended", (entry) => {
      if (!matches(entry, wanted) || known.current.has(entry.runId)) return;
      known.current.add(entry.runId);
      if (window.scrollY <= TOP_PX) setRows((before) => [entry, ...before]);
      else setFresh((before) => [entry, ...before]);
    });
    // What ended while the link was lost is asked for.
    const offHello = onEvent("hello", () => fetchMissed());
    return () => { alive.current = false; off(); offHello(); };
  }, []);

  const fetchMissed = async () => {
    try {
      const { entries } = await get("schedules/history", params);
      const added = entries.filter((entry) => !known.current.has(entry.runId));
      // On the first call nothing is there yet, and what comes is the first page's.
      if (!alive.current || !known.current.size) return;
      for (const entry of added) known.current.add(entry.runId);
      if (added.length) setRows((before) => [...added, ...before].toSorted((a, b) => (a.ts < b.ts ? 1 : a.ts > b.ts ? -1 : 0)));
    } catch {
      // The link says so already.
    }
  };

  const full = rows.length >= MOST;
  useEffect(() => {
    if (!state.cursor || full || state.error) return undefined;
    const watch = new IntersectionObserver((seen) => { if (seen.some((one) => one.isIntersecting)) more(state.cursor); }, { rootMargin: "800px" });
    watch.observe(foot.current);
    return () => watch.disconnect();
  }, [state.cursor, full, state.error]);

  const showFresh = () => {
    setRows((before) => [...fresh, ...before]);
    setFresh([]);
    window.scrollTo({ top: 0, behavior: "instant" });
  };

  const days = useMemo(() => byDay(rows), [rows]);
  return html`<div class="history" aria-busy=${state.busy ? "true" : "false"}>
    <div class="history-news" aria-live="polite">
      ${fresh.length > 0 && html`<button type="button" class="news-chip" onClick=${showFresh}>${number(fresh.length)} new</button>`}
    </div>
    ${state.bad.length > 0 && html`<p class="notice is-warn">Lines of the log could not be read: ${state.bad.join(", ")}</p>`}
    ${days.map(([name, entries]) => html`<section class="history-day" key=${name} aria-label=${name}>
      <h2>${name}</h2>
      <ul class="history-rows">
        ${entries.map((entry) => html`<${Row} key=${entry.runId} entry=${entry} open=${openId === entry.runId}
          toggle=${() => setOpenId(openId === entry.runId ? null : entry.runId)} />`)}
      </ul>
    </section>`)}
    ${!rows.length && state.done && html`<${Empty} title="Nothing on record here">
      ${KEYS.some((key) => wanted[key])
        ? html`No line of the log matches these filters. <a href=${href("history")}>Clear them</a>${wanted.rotated ? "" : html`, or <a href=${address({ ...wanted, rotated: "1" })}>look in rotated files too</a>`}.`
        : "Every slot that comes due ends as a line here. Put a script with @schedule into the scripts directory, or trigger one."}
    <//>`}
    ${state.error && html`<${Problem} error=${state.error} retry=${() => more(state.cursor)} />`}
    <div class="history-foot" ref=${foot}>
      ${full && state.cursor
        ? html`<a class="button is-plain" href=${address({ ...wanted, until: rows.at(-1).ts })}>Go on from ${clock(new Date(rows.at(-1).ts))}</a>`
        : state.busy
          ? html`<span class="muted">Reading the log…</span>`
          : rows.length > 0 && state.done && html`<span class="muted">${plural(rows.length, "line")}, back to the beginning${wanted.rotated ? "" : " of the current file"}</span>`}
    </div>
  </div>`;
}

/** One page with at least one match, unless there is none far and wide. */
async function page(params, cursor) {
  const bad = [];
  let next = cursor;
  for (let turn = 0; turn < MOST_EMPTY; turn += 1) {
    const answer = await get("schedules/history", next ? { ...params, cursor: next } : params);
    bad.push(...(answer.badLines ?? []));
    next = answer.cursor ?? null;
    if (answer.entries.length || !next) return { found: answer.entries, next, bad };
  }
  return { found: [], next, bad };
}

function matches(entry, wanted) {
  return (!wanted.script || entry.scriptPath === wanted.script)
    && (!wanted.status || entry.status === wanted.status)
    && (!wanted.reason || entry.reason === wanted.reason)
    && (!wanted.kind || entry.kind === wanted.kind)
    && !wanted.until && !wanted.slotSince && !wanted.slotUntil;
}

function byDay(rows) {
  const days = new Map();
  for (const entry of rows) {
    const name = day(new Date(entry.ts));
    if (!days.has(name)) days.set(name, []);
    days.get(name).push(entry);
  }
  return [...days];
}

function Row({ entry, open, toggle }) {
  const at = new Date(entry.ts);
  const id = `row-${entry.runId}`;
  return html`<li class=${open ? "history-row is-open" : "history-row"}>
    <div class="history-line" onClick=${(event) => { if (!event.target.closest("a, button")) toggle(); }}>
      <button type="button" class="history-open" data-step aria-expanded=${open ? "true" : "false"} aria-controls=${id}
        aria-label=${`Evidence of ${entry.scriptPath}, ${clock(at)}`} onClick=${toggle}><span class="chevron" aria-hidden="true"></span></button>
      <span class="history-at"><${Second} at=${entry.ts} /></span>
      <span class="history-status"><${Status} status=${entry.status} reason=${entry.reason} short /></span>
      <span class="history-script"><${ScriptName} script=${entry.scriptPath} /></span>
      <span class="history-why" title=${reasonOf(entry)}>${reasonOf(entry)}${entry.count > 1 ? ` · ${plural(entry.count, "slot")}` : ""}</span>
      <span class="history-kind">${entry.kind === "schedule" ? "" : html`<span class="chip">${kindWord(entry.kind)}</span>`}</span>
      <span class="history-took">${ran(entry) ? html`<${Dur} ms=${entry.durationMs} />` : "–"}</span>
      <a class="history-run" href=${runHref(entry.runId)} aria-label=${`Run of ${entry.scriptPath}, ${clock(at)}`}>Run</a>
    </div>
    <div id=${id} hidden=${!open}>${open && html`<${Evidence} entry=${entry} />`}</div>
  </li>`;
}
