// The parts that all views are made of. Text is text here: nothing ever becomes markup.

import { h, render } from "./vendor/preact.mjs";
import { useCallback, useEffect, useId, useLayoutEffect, useMemo, useRef, useState } from "./vendor/hooks.mjs";
import htm from "./vendor/htm.mjs";
import { ago, clock, day, duration, explain, statusWord, until } from "./format.js";
import { onTick, serverNow } from "./store.js";

export const html = htm.bind(h);
export { render, useCallback, useEffect, useLayoutEffect, useMemo, useRef, useState };

const TOAST_MS = 6_000;
const MOST_TOASTS = 4;
const OVERSCAN = 8;

// One shape for each thing that a status can mean; the colour only repeats it.
const SHAPES = {
  ok: "M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Zm-1 9.3L4.1 7.9l1.1-1.1L7 8.6l3.8-3.8 1.1 1.1L7 10.8Z",
  error: "M8 .8 15.2 8 8 15.2.8 8 8 .8ZM5.9 4.9 4.9 5.9 7 8l-2.1 2.1 1 1L8 9l2.1 2.1 1-1L9 8l2.1-2.1-1-1L8 7 5.9 4.9Z",
  timeout: "M2.5 1h11v2.2c0 2-1.6 3.6-3.4 4.8 1.8 1.2 3.4 2.8 3.4 4.8V15h-11v-2.2c0-2 1.6-3.6 3.4-4.8C4.100 6.800 2.500 5.200 2.500 3.200V1Zm2.600 11.400h5.800C10.500 11 9.300 9.900 8 9.300c-1.300.6-2.500 1.700-2.900 3.100Z",
  skip: "M2 3.200 7.600 8 2 12.800V3.200Zm6.400 0L14 8l-5.600 4.800V3.200Z",
  miss: "M8 1.500a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13Zm0 1.700a4.800 4.800 0 1 1 0 9.600 4.800 4.800 0 0 1 0-9.600Zm-.8 2.300h1.600v3.300H7.200V5.500Zm0 4.200h1.600v1.600H7.200V9.700Z",
  off: "M3.500 2.500h3v11h-3v-11Zm6 0h3v11h-3v-11Z",
  run: "M4 2.200 13.500 8 4 13.800V2.200Z",
  idle: "M8 3.200a4.800 4.800 0 1 0 0 9.600 4.800 4.800 0 0 0 0-9.600Zm0 1.600a3.200 3.200 0 1 1 0 6.400 3.200 3.200 0 0 1 0-6.400Z",
  wait: "M8 1.500a6.500 6.500 0 1 0 0 13 6.500 6.500 0 0 0 0-13Zm0 1.600a4.900 4.900 0 1 1 0 9.800 4.900 4.900 0 0 1 0-9.800Zm-.8 1.700v3.700l2.700 1.700.8-1.300-1.900-1.200V4.800H7.200Z",
};

const TONES = {
  ok: "ok",
  error: "error",
  load_error: "error",
  incompatible: "error",
  stale: "error",
  timeout: "timeout",
  skipped_overload: "skip",
  disabled: "off",
  paused: "off",
  running: "run",
  starting: "run",
  held: "wait",
  scheduled: "idle",
};

/** The tone of a status: which colour and which shape it has. */
export function toneOf(status, reason) {
  if (reason === "missed") return "miss";
  return TONES[status] ?? "idle";
}

export function Shape({ tone, size = 14 }) {
  return html`<svg class="shape is-${tone}" width=${size} height=${size} viewBox="0 0 16 16" aria-hidden="true" focusable="false"><path d=${SHAPES[tone] ?? SHAPES.idle} /></svg>`;
}

/** A status by shape, word and colour; `short` leaves out the sentence that explains it from the title. */
export function Status({ status, reason, short }) {
  const tone = toneOf(status, reason);
  const title = short || !reason ? undefined : explain(status, reason);
  return html`<span class="status is-${tone}" title=${title}><${Shape} tone=${tone} /><span>${statusWord(status, reason)}</span></span>`;
}

