// The failures of the last day as the facts that they are: one line for what they share.

import { Ago, Empty, Problem, Status, html, useEffect, useMemo, useState } from "./ui.js";
import { get } from "./api.js";
import { plural } from "./format.js";
import { href } from "./route.js";
import { onEvent, useSchedules } from "./store.js";
import { group, isFailure } from "./failures.js";
import { EntryLine, reasonOf, runHref, scriptHref } from "./evidence.js";

const DAY_MS = 86_400_000;
const MOST = 1_000; // of each status
const SHOWN_GROUPS = 6;
const SHOWN_SCRIPTS = 3;
const SHOWN_ENTRIES = 12;
const ASKED = ["error", "timeout", "load_error", "incompatible", "skipped_overload"];

/** `since`: milliseconds, a Date or an ISO 8601 text; default a day ago. */
export default function Failures({ since }) {
  const { entries, error, retry, cut } = useFailures(since);
  const { by } = useSchedules();
  const [all, setAll] = useState(false);
  const groups = useMemo(
    () => group(entries ?? [], { lockOf: (script) => by.get(script)?.lock?.name }),
    [entries, by],
  );
  if (error) return html`<${Problem} error=${error} retry=${retry} />`;
  if (!entries) return html`<div class="failures" aria-busy="true"></div>`;
  if (!groups.length) {
    return html`<${Empty} title="Nothing failed">Every run of the last 24 hours ended ok, or was skipped because somebody asked for it.<//>`;
  }
  const shown = all ? groups : groups.slice(0, SHOWN_GROUPS);
  return html`<div class="failures">
    <ul class="failure-groups">${shown.map((one) => html`<${Group} key=${one.id} group=${one} by=${by} />`)}</ul>
    ${groups.length > shown.length && html`<button type="button" class="more" onClick=${() => setAll(true)}>
      ${plural(groups.length - shown.length, "more group")}
    </button>`}
    ${cut && html`<p class="muted">Only the newest ${plural(MOST, "failure")} are grouped. <a href=${href("history", {}, { status: "error", since: "24h" })}>All of them</a></p>`}
  </div>`;
}

function Group({ group: one, by }) {
  const [open, setOpen] = useState(false);
  const scripts = one.scripts.slice(0, SHOWN_SCRIPTS);
  const more = one.scripts.length - scripts.length;
  const mended = one.scripts.every((script) => {
    const item = by.get(script);
    return item?.lastFireStatus === "ok" && Date.parse(item.lastFireAt) > one.last;
  });
  const rest = one.entries.length - SHOWN_ENTRIES;
  return html`<li class=${mended ? "failure-group is-mended" : "failure-group"}>
    <button type="button" class="failure-head" data-step aria-expanded=${open ? "true" : "false"} onClick=${() => setOpen(!open)}>
      <span class="chevron" aria-hidden="true"></span>
      <span class="failure-status"><${Status} status=${one.status} reason=${one.reason} short /></span>
      <span class="failure-sentence">${one.sentence}</span>
      ${mended && html`<span class="chip">ok since</span>`}
      <span class="failure-at"><${Ago} at=${new Date(one.last).toISOString()} /></span>
    </button>
    <p class="failure-scripts">
      ${one.scripts.length === 1 && html`<a href=${runHref(one.entries[0].runId)}>${reasonOf(one.entries[0])}</a>`}
      ${one.scripts.length > 1 && scripts.map((script) => html`<a key=${script} href=${scriptHref(script)}>${script}</a>`)}
      ${more > 0 && html`<span class="muted">and ${plural(more, "other")}</span>`}
    </p>
    ${open && html`<ol class="entry-lines">
      ${one.entries.slice(0, SHOWN_ENTRIES).map((entry) => html`<${EntryLine} key=${entry.runId} entry=${entry} named=${one.scripts.length > 1} />`)}
      ${rest > 0 && html`<li class="muted">${plural(rest, "older line")}: <a href=${historyOf(one)}>in the history</a></li>`}
    </ol>`}
  </li>`;
}

function historyOf(one) {
  const query = { status: one.status, since: "24h" };
  if (one.scripts.length === 1) query.script = one.scripts[0];
  if (one.reason) query.reason = one.reason;
  return href("history", {}, query);
}

function useFailures(since) {
  const [found, setFound] = useState({ entries: null, error: null, cut: false });
  const [turn, setTurn] = useState(0);
  const asked = since == null ? null : new Date(since).toISOString();
  useEffect(() => {
    let alive = true;
    const look = async () => {
      try {
        const from = asked ?? new Date(Date.now() - DAY_MS).toISOString();
        const pages = await Promise.all(ASKED.map((status) => allOf({ status, since: from })));
        const entries = pages.flatMap((page) => page.entries).filter(isFailure).toSorted((a, b) => (a.ts < b.ts ? 1 : -1));
        if (alive) setFound({ entries, error: null, cut: pages.some((page) => page.cut) });
      } catch (error) {
        if (alive) setFound((before) => (before.entries ? before : { entries: null, error, cut: false }));
      }
    };
    look();
    const offs = [
      onEvent("ended", (entry) => {
        if (isFailure(entry)) setFound((before) => ({ ...before, entries: before.entries && [entry, ...before.entries.filter((one) => one.runId !== entry.runId)] }));
      }),
      onEvent("hello", (hello) => { if (!hello.resumed) look(); }),
    ];
    return () => { alive = false; offs.forEach((off) => off()); };
  }, [asked, turn]);
  return { ...found, retry: () => setTurn(turn + 1) };
}

/** Up to MOST entries: one answer searches only a stretch of the log. */
async function allOf(params) {
  const entries = [];
  let cursor = null;
  for (let pages = 0; pages < 10; pages += 1) {
    const page = await get("schedules/history", { ...params, limit: MOST, includeRotated: true, ...(cursor ? { cursor } : {}) });
    entries.push(...page.entries);
    cursor = page.cursor ?? null;
    if (!cursor || entries.length >= MOST) break;
  }
  return { entries: entries.slice(0, MOST), cut: Boolean(cursor) };
}
