// The failures of the last day as the facts that they are: one line for what they share.

import { Ago, Empty, Problem, Status, html, useMemo, useState } from "./ui.js";
import { number, plural } from "./format.js";
import { href } from "./route.js";
import { useSchedules } from "./store.js";
import { useDay } from "./day.js";
import { group } from "./failures.js";
import { EntryLine, reasonOf, runHref, scriptHref } from "./evidence.js";

const SHOWN_GROUPS = 6;
const SHOWN_SCRIPTS = 3;
const SHOWN_ENTRIES = 12;

export default function Failures() {
  const { entries, error, retry, cut } = useDay();
  const { list, by } = useSchedules();
  const [all, setAll] = useState(false);
  // The schedules change several times a second, their locks hardly ever.
  const locks = JSON.stringify(list.filter((item) => item.lock).map((item) => [item.scriptRel, item.lock.name]));
  const groups = useMemo(() => {
    const lockOf = new Map(JSON.parse(locks));
    return group(entries ?? [], { lockOf: (script) => lockOf.get(script) });
  }, [entries, locks]);
  if (error && !entries) return html`<${Problem} error=${error} retry=${retry} />`;
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
    ${cut && html`<p class="muted">Only the newest ${number(entries.length)} are grouped. <a href=${href("history", {}, { status: "error", since: "24h" })}>All of them</a></p>`}
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
      <span class="failure-at"><${Ago} at=${new Date(one.last).toISOString()} /></span>
    </button>
    <p class="failure-scripts">
      ${mended && html`<span class="chip">ok since</span>`}
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
