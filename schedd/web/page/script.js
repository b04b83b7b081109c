// One script: what its header says, what comes next, how it went, and why.

import { Ago, At, Button, Copy, Countdown, Empty, Panel, Problem, Status, html, toast, toneOf, useEffect, useLayoutEffect, useRef, useState } from "./ui.js";
import { get, post } from "./api.js";
import { clock, day, duration, number, plural, statusWord } from "./format.js";
import { go, href, useRoute } from "./route.js";
import { onEvent, useRecent, useRuns, useSchedules } from "./store.js";
import { askPause, askTrigger, resume, stopRun } from "./actions.js";
import { Coming, EntryLine, Facts, InZone, ScriptName, runHref } from "./evidence.js";
import { Verdict } from "./run.js";

const RECENT = 12;
const MOST_GAPS = 100;

export default function View() {
  const { params } = useRoute();
  return params.script && html`<${Script} key=${params.script} script=${params.script} />`;
}

function Script({ script }) {
  const { about, error, retry } = useAbout(script);
  const listed = useSchedules().by.get(script);
  if (error && !about) return html`<${Missing} script=${script} error=${error} retry=${retry} />`;
  if (!about) return html`<div class="script-page" aria-busy="true"></div>`;
  // The list is live, and the answer is from when it was asked.
  const schedule = listed ?? about.schedule;
  return html`<div class="script-page">
    <${Head} schedule=${schedule} about=${about} />
    <${Notices} schedule=${schedule} about=${about} />
    <${Facts} label="Facts" rows=${factsOf(schedule)} />
    <${Running} script=${script} />
    <${Outcomes} script=${script} />
    <div class="script-columns">
      <div>
        <${Latest} script=${script} />
        <${Gaps} script=${script} />
        <${WhyPanel} schedule=${schedule} />
      </div>
      <div>
        <${NextFires} schedule=${schedule} />
        <${Header} about=${about} />
      </div>
    </div>
  </div>`;
}

function Missing({ script, error, retry }) {
  if (error.status !== 404) return html`<div class="script-page"><${Problem} error=${error} retry=${retry} /></div>`;
  return html`<div class="script-page">
    <header class="page-head"><div class="page-title"><h1><${ScriptName} script=${script} /></h1></div></header>
    <${Empty} title="This script is not registered">
      ${error.details?.reason ? `It was refused: ${error.details.reason}. ` : ""}
      <a href=${href("history", {}, { script })}>Its history</a>, if it has one, or <a href=${href("reload")}>compare the directory</a>.
    <//>
    <${WhyPanel} schedule=${{ scriptRel: script, timezone: "UTC" }} />
  </div>`;
}