/** A text that depends on the time: drawn again only when it reads differently. */
function useTicking(write, key) {
  const [text, setText] = useState(() => write(serverNow()));
  useEffect(() => {
    setText(write(serverNow()));
    return onTick((now) => setText(write(now)));
  }, [key]);
  return text;
}

const msOf = (at) => (at == null ? NaN : typeof at === "number" ? at : at instanceof Date ? at.getTime() : Date.parse(at));
const isoOf = (ms) => (Number.isNaN(ms) ? undefined : new Date(ms).toISOString());
const titleOf = (ms, zone) => {
  if (Number.isNaN(ms)) return undefined;
  const at = new Date(ms);
  const lines = [`${day(at)} ${clock(at)} here`];
  if (zone && zone !== "UTC") lines.push(`${day(at, zone)} ${clock(at, zone)} ${zone}`);
  return [...lines, `${day(at, "UTC")} ${clock(at, "UTC")} UTC`].join("\n");
};

/** How long ago, ticking. */
export function Ago({ at }) {
  const ms = msOf(at);
  const text = useTicking((now) => ago(Math.max(0, now - ms)), ms);
  if (Number.isNaN(ms)) return html`<span class="muted">never</span>`;
  return html`<time class="time" dateTime=${isoOf(ms)} title=${titleOf(ms)}>${text}</time>`;
}

/** The reader's own time; its title has the schedule's zone and UTC. With today's date left out. */
export function At({ at, zone }) {
  const ms = msOf(at);
  if (Number.isNaN(ms)) return html`<span class="muted">–</span>`;
  const date = new Date(ms);
  const today = day(date) === day(new Date(serverNow()));
  return html`<time class="time" dateTime=${isoOf(ms)} title=${titleOf(ms, zone)}>${today ? "" : `${day(date)} `}${clock(date)}</time>`;
}

/** How long until, ticking. */
export function Countdown({ to }) {
  const ms = msOf(to);
  const text = useTicking((now) => until(ms - now), ms);
  if (Number.isNaN(ms)) return html`<span class="muted">–</span>`;
  return html`<time class="time" dateTime=${isoOf(ms)} title=${titleOf(ms)}>${text}</time>`;
}

export function Dur({ ms }) {
  return html`<span class="time">${duration(ms)}</span>`;
}

export function Button({ kind = "plain", onClick, disabled, children, ...rest }) {
  return html`<button type="button" class="button is-${kind}" onClick=${onClick} disabled=${disabled} ...${rest}>${children}</button>`;
}

export function Panel({ title, note, actions, children }) {
  const id = useId();
  return html`<section class="panel" aria-labelledby=${id}>
    <header class="panel-head"><h2 id=${id}>${title}</h2>${note && html`<p class="panel-note">${note}</p>`}${actions && html`<div class="panel-actions">${actions}</div>`}</header>
    <div class="panel-body">${children}</div>
  </section>`;
}

export function Empty({ title, children }) {
  return html`<div class="empty"><p class="empty-title">${title}</p>${children && html`<p>${children}</p>`}</div>`;
}

