// One look: is everything fine, what failed and why, what runs, what comes next.

import { Button, Countdown, Empty, Panel, Problem, Shape, Status, html, useEffect, useMemo, useState } from "./ui.js";
import { fetchAll, useHealth, useLink, useNow, usePauses, useRecent, useRuns, useSchedules } from "./store.js";
import { duration, number, plural } from "./format.js";
import { get } from "./api.js";
import { href } from "./route.js";
import { FAILED } from "./failures.js";
import { countOf, useDay } from "./day.js";
import { verdict } from "./verdict.js";
import { Pulse } from "./pulse.js";
import { ScriptName, runHref } from "./evidence.js";
import { stopRun } from "./actions.js";
import Failures from "./failures_view.js";

const SHOWN_RUNS = 12;
const SHOWN_NEXT = 10;
const LOST_AFTER_MS = 2_500; // a link that comes back at once is no news

export default function View() {
  const { list, loaded, error } = useSchedules();
  if (!loaded) return error ? html`<${Problem} error=${error} retry=${fetchAll} />` : html`<div class="overview" aria-busy="true"><h1 class="unseen">Overview</h1></div>`;
  return html`<div class="overview">
    <${Lookout} list=${list} />
    <${Refused} />
    ${list.length > 0 && html`<${Pulse} />`}
    ${list.length > 0 && html`<div class="overview-columns">
      <div><${Panel} title="Failures" note="the last 24 hours, by what they share"><${Failures} /><//><${Running} /></div>
      <div><${Next} list=${list} /></div>
    </div>`}
  </div>`;
}

/** The one sentence, and beside it the few numbers that it stands for. */
function Lookout({ list }) {
  const now = useNow();
  const runs = useRuns();
  const { grid, entries, cut, error } = useDay();
  const health = useHealth();
  const { state, since } = useLink();
  const paused = usePauses().some((one) => one.all);
  const lost = state === "lost" && Date.now() - since > LOST_AFTER_MS;
  const { tone, text, more } = useMemo(
    () => verdict({ list, now, entries, cut, dayError: error, health, lostSince: lost ? since : null, paused }),
    [list, now, entries, cut, error, health, lost, since, paused],
  );
  const waiting = runs.filter((run) => run.state === "held").length;
  const failed = grid && countOf(grid, FAILED, now);
  const counts = [
    [list.length, "scripts", href("schedules")],
    [runs.length - waiting, "running", href("schedules", {}, { status: "running" })],
    [waiting, "waiting", null],
    [list.filter((item) => item.pause).length, "paused", href("schedules", {}, { status: "paused" })],
    [failed, "failed in 24 h", href("history", {}, { status: "error", since: "24h" }), failed ? "is-error" : ""],
  ];
  return html`<div class="lookout is-${tone}" aria-busy=${entries || error ? null : "true"}>
    <${Shape} tone=${tone} size=${36} />
    <div class="lookout-text"><h1>${text}</h1>
      ${list.length ? more.length > 0 && html`<p>${more.join(" ")}</p>` : tone === "idle" && health && html`<p>Put a script with a line like <code># @schedule 0 3 * * *</code> into <code>${health.scriptsDir ?? "the scripts directory"}</code>, then <a href=${href("reload")}>reload</a>.</p>`}</div>
    <dl class="counts">${counts.map(([n, word, to, kind]) => html`<div key=${word} class=${kind}><dt>${word}</dt><dd>${to ? html`<a href=${to}>${number(n)}</a>` : number(n)}</dd></div>`)}</dl>
  </div>`;
}

/** Files that the last scan refused, and why; of those that may be seen, once it is known which. */
function Refused() {
  const failed = useHealth()?.failed ?? 0;
  const [files, setFiles] = useState(null);
  useEffect(() => {
    setFiles(null);
    if (failed) get("schedules/refused").then((answer) => setFiles(answer.failed), () => {});
  }, [failed]);
  if (!failed || files?.length === 0) return null;
  return html`<div class="banner is-error"><${Shape} tone="error" /><div><p><strong>${plural(files?.length ?? failed, "file")} could not be registered.</strong></p>
    ${files?.slice(0, 5).map((one) => html`<p key=${one.path}><code>${one.path}${one.line ? `:${one.line}` : ""}</code> ${one.reason}</p>`)}</div><a class="button is-quiet" href=${href("reload")}>Compare</a></div>`;
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