function Head({ schedule, about }) {
  const paused = schedule.pause && !schedule.pause.all;
  return html`<header class="page-head">
    <div class="page-title">
      <h1 title=${schedule.scriptRel}>${schedule.name}</h1>
      <p class="page-path"><code>${schedule.scriptRel}</code><${Copy} text=${about.path} label="Copy path" /></p>
      <p class="page-sub">
        <${Status} status=${schedule.status} />
        <span class="page-line"><strong>${schedule.words}</strong>, ${schedule.timezone}</span>
      </p>
      ${schedule.description && html`<p class="page-text">${schedule.description}</p>`}
      ${schedule.tags.length > 0 && html`<p class="tags">${schedule.tags.map((tag) => html`<span class="chip" key=${tag}>${tag}</span>`)}</p>`}
    </div>
    <div class="page-actions">
      <${Button} onClick=${() => go(href("history", {}, { script: schedule.scriptRel }))}>History<//>
      ${paused
        ? html`<${Button} onClick=${() => resume(schedule)}>Resume<//>`
        : html`<${Button} onClick=${() => askPause(schedule)}>Pause<//>`}
      <${Button} kind="primary" onClick=${() => askTrigger(schedule)}>Run now<//>
    </div>
  </header>`;
}

function Notices({ schedule, about }) {
  const { pause } = schedule;
  return html`<div class="notices">
    ${pause && html`<p class="notice is-off"><strong>${pause.all ? "All scripts are paused" : "Paused"}</strong>
      <span>since <${Ago} at=${pause.since} /> by ${pause.by}${pause.note ? `: ${pause.note}` : ""}.
      ${pause.until ? html` Until <${At} at=${pause.until} />, <${Countdown} to=${pause.until} />.` : " Until somebody resumes it."}</span>
      ${pause.all && html`<${Button} kind="quiet" onClick=${() => resume(null)}>Resume all<//>`}</p>`}
    ${about.problems.map((one) => html`<p class="notice is-error" key=${one.reason}><strong>The file was refused</strong>
      <span>${one.line ? `line ${one.line}: ` : ""}${one.reason}. Its last good registration runs on.</span></p>`)}
    ${schedule.warnings.filter((text) => !about.problems.some((one) => text.includes(one.reason))).map((text) => html`<p class="notice is-warn" key=${text}><strong>Look at</strong><span>${text}</span></p>`)}
    ${about.guarded && html`<p class="notice"><strong>Guarded</strong><span>Its header has a @token: to start it by hand one has to say that one means it.</span></p>`}
  </div>`;
}

function factsOf(schedule) {
  const { cadence, calendar, lock, retry } = schedule;
  return [
    ["Next", schedule.nextFire ? html`<strong><${Countdown} to=${schedule.nextFire} /></strong>` : "none"],
    ["Last", schedule.lastFireAt
      ? html`<a href=${runHref(schedule.lastFireRunId)}><${Status} status=${schedule.lastFireStatus} short /> <${Ago} at=${schedule.lastFireAt} /></a>`
      : "never"],
    ["Limit", schedule.timeoutMs ? duration(schedule.timeoutMs) : "none"],
    ["Overlap", schedule.overlap],
    ["Caught up", schedule.catchup === "none" ? "no" : `${schedule.catchup}${schedule.catchupWithinMs ? ` within ${duration(schedule.catchupWithinMs)}` : ""}`],
    retry && ["Retries", `${retry.limit}, after ${duration(retry.firstMs)}${retry.mostMs > retry.firstMs ? ` to ${duration(retry.mostMs)}` : ""}`],
    schedule.deadlineMs != null && ["Start within", duration(schedule.deadlineMs)],
    schedule.jitterMs > 0 && ["Jitter", `less than ${duration(schedule.jitterMs)}`],
    calendar && ["Calendar", `${calendar.file}, ${calendar.how}`],
    lock && ["Lock", html`<span title=${lock.holders.map((one) => one.scriptPath).join(", ")}>${lock.name}: ${number(lock.taken)} of ${number(lock.slots)} taken${lock.waiting ? `, ${number(lock.waiting)} waiting` : ""}</span>`],
    cadence && ["Keeps up", `${number(cadence.ranPerDay)} of ${number(cadence.slotsPerDay)} slots a day`],
  ];
}

function Running({ script }) {
  const runs = useRuns().filter((run) => run.scriptPath === script);
  if (!runs.length) return null;
  return html`<${Panel} title="In flight">
    <ul class="flying">${runs.map((run) => html`<li key=${run.runId}>
      <${Status} status=${run.state} />
      <a href=${runHref(run.runId)}>${run.startedAt ? html`since <${Ago} at=${run.startedAt} />` : run.state === "held" ? "waits" : "is being started"}</a>
      <${Button} kind="quiet" onClick=${() => stopRun(run)}>${run.state === "held" ? "Drop" : "Stop"}<//>
    </li>`)}</ul>
  <//>`;
}

const CHART = { most: 30, share: 0.6, wide: 18, high: 48, least: 3 };

/** The last outcomes as bars: as high as they took long, with a shape for what went wrong. */
function Outcomes({ script }) {
  const recent = useRecent([script]).get(script);
  if (!recent?.outcomes.length) return null;
  return html`<${Chart} ...${recent} />`;
}

