// One look: is everything fine, what failed and why, what runs, what comes next.

import { Button, Countdown, Empty, Panel, Problem, Shape, Status, html, useEffect, useMemo, useState } from "./ui.js";
import { fetchAll, onEvent, serverNow, useHealth, useNow, usePauses, useRecent, useRuns, useSchedules } from "./store.js";
import { duration, number, plural, until } from "./format.js";
import { get, post } from "./api.js";
import { href } from "./route.js";
import { isFailure } from "./failures.js";
import { ScriptName, runHref } from "./evidence.js";
import { stopRun } from "./actions.js";
import Failures from "./failures_view.js";

const SHOWN_RUNS = 12;
const SHOWN_NEXT = 10;
const DAY_MS = 86_400_000;
const FAILED = ["error", "timeout", "load_error", "incompatible"];

export default function View() {
  const { list, loaded, error } = useSchedules();
  if (!loaded) return error ? html`<${Problem} error=${error} retry=${fetchAll} />` : html`<div class="overview" aria-busy="true"><h1 class="unseen">Overview</h1></div>`;
  return html`<div class="overview">
    <${Lookout} list=${list} />
    <${Refused} />
    ${list.length > 0 && html`<div class="overview-columns">
      <div><${Panel} title="Failures" note="the last 24 hours, by what they share"><${Failures} /><//></div>
      <div><${Running} /><${Next} list=${list} /></div>
    </div>`}
  </div>`;
}

/** The one sentence, and beside it the few numbers that it stands for. */
function Lookout({ list }) {
  const now = useNow();
  const runs = useRuns();
  const failed = useFailedScripts();
  const { tone, text, more } = verdict({ list, now, failed, health: useHealth(), paused: usePauses().some((one) => one.all) });
  const waiting = runs.filter((run) => run.state === "held").length;
  const counts = [
    [list.length, "scripts", href("schedules")],
    [runs.length - waiting, "running", href("schedules", {}, { status: "running" })],
    [waiting, "waiting", null],
    [list.filter((item) => item.pause).length, "paused", href("schedules", {}, { status: "paused" })],
    [failed?.size ?? null, "failed in 24 h", href("history", {}, { status: "error", since: "24h" })],
  ];
  return html`<div class="lookout is-${tone}">
    <${Shape} tone=${tone} size=${36} />
    <div class="lookout-text"><h1>${text}</h1>${more && html`<p>${more}</p>`}</div>
    <dl class="counts">${counts.map(([n, word, to]) => html`<div key=${word}><dt>${word}</dt><dd>${to ? html`<a href=${to}>${number(n)}</a>` : number(n)}</dd></div>`)}</dl>
  </div>`;
}

function verdict({ list, now, failed, health, paused }) {
  const coming = list.reduce((least, item) => (item.nextFire && (!least || item.nextFire < least) ? item.nextFire : least), null);
  const next = coming ? `next fire ${until(Date.parse(coming) - now)}` : "no fire is due";
  const all = `${plural(list.length, "script")}, ${next}.`;
  if (health && !health.ready) return { tone: "error", text: "schedd is not ready.", more: health.reasons.join(" ") };
  if (!list.length) return { tone: "idle", text: "No scripts yet.", more: html`Put a script with a line like <code># @schedule 0 3 * * *</code> into <code>${health?.scriptsDir ?? "the scripts directory"}</code>, then <a href=${href("reload")}>reload</a>.` };
  if (paused) return { tone: "off", text: "All scripts are paused.", more: all };
  const failing = list.filter((item) => FAILED.includes(item.lastFireStatus) && failed?.has(item.scriptRel));
  if (failing.length) {
    const rest = failed.size - failing.length;
    return { tone: "error", text: rest ? `${plural(failing.length, "script")} ${failing.length === 1 ? "is" : "are"} failing.` : `${plural(failing.length, "script")} failed in the last 24 h.`, more: `${rest ? `${plural(rest, "other")} failed in the last 24 h, and ${rest === 1 ? "is" : "are"} ok since. ` : ""}${all}` };
  }
  if (failed?.size) return { tone: "ok", text: "Everything runs again.", more: `${plural(failed.size, "script")} failed in the last 24 h, and ${failed.size === 1 ? "is" : "are"} ok since. ${all}` };
  return { tone: "ok", text: "Everything is fine.", more: all };
}

