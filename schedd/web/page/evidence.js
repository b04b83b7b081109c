// What is known of one fire, wherever it is shown: in the history, on the page of its run, in a dialog.

import { At, Copy, Dur, Status, html } from "./ui.js";
import { bytes, clock, day, duration, explain, number } from "./format.js";
import { href } from "./route.js";
import { plain } from "./ansi.js";

const KINDS = {
  schedule: "scheduled",
  manual: "by hand",
  catchup: "caught up",
  replay: "replay",
  retry: "retry",
  startup: "at start",
};

export const kindWord = (kind) => KINDS[kind] ?? kind;

export const journalOf = (runId) => `journalctl SCHEDD_RUN_ID=${runId}`;

/** Whether something was executed, so that there is an output. */
export const ran = (entry) => Boolean(entry.startedAt);

export const runHref = (runId) => href("run", { runId });
export const scriptHref = (script) => href("script", { script });

export function ScriptName({ script }) {
  const cut = script.lastIndexOf("/") + 1;
  return html`<a class="script-name" href=${scriptHref(script)} title=${script}>
    <span class="script-dir">${script.slice(0, cut)}</span><span class="script-file">${script.slice(cut)}</span>
  </a>`;
}

/** An instant as the clocks of a zone show it; its title has the reader's own time. */
export function InZone({ at, zone, dayless }) {
  const date = new Date(at);
  return html`<time class="time" dateTime=${at} title=${`${day(date)} ${clock(date)} here`}>${dayless ? "" : `${day(date, zone)} `}${clock(date, zone)}</time>`;
}

const WEEK_MS = 6 * 86_400_000;

/** A time to come, as short as it can be told apart: "22:30", "Wed 22:30", "Wed 2026-12-02 22:30". */
export function Coming({ at, zone }) {
  const date = new Date(at);
  const name = day(date, zone);
  const near = date - Date.now() < WEEK_MS;
  const prefix = name === day(new Date(), zone) ? "" : near ? `${name.slice(0, 3)} ` : `${name} `;
  return html`<time class="time" dateTime=${at} title=${`${name} ${clock(date, zone)}`}>${prefix}${clock(date, zone)}</time>`;
}

/** The plain reason, in one line, and what the error says only once. */
export function reasonOf(entry) {
  return plain(explain(entry.status, entry.reason, entry)).replace(/^(It ended with exit code (\d+)): exit code \2(: )?/, "$1$3");
}

const seconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });

/** The reader's time of day with its seconds, always: for columns. */
export function Second({ at, withDay }) {
  const date = new Date(at);
  return html`<time class="time" dateTime=${at} title=${`${day(date)} ${clock(date)} here\n${day(date, "UTC")} ${clock(date, "UTC")} UTC`}>${withDay ? `${day(date)} ` : ""}${seconds.format(date)}</time>`;
}

export function Facts({ rows, label }) {
  return html`<dl class="facts" aria-label=${label}>
    ${rows.filter(Boolean).map(([name, value]) => html`<div key=${name}><dt>${name}</dt><dd>${value}</dd></div>`)}
  </dl>`;
}

export function Evidence({ entry }) {
  const late = entry.latenessMs;
  return html`<div class="evidence">
    ${hasMore(entry.error) && html`<pre class="evidence-error" tabindex="0">${plainLines(entry.error)}</pre>`}
    ${entry.returnPreview && html`<pre class="evidence-result" tabindex="0">${entry.returnPreview}</pre>`}
    <${Facts} label="Evidence" rows=${[
      ["Slot", entry.lastSlot
        ? html`<${At} at=${entry.slot} /> to <${At} at=${entry.lastSlot} /> (${number(entry.count)})`
        : entry.slot && html`<${At} at=${entry.slot} />`],
      ["Started", entry.startedAt && html`<${At} at=${entry.startedAt} />`],
      ["Late by", late != null && duration(late)],
      ["Ended", html`<${At} at=${entry.ts} />`],
      ["Took", ran(entry) && html`<${Dur} ms=${entry.durationMs} />`],
      ["Kind", kindWord(entry.kind)],
      ["Attempt", entry.attempt > 1 && number(entry.attempt)],
      ["Exit", entry.exitCode != null && String(entry.exitCode)],
      ["Signal", entry.signal],
      ["CPU", entry.cpuMs != null && duration(entry.cpuMs)],
      ["Memory, peak", entry.maxRssKb != null && bytes(entry.maxRssKb * 1024)],
      ["Output", entry.outputBytes && `${bytes(entry.outputBytes)}${entry.outputTruncated ? ", the middle left out" : ""}`],
      ["Expression", html`<code>${entry.expression}</code>`],
      ["File", entry.sha256 && html`<code title=${entry.sha256}>${entry.sha256.slice(0, 12)}</code>`],
      ["Host", entry.host],
      ["Claim", entry.durable === false && "could not be written before the start"],
    ].filter(([, value]) => value)} />
    <${Journal} line=${journalOf(entry.runId)} />
  </div>`;
}

// One short line stands in the row already.
const hasMore = (error) => Boolean(error) && (error.length > 80 || error.includes("\n"));
const plainLines = (text) => text.split("\n").map(plain).join("\n");
const isToday = (at) => day(new Date(at)) === day(new Date());

export function Journal({ line }) {
  return html`<div class="journal"><code>${line}</code><${Copy} text=${line} label="Copy" /></div>`;
}

/** One attempt or outcome in a short list. */
export function EntryLine({ entry, current, named }) {
  return html`<li class=${current ? "entry-line is-current" : "entry-line"} aria-current=${current ? "true" : null}>
    <span class="entry-at"><${Second} at=${entry.ts} withDay=${!isToday(entry.ts)} /></span>
    <${Status} status=${entry.status} reason=${entry.reason} short />
    <a class="entry-why" data-step href=${runHref(entry.runId)} title=${reasonOf(entry)}>${named ? `${entry.scriptPath}: ` : ""}${reasonOf(entry)}</a>
    <span class="entry-kind">${entry.kind === "schedule" ? "" : kindWord(entry.kind)}</span>
    <span class="entry-took">${ran(entry) ? html`<${Dur} ms=${entry.durationMs} />` : "–"}</span>
  </li>`;
}