function Chart({ outcomes, usualMs }) {
  const longest = Math.max(1, ...outcomes.map((one) => one.durationMs));
  const most = Math.max(longest, usualMs ?? 0);
  const [box, width] = useWidth();
  const step = width / CHART.most;
  const usualY = usualMs ? CHART.high - Math.max(CHART.least, (usualMs / most) * CHART.high) : null;
  return html`<${Panel} title="Last outcomes" note=${`${plural(outcomes.length, "fire")}${usualMs ? `, usually ${duration(usualMs)}` : ""}, at most ${duration(longest)}`}>
    <div class="outcomes" ref=${box}>
      <svg width=${width} height=${CHART.high + 14} role="group" aria-label="Last outcomes, oldest first">
        ${usualY != null && html`<line class="outcomes-usual" x1="0" x2=${width} y1=${usualY} y2=${usualY} />`}
        ${outcomes.map((one, index) => html`<${Bar} key=${one.runId} one=${one} most=${most} x=${index * step} step=${step} />`)}
      </svg>
    </div>
  <//>`;
}

/** The width of an element in whole pixels, as it is now: the bars share it, and their marks keep their shape. */
function useWidth() {
  const box = useRef(null);
  const [width, setWidth] = useState(600);
  useLayoutEffect(() => {
    const measure = () => setWidth(Math.max(1, box.current.clientWidth));
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(box.current);
    return () => watch.disconnect();
  }, []);
  return [box, width];
}

function Bar({ one, most, x, step }) {
  const ranAtAll = one.durationMs > 0;
  const height = ranAtAll ? Math.max(CHART.least, (one.durationMs / most) * CHART.high) : CHART.least;
  const words = `${statusWord(one.status, one.reason)}${ranAtAll ? ` after ${duration(one.durationMs)}` : ""}, ${day(new Date(one.ts))} ${clock(new Date(one.ts))}`;
  const wide = Math.min(step * CHART.share, CHART.wide);
  const middle = x + step / 2;
  return html`<a href=${runHref(one.runId)} aria-label=${words} class=${`bar is-${toneOf(one.status, one.reason)}`}>
    <title>${words}</title>
    <rect class="bar-hit" x=${x} y="0" width=${step} height=${CHART.high + 14} />
    <rect class="bar-body" x=${middle - wide / 2} y=${CHART.high - height} width=${wide} height=${height} rx="2" />
    ${one.status !== "ok" && html`<path class="bar-mark" d=${markOf(one, middle, CHART.high + 8, Math.min(4, step * 0.34))} />`}
  </a>`;
}

// A cross for a failure, a ring for a time limit, a bar for what was skipped: not by colour alone.
function markOf(one, x, y, r) {
  const tone = toneOf(one.status, one.reason);
  if (tone === "error") return `M${x - r} ${y - r}l${2 * r} ${2 * r}m0 ${-2 * r}l${-2 * r} ${2 * r}`;
  if (tone === "timeout" || tone === "miss") return `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;
  return `M${x - r} ${y}h${2 * r}`;
}

function Latest({ script }) {
  const [rows, setRows] = useState(null);
  // Without the link it is the list that says that there is something new.
  const newest = useSchedules().by.get(script)?.lastFireRunId;
  const known = rows?.some((one) => one.runId === newest);
  useEffect(() => {
    if (known) return undefined;
    let alive = true;
    const params = { scriptPath: script, limit: RECENT, includeRotated: true };
    get("schedules/history", params).then((page) => alive && setRows(page.entries), () => alive && setRows([]));
    return () => { alive = false; };
  }, [script, newest]);
  useEffect(() => onEvent("ended", (entry) => {
    if (entry.scriptPath === script) setRows((before) => [entry, ...(before ?? []).filter((one) => one.runId !== entry.runId)].slice(0, RECENT));
  }), [script]);
  const all = html`<a class="panel-link" href=${href("history", {}, { script })}>All</a>`;
  return html`<${Panel} title="History" actions=${all}>
    ${rows && !rows.length && html`<${Empty} title="It has not fired yet">Run it now to see whether it works.<//>`}
    <ol class="entry-lines">${(rows ?? []).map((entry) => html`<${EntryLine} key=${entry.runId} entry=${entry} />`)}</ol>
  <//>`;
}