/** What went wrong, and a way to try again. */
export function Problem({ error, retry }) {
  const reasons = error?.details?.reasons ?? [];
  return html`<div class="problem" role="alert"><${Shape} tone="error" size=${16} />
    <div><p>${error?.message ?? String(error)}</p>${reasons.map((reason) => html`<p key=${reason} class="muted">${reason}</p>`)}</div>
    ${retry && html`<${Button} kind="quiet" onClick=${retry}>Try again<//>`}
  </div>`;
}

export function Copy({ text, label = "Copy" }) {
  const [done, setDone] = useState("");
  useEffect(() => {
    if (!done) return undefined;
    const timer = setTimeout(() => setDone(""), 1_600);
    return () => clearTimeout(timer);
  }, [done]);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setDone("Copied");
    } catch {
      // Without TLS a browser has no clipboard for pages; what is selected can still be copied by hand.
      setDone("Not allowed");
    }
  };
  return html`<button type="button" class="copy" onClick=${copy} title=${label} aria-label=${label}>
    <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true"><path d="M5.500 5.500V3a1 1 0 0 1 1-1H13a1 1 0 0 1 1 1v6.500a1 1 0 0 1-1 1h-2.500M3 5.500h6.500a1 1 0 0 1 1 1V13a1 1 0 0 1-1 1H3a1 1 0 0 1-1-1V6.500a1 1 0 0 1 1-1Z" fill="none" stroke="currentColor" stroke-width="1.400" /></svg>
    <span class="copy-done" aria-live="polite">${done}</span>
  </button>`;
}

const SPARK = { most: 30, step: 5, width: 3.500, height: 20, least: 3 };

/** The last outcomes, oldest at the left: a bar is as high as its run was long, failures hang below the line. */
export function Spark({ outcomes }) {
  const shown = (outcomes ?? []).slice(-SPARK.most);
  const longest = Math.max(1, ...shown.map((one) => one.durationMs));
  const failed = shown.filter((one) => !["ok", "idle", "off", "skip"].includes(toneOf(one.status, one.reason))).length;
  const label = shown.length ? `last ${shown.length}: ${failed ? `${failed} failed` : "none failed"}` : "no outcomes yet";
  const left = (SPARK.most - shown.length) * SPARK.step;
  return html`<svg class="spark" width=${SPARK.most * SPARK.step} height=${SPARK.height + 6} viewBox="0 0 ${SPARK.most * SPARK.step} ${SPARK.height + 6}" role="img" aria-label=${label}>
    <title>${label}</title>
    <path class="spark-base" d="M0 ${SPARK.height + 0.5}H${SPARK.most * SPARK.step}" />
    ${shown.map((one, index) => sparkBar(one, left + index * SPARK.step, longest))}
  </svg>`;
}

function sparkBar({ runId, ts, status, reason, durationMs }, x, longest) {
  const tone = toneOf(status, reason);
  const quiet = tone === "off" || tone === "skip" || tone === "idle";
  const height = quiet ? 2 : SPARK.least + (SPARK.height - SPARK.least - 1) * Math.sqrt(durationMs / longest);
  const bad = !quiet && tone !== "ok";
  return html`<g key=${runId ?? ts} class="is-${tone}">
    <rect x=${x} y=${SPARK.height - height} width=${SPARK.width} height=${height} rx="1" />
    ${bad && html`<rect x=${x} y=${SPARK.height + 2} width=${SPARK.width} height="4" rx="1" />`}
  </g>`;
}

/**
 * A list of rows of one height, of which only those in sight exist.
 * `render(row, index)`; `id(row)`; `selected` is the index that is kept in sight.
 */
export function Windowed({ rows, height, render: draw, id, selected, label, onRange }) {
  const box = useRef(null);
  const [span, setSpan] = useState([0, 30]);
  const measure = useCallback(() => {
    const at = box.current;
    if (!at) return;
    const top = Math.max(0, -at.getBoundingClientRect().top);
    const first = Math.max(0, Math.floor(top / height) - OVERSCAN);
    const last = Math.ceil((top + innerHeight) / height) + OVERSCAN;
    setSpan((before) => (before[0] === first && before[1] === last ? before : [first, last]));
  }, [height]);
  useLayoutEffect(measure, [rows.length, measure]);
  useEffect(() => {
    let frame = null;
    const later = () => { frame ??= requestAnimationFrame(() => { frame = null; measure(); }); };
    addEventListener("scroll", later, { passive: true });
    addEventListener("resize", later);
    return () => {
      removeEventListener("scroll", later);
      removeEventListener("resize", later);
      cancelAnimationFrame(frame);
    };
  }, [measure]);
  useEffect(() => {
    if (selected == null || selected < 0 || !box.current) return;
    const top = box.current.getBoundingClientRect().top + selected * height;
    const room = height * 2;
    if (top < room) scrollBy({ top: top - room });
    else if (top + height > innerHeight - room) scrollBy({ top: top + height - innerHeight + room });
  }, [selected]);
  const first = Math.min(span[0], rows.length);
  const shown = rows.slice(first, span[1]);
  useEffect(() => onRange?.(shown), [first, span[1], rows]);
  const sized = (element) => {
    element?.style.setProperty("--above", `${first * height}px`);
    element?.style.setProperty("--all", `${rows.length * height}px`);
  };
  const set = (element) => { box.current = element; sized(element); };
  return html`<div class="windowed" ref=${set} role="list" aria-label=${label}>
    <div class="windowed-rows">${shown.map((row, index) => html`<div key=${id(row)} class="windowed-row" role="listitem" aria-setsize=${rows.length} aria-posinset=${first + index + 1}>${draw(row, first + index)}</div>`)}</div>
  </div>`;
}

/** A dialog in the top layer: the browser keeps the focus in it, and Escape closes it. */
export function Dialog({ title, onClose, children, actions, kind = "plain" }) {
  const box = useRef(null);
  const id = useId();
  // Before the browser takes the next key: what is typed at once after Ctrl-K is meant for the dialog.
  useLayoutEffect(() => {
    const dialog = box.current;
    dialog.showModal();
    // The browser would begin with the cross, and Enter would close what it should confirm.
    (dialog.querySelector("[autofocus], .dialog-body :is(input, select, textarea):not(:disabled)") ?? dialog).focus();
    return () => dialog.close();
  }, []);
  useLayoutEffect(() => {
    // What is to be confirmed may have to be asked for first.
    const confirm = box.current.querySelector(".dialog-actions :is(.is-primary, .is-danger):not(:disabled)");
    if (document.activeElement === box.current) confirm?.focus();
  });
  const cancel = (event) => {
    event.preventDefault();
    onClose();
  };
  // The backdrop is the dialog itself: its content lies in the one element below it.
  const outside = (event) => { if (event.target === box.current) onClose(); };
  return html`<dialog class="dialog is-${kind}" ref=${box} tabindex="-1" aria-labelledby=${id} onCancel=${cancel} onMouseDown=${outside}>
    <div class="dialog-sheet">
      <header class="dialog-head"><h2 id=${id}>${title}</h2><button type="button" class="dialog-close" aria-label="Close" onClick=${onClose}>×</button></header>
      <div class="dialog-body">${children}</div>
      ${actions && html`<footer class="dialog-actions">${actions}</footer>`}
    </div>
  </dialog>`;
}

let toasts = [];
let nextToast = 1;
const toastListeners = new Set();

/** Say something in passing; `kind` is ok, error or plain, `href` is where to read on. */
export function toast(text, { kind = "plain", href } = {}) {
  const one = { id: nextToast, text, kind, href };
  nextToast += 1;
  tell([...toasts, one].slice(-MOST_TOASTS));
  setTimeout(() => dismiss(one.id), kind === "error" ? TOAST_MS * 2 : TOAST_MS);
}

function dismiss(id) {
  tell(toasts.filter((one) => one.id !== id));
}

function tell(next) {
  toasts = next;
  for (const listener of toastListeners) listener(next);
}

export function Toasts() {
  const [shown, setShown] = useState(toasts);
  useEffect(() => {
    toastListeners.add(setShown);
    return () => toastListeners.delete(setShown);
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">${shown.map((one) => html`<div key=${one.id} class="toast is-${one.kind}">
    ${one.kind !== "plain" && html`<${Shape} tone=${one.kind} />`}
    <span>${one.text}</span>
    ${one.href && html`<a href=${one.href} onClick=${() => dismiss(one.id)}>Show</a>`}
    <button type="button" aria-label="Dismiss" onClick=${() => dismiss(one.id)}>×</button>
  </div>`)}</div>`;
}
