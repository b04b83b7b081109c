// Reading the scripts directory again: first what that would change, then the change, then what it was.

import { Ago, Button, Empty, Panel, Problem, html, toast, useEffect, useState } from "./ui.js";
import { post } from "./api.js";
import { number, plural } from "./format.js";
import { fetchAll } from "./store.js";
import { ScriptName } from "./evidence.js";

const PARTS = [
  ["failed", "Refused", "with a fault", "!"],
  ["added", "Added", "new in the directory", "+"],
  ["changed", "Changed", "with another header than before", "~"],
  ["removed", "Removed", "gone from the directory", "−"],
];
const MOST = 200;

export default function View() {
  const [state, setState] = useState({ report: null, error: null, busy: "", at: null });
  const ask = async (dryRun) => {
    setState((before) => ({ ...before, busy: dryRun ? "dry" : "apply", error: null }));
    try {
      const report = await post("schedules/reload", { dry_run: dryRun });
      if (!dryRun) fetchAll();
      setState({ report, error: null, busy: "", at: new Date().toISOString() });
      if (!dryRun) toast(`Reloaded: ${summary(report)}`, { kind: report.failed.length ? "plain" : "ok" });
    } catch (error) {
      setState((before) => ({ ...before, error, busy: "" }));
    }
  };
  useEffect(() => { ask(true); }, []);
  const { report, error, busy, at } = state;
  const dry = report?.dry_run;
  return html`<div class="reload-page" aria-busy=${busy ? "true" : "false"}>
    <header class="page-head">
      <div class="page-title">
        <h1>Reload</h1>
        <p class="page-sub" role="status">${busy === "dry" && !report
          ? "Reading the scripts directory…"
          : report && html`<span class="page-line">${headline(report)}</span> <span class="muted">${dry ? "Compared" : "Applied"} <${Ago} at=${at} /></span>`}</p>
      </div>
      <div class="page-actions">
        <${Button} disabled=${Boolean(busy)} onClick=${() => ask(true)}>Compare again<//>
        <${Button} kind=${report && changes(report) ? "primary" : "plain"} disabled=${Boolean(busy) || !dry} onClick=${() => ask(false)}>${busy === "apply" ? "Applying…" : "Apply"}<//>
      </div>
    </header>
    ${error && html`<${Problem} error=${error} retry=${() => ask(true)} />`}
    ${report && html`<${Report} report=${report} />`}
  </div>`;
}

const changes = (report) => report.added.length + report.changed.length + report.removed.length;

function headline(report) {
  const parts = summary(report);
  if (report.dry_run) return changes(report) || report.failed.length ? `Would be: ${parts}.` : "Nothing would change.";
  return `Done: ${parts}.`;
}

function summary(report) {
  const parts = PARTS.filter(([key]) => report[key].length).map(([key, name]) => `${number(report[key].length)} ${name.toLowerCase()}`);
  return parts.length ? parts.join(", ") : "nothing changed";
}

function Report({ report }) {
  const nothing = !changes(report) && !report.failed.length && !report.warnings.length;
  return html`
    ${nothing && html`<${Empty} title=${report.dry_run ? "The directory is as it was registered" : "Everything is registered as it stands in the directory"}>
      ${plural(report.kept.length, "script")} ${report.kept.length === 1 ? "stays as it is" : "stay as they are"}. Runs in flight are never disturbed by a reload.
    <//>`}
    ${PARTS.map(([key, name, what, sign]) => report[key].length > 0 && html`<${Panel} key=${key} title=${name} note=${`${plural(report[key].length, "script")} ${what}`}>
      <ul class=${`diff is-${key}`}>
        ${report[key].slice(0, MOST).map((one) => html`<${Line} key=${one.path ? `${one.path}:${one.line}:${one.reason}` : one} sign=${sign} one=${one} linked=${key !== "removed"} kept=${report.kept} />`)}
        ${report[key].length > MOST && html`<li class="muted">and ${plural(report[key].length - MOST, "other")}</li>`}
      </ul>
    <//>`)}
    ${report.warnings.length > 0 && html`<${Panel} title="Remarks" note="these work, and look like a mistake">
      <ul class="diff is-remarks">
        ${report.warnings.slice(0, MOST).map((one) => html`<${Line} key=${`${one.path}:${one.line}:${one.reason}`} sign="?" one=${one} linked kept=${report.kept} />`)}
      </ul>
    <//>`}
    ${!nothing && html`<p class="muted">${plural(report.kept.length - report.changed.length, "other script")} unchanged. Runs in flight are never disturbed by a reload.</p>`}`;
}

function Line({ sign, one, linked, kept }) {
  const path = one.path ?? one;
  return html`<li>
    <span class="diff-sign" aria-hidden="true">${sign}</span>
    <span class="diff-path">${linked ? html`<${ScriptName} script=${path} />` : path}${one.line ? html`<span class="diff-place">:${one.line}${one.column ? `:${one.column}` : ""}</span>` : ""}</span>
    ${one.reason && html`<span class="diff-reason">${one.reason}${sign === "!" && kept.includes(path) ? " Its last good registration runs on." : ""}</span>`}
  </li>`;
}