function NextFires({ schedule }) {
  const { nextFires, timezone } = schedule;
  const local = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const same = local === timezone;
  if (!nextFires.length) {
    return html`<${Panel} title="Next fires"><${Empty} title="No slot to come">${schedule.pause && !schedule.pause.until
      ? "It is paused without an end."
      : schedule.status === "disabled" ? "Its header says @enabled false." : "Its expression has no time left to fire at."}<//><//>`;
  }
  return html`<${Panel} title="Next fires">
    <table class="fires">
      <thead><tr><th scope="col">In</th><th scope="col">Local time</th>${!same && html`<th scope="col">${timezone}</th>`}</tr></thead>
      <tbody>${nextFires.map((at) => html`<tr key=${at}>
        <td><${Countdown} to=${at} /></td>
        <td><${Coming} at=${at} /></td>
        ${!same && html`<td><${Coming} at=${at} zone=${timezone} /></td>`}
      </tr>`)}</tbody>
    </table>
  <//>`;
}

function Header({ about }) {
  return html`<${Panel} title="Header" note="as written, without secrets">
    <table class="header-table">
      <thead class="unseen"><tr><th scope="col">Line</th><th scope="col">Directive</th><th scope="col">Value</th></tr></thead>
      <tbody>${about.header.map((one, index) => html`<tr key=${index}>
        <td class="header-line">${one.line ?? ""}</td>
        <th scope="row">@${one.name}</th>
        <td class=${one.value.includes("[redacted]") ? "header-value is-redacted" : "header-value"}>${one.value}</td>
      </tr>`)}</tbody>
    </table>
    <p class="sha muted">sha256 <code title=${about.sha256}>${about.sha256.slice(0, 16)}</code><${Copy} text=${about.sha256} label="Copy" /></p>
  <//>`;
}