/** The scripts with a failure in the last day; null while that is not known. */
function useFailedScripts() {
  const [failed, setFailed] = useState(null);
  useEffect(() => {
    let alive = true;
    const look = async () => {
      const since = new Date(serverNow() - DAY_MS).toISOString();
      const pages = await Promise.all(FAILED.map((status) => get("schedules/history", { status, since, limit: 1_000, includeRotated: true })));
      if (alive) setFailed(new Set(pages.flatMap((page) => page.entries).map((entry) => entry.scriptPath)));
    };
    const quietly = () => look().catch(() => {});
    quietly();
    const timer = setInterval(quietly, 600_000); // what is a day old goes
    const offs = [
      onEvent("ended", (entry) => { if (isFailure(entry) && FAILED.includes(entry.status)) setFailed((before) => new Set([...(before ?? []), entry.scriptPath])); }),
      onEvent("hello", (hello) => { if (!hello.resumed) quietly(); }),
    ];
    return () => { alive = false; clearInterval(timer); offs.forEach((off) => off()); };
  }, []);
  return failed;
}

/** Files that the last scan refused: only a dry run tells which, so only those who may reload see it. */
function Refused() {
  const failed = useHealth()?.failed ?? 0;
  const [files, setFiles] = useState([]);
  useEffect(() => {
    setFiles([]);
    if (failed) post("schedules/reload", { dry_run: true }).then((answer) => setFiles(answer.failed), () => {});
  }, [failed]);
  if (!failed) return null;
  return html`<div class="banner is-error"><${Shape} tone="error" /><div><p><strong>${plural(failed, "file")} could not be registered.</strong></p>
    ${files.slice(0, 5).map((one) => html`<p key=${one.path}><code>${one.path}${one.line ? `:${one.line}` : ""}</code> ${one.reason}</p>`)}</div><a class="button is-quiet" href=${href("reload")}>Compare</a></div>`;
}

function Running() {
  const runs = useRuns();
  const shown = runs.slice(0, SHOWN_RUNS);
  const recent = useRecent(useMemo(() => [...new Set(shown.map((run) => run.scriptPath))], [shown.map((run) => run.scriptPath).join("\n")]));
  return html`<${Panel} title="Running now" note=${runs.length ? number(runs.length) : ""}>
    ${!runs.length && html`<${Empty} title="Nothing runs just now" />`}
    <ul class="now">${shown.map((run) => html`<${Run} key=${run.runId} run=${run} usualMs=${recent.get(run.scriptPath)?.usualMs} />`)}</ul>
    ${runs.length > shown.length && html`<p class="muted">and ${plural(runs.length - shown.length, "other")}</p>`}
  <//>`;
}

function Run({ run, usualMs }) {
  const now = useNow();
  const tookMs = run.startedAt ? Math.max(0, now - Date.parse(run.startedAt)) : null;
  const share = tookMs != null && usualMs ? Math.min(1, tookMs / usualMs) : null;
  const over = share === 1 && tookMs > usualMs * 1.5;
  return html`<li>
    <a class="now-name" data-step href=${runHref(run.runId)}><${Name} script=${run.scriptPath} /></a>
    <${Status} status=${run.state} />
    <span class="now-time">${tookMs == null ? "" : duration(Math.floor(tookMs / 1_000) * 1_000)}${usualMs ? html` <span class="muted">of ${duration(usualMs)}</span>` : ""}</span>
    <${Button} kind="quiet" onClick=${() => stopRun(run)} aria-label=${`Stop ${run.scriptPath}`}>Stop<//>
    ${share != null && html`<progress class=${over ? "is-over" : ""} max="1" value=${share} aria-label=${`${run.scriptPath}: ${Math.round(share * 100)} % of its usual time`}></progress>`}
  </li>`;
}

const Name = ({ script }) => html`<span class="script-name" title=${script}><span class="script-dir">${script.slice(0, script.lastIndexOf("/") + 1)}</span><span class="script-file">${script.slice(script.lastIndexOf("/") + 1)}</span></span>`;

function Next({ list }) {
  const next = useMemo(() => list.filter((item) => item.nextFire).toSorted((a, b) => (a.nextFire < b.nextFire ? -1 : 1)).slice(0, SHOWN_NEXT), [list]);
  return html`<${Panel} title="Next up">
    ${!next.length && html`<${Empty} title="Nothing is due">All scripts are paused, disabled, or have no slot to come.<//>`}
    <ol class="next">${next.map((item) => html`<li key=${item.scriptRel}><span class="next-name"><${ScriptName} script=${item.scriptRel} /></span><span class="next-words muted" title=${item.words}>${item.words}</span><span class="next-at"><${Countdown} to=${item.nextFire} /></span></li>`)}</ol>
  <//>`;
}