function WhyPanel({ schedule }) {
  const [at, setAt] = useState("");
  const [why, setWhy] = useState(null);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const ask = async (moment) => {
    setBusy(true);
    try {
      setWhy(await get("schedules/why", { scriptPath: schedule.scriptRel, ...(moment ? { at: moment } : {}) }));
      setError(null);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  return html`<${Panel} title="Why" note="did it run, or not">
    <form class="why-form" onSubmit=${(event) => { event.preventDefault(); ask(at); }}>
      <label class="field"><span>At, on the clock of ${schedule.timezone}</span>
        <input type="datetime-local" name="at" value=${at} onInput=${(event) => setAt(event.currentTarget.value)} /></label>
      <button class="button is-plain" type="submit" disabled=${busy || !at}>Ask</button>
      <button class="button is-plain" type="button" disabled=${busy} onClick=${() => ask("")}>Its newest slot</button>
    </form>
    ${error && html`<${Problem} error=${error} />`}
    ${why && html`<div aria-live="polite"><${Verdict} why=${why} />
      <p class="why-steps">
        ${why.before && html`<button type="button" class="button is-quiet" onClick=${() => ask(why.before)}>← <${InZone} at=${why.before} zone=${why.timezone} /></button>`}
        ${why.after && html`<button type="button" class="button is-quiet" onClick=${() => ask(why.after)}><${InZone} at=${why.after} zone=${why.timezone} /> →</button>`}
      </p></div>`}
  <//>`;
}

const SINCE = [["1", "24 hours"], ["7", "7 days"], ["30", "30 days"]];
const ONLY = [["all", "without an ok"], ["missing", "that did not run"], ["failed", "that failed"]];

function Gaps({ script }) {
  const [days, setDays] = useState("1");
  const [only, setOnly] = useState("all");
  const [found, setFound] = useState(null);
  const [error, setError] = useState(null);
  const [plan, setPlan] = useState(null);
  const [busy, setBusy] = useState(false);
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let alive = true;
    const since = new Date(Date.now() - Number(days) * 86_400_000).toISOString();
    setPlan(null);
    get("schedules/gaps", { scriptPath: script, since, only }).then(
      (gaps) => { if (alive) { setFound(gaps); setError(null); } },
      (failure) => alive && setError(failure),
    );
    return () => { alive = false; };
  }, [script, days, only, turn]);
  useEffect(() => onEvent("ended", (entry) => { if (entry.scriptPath === script && entry.kind === "replay") setTurn((n) => n + 1); }), [script]);

  const replay = async (dryRun) => {
    setBusy(true);
    try {
      const answer = await post("schedules/replay", { scriptPath: script, since: found.since, until: found.until, only, dry_run: dryRun });
      setError(null);
      if (dryRun) setPlan(answer);
      else {
        toast(`${plural(answer.queued, "replay")} queued`, { kind: "ok" });
        setPlan(null);
      }
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const choose = html`
    <select aria-label="Which slots" value=${only} onChange=${(event) => setOnly(event.currentTarget.value)}>${ONLY.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select>
    <select aria-label="Since when" value=${days} onChange=${(event) => setDays(event.currentTarget.value)}>${SINCE.map(([value, words]) => html`<option key=${value} value=${value}>${words}</option>`)}</select>`;
  return html`<${Panel} title="Gaps" actions=${choose}>
    ${error && html`<${Problem} error=${error} retry=${() => setTurn(turn + 1)} />`}
    ${found && !found.total && html`<p class="all-well"><${Status} status="ok" short /> No slot ${{ all: "is without an ok", missing: "was left out", failed: "failed" }[only]}.</p>`}
    ${found && found.total > 0 && html`
      <p class="gaps-sum"><strong>${plural(found.total, "slot")}</strong> since <${At} at=${found.since} />${found.truncated ? ", and maybe more" : ""}</p>
      <ol class="gaps">${found.gaps.slice(0, MOST_GAPS).toReversed().map((gap) => html`<li key=${gap.slot}>
        <span><${At} at=${gap.slot} />${gap.count > 1 ? html` to <${At} at=${gap.lastSlot} />` : ""}</span>
        <span>${gap.status ? html`<${Status} status=${gap.status} reason=${gap.reason} short />` : html`<span class="muted">nothing on record</span>`}</span>
        <span class="muted">${gap.count > 1 ? plural(gap.count, "slot") : gap.runIds.length ? html`<a href=${runHref(gap.runIds.at(-1))}>run</a>` : ""}</span>
      </li>`)}</ol>
      ${plan
        ? html`<div class="replay-plan" role="status">
            <p>${plan.total
              ? html`<strong>${plural(plan.total, "slot")}</strong> would be replayed, oldest first: ${listed(plan.slots)}.${plan.truncated ? " There may be more: ask again afterwards." : ""}`
              : "None of them may be replayed: they wait, or run, already."}</p>
            <div class="row-actions">
              <${Button} onClick=${() => setPlan(null)}>Cancel<//>
              ${plan.total > 0 && html`<${Button} kind="primary" disabled=${busy} onClick=${() => replay(false)}>Replay ${plural(plan.total, "slot")}<//>`}
            </div>
          </div>`
        : html`<div class="row-actions"><${Button} disabled=${busy} onClick=${() => replay(true)}>See what a replay would run<//></div>`}
    `}
  <//>`;
}

function listed(slots) {
  const shown = slots.slice(0, 6).map((one) => clock(new Date(one.slot)));
  return `${shown.join(", ")}${slots.length > shown.length ? ` and ${number(slots.length - shown.length)} more` : ""}`;
}

/** What the daemon says of the script, again whenever its registration changes. */
function useAbout(script) {
  const [found, setFound] = useState({ about: null, error: null });
  const [turn, setTurn] = useState(0);
  const item = useSchedules().by.get(script);
  const stamp = item ? `${item.sha256} ${item.registeredAt} ${item.status === "stale"}` : "";
  useEffect(() => {
    let alive = true;
    get("schedules/script", { scriptPath: script }).then(
      (about) => alive && setFound({ about, error: null }),
      (error) => alive && setFound({ about: null, error }),
    );
    return () => { alive = false; };
  }, [script, stamp, turn]);
  return { ...found, retry: () => setTurn(turn + 1) };
}
