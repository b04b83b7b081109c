// One run: what it prints, as it prints it, and all that is known of it.

import { At, Button, Countdown, Empty, Panel, Problem, Status, html, toast, useEffect, useRef, useState } from "./ui.js";
import { get, stream } from "./api.js";
import { bytes, day, duration, number, plural } from "./format.js";
import { href, useRoute } from "./route.js";
import { onEvent, serverNow, useNow, useRecent, useSchedules } from "./store.js";
import { askTrigger, stopRun } from "./actions.js";
import { EntryLine, Evidence, Facts, InZone, Journal, ScriptName, journalOf, kindWord, reasonOf, runHref } from "./evidence.js";
import { Terminal } from "./terminal.js";

const AGAIN_MS = 2_000;
const LOOK_MS = 5_000;

export default function View() {
  const { params } = useRoute();
  return params.runId && html`<${Run} key=${params.runId} runId=${params.runId} />`;
}

function Run({ runId }) {
  const { run, error, retry } = useRun(runId);
  if (error) {
    return html`<div class="run-page">
      <header class="page-head"><h1>Run</h1></header>
      ${error.status === 404
        ? html`<${Empty} title="There is no such run">
            Its line may have been in a file of the log that is gone. <a href=${href("history")}>History</a>
          <//>`
        : html`<${Problem} error=${error} retry=${retry} />`}
    </div>`;
  }
  if (!run) return html`<div class="run-page" aria-busy="true"></div>`;
  const { entry } = run;
  return html`<div class="run-page">
    <${Head} run=${run} entry=${entry} />
    <div class="run-columns">
      <div class="run-main">
        <${Output} onEnd=${retry} runId=${runId} live=${!entry} none=${Boolean(entry) && !entry.startedAt} entry=${entry} />
        ${run.result != null && html`<${Panel} title="Result"><pre class="result">${shownResult(run.result)}</pre><//>`}
      </div>
      <div class="run-side">
        ${entry
          ? html`<${Panel} title="Evidence"><${Evidence} entry=${entry} /><//>`
          : html`<${Panel} title="In flight"><${InFlight} run=${run} /><//>`}
        <${Chain} run=${run} />
        ${run.slot && html`<${WhyOf} run=${run} done=${Boolean(entry)} />`}
      </div>
    </div>
  </div>`;
}

function Head({ run, entry }) {
  const status = entry ? entry.status : run.state;
  return html`<header class="page-head">
    <div class="page-title">
      <h1><${ScriptName} script=${run.scriptPath} /></h1>
      <p class="page-sub">
        <${Status} status=${status} reason=${entry?.reason} />
        <span class="page-line">${entry ? reasonOf(entry) : html`<${Progress} run=${run} />`}</span>
      </p>
    </div>
    <div class="page-actions">
      ${entry
        ? html`<${Button} onClick=${() => askTrigger(run.scriptPath)}>Run again<//>`
        : html`<${Button} kind="danger" onClick=${() => stopRun(run)}>${run.state === "held" ? "Drop" : "Stop"}<//>`}
    </div>
  </header>`;
}

const WAITS = {
  lock: (wait) => `waits for the lock ${wait.lock}${wait.scriptPath ? `, which ${wait.scriptPath} has` : ""}`,
  run: () => "waits for a run of its own script to end",
  place: () => "waits for a free place to run",
  time: () => "waits for the time of its next try",
  turn: () => "waits for its turn among what is caught up",
};

function Progress({ run }) {
  useNow(1000);
  const usual = useRecent([run.scriptPath]).get(run.scriptPath)?.usualMs;
  if (run.state === "held") {
    return html`${run.waitsFor ? WAITS[run.waitsFor.what](run.waitsFor) : "waits"}
      ${run.due && html`, due <${Countdown} to=${run.due} />`}
      ${run.waitsFor?.runId && html` · <a href=${runHref(run.waitsFor.runId)}>the run in the way</a>`}`;
  }
  if (!run.startedAt) return "is being started";
  const since = Math.max(0, serverNow() - Date.parse(run.startedAt));
  return html`<span class="progress-words">for <strong>${duration(since)}</strong>${usual
      ? ` of usually ${duration(usual)}`
      : ""}</span>
    ${usual && html`<progress class=${since > 2 * usual ? "is-long" : ""} max=${usual} value=${Math.min(since, usual)}
      aria-label="against its usual duration"></progress>`}`;
}

function InFlight({ run }) {
  return html`<${Facts} label="Facts" rows=${[
      ["Kind", kindWord(run.kind)],
      ["Slot", run.slot && html`<${At} at=${run.slot} />`],
      ["Started", run.startedAt && html`<${At} at=${run.startedAt} />`],
      ["Attempt", number(run.attempt)],
      ["Limit", run.timeoutMs ? duration(run.timeoutMs) : "none"],
      ["Process", run.pid && html`<code>${run.pid}</code>`],
      ["Expression", html`<code>${run.expression}</code>`],
    ].filter(([, value]) => value)} />
    <${Journal} line=${journalOf(run.runId)} />`;
}

function Output({ runId, live, none, entry, onEnd }) {
  const box = useRef(null);
  const term = useRef(null);
  const [shown, setShown] = useState({ rows: 0, left: 0, following: true, fresh: 0 });
  const [link, setLink] = useState("connecting");
  const [wrap, setWrap] = useState(true);
  const [times, setTimes] = useState(false);

  useEffect(() => {
    if (none) return undefined;
    const terminal = new Terminal(box.current, setShown);
    term.current = terminal;
    const leave = new AbortController();
    listen(runId, terminal, setLink, leave.signal).then(onEnd);
    return () => { leave.abort(); terminal.close(); };
  }, [runId, none]);

  if (none) {
    return html`<${Panel} title="Output"><${Empty} title="Nothing ran, so nothing was printed">${reasonOf(entry)}<//><//>`;
  }
  const empty = shown.rows === 0 && !shown.left;
  const note = { connecting: "", live: live ? "live" : "", lost: "link lost, trying again", done: outputNote(entry) }[link];
  const actions = html`
    <${Toggle} on=${wrap} set=${setWrap}>Wrap<//>
    <${Toggle} on=${times} set=${setTimes}>Times<//>
    <${Button} kind="quiet" disabled=${empty} onClick=${() => copy(term.current)}>Copy<//>
    <${Button} kind="quiet" disabled=${empty} onClick=${() => save(runId)}>Save<//>`;
  return html`<${Panel} title="Output" note=${note} actions=${actions}>
    <div class="term-frame">
      ${shown.left > 0 && html`<p class="term-left">${plural(shown.left, "earlier line")} not shown here. Save has all that is kept.</p>`}
      <div class=${`term${wrap ? " is-wrapped" : ""}${times ? " has-times" : ""}${empty ? " is-empty" : ""}`} ref=${box}
        role="log" aria-live="off" aria-label="Output of the run" tabindex="0"></div>
      ${empty && link !== "connecting" && html`<p class="term-none">${live ? "Nothing printed so far." : entry?.outputBytes ? "What it printed is no longer kept." : "It printed nothing."}</p>`}
      ${!shown.following && html`<button type="button" class="term-follow" onClick=${() => term.current.follow()}>
        ${shown.fresh ? `${plural(shown.fresh, "new line")} below` : "To the end"}
      </button>`}
    </div>
  <//>`;
}

function outputNote(entry) {
  if (!entry?.outputBytes) return "";
  const part = entry.outputTruncated ? ", the middle left out" : "";
  return `${bytes(entry.outputBytes)}${part}`;
}

function Toggle({ on, set, children }) {
  return html`<button type="button" class="toggle" aria-pressed=${on ? "true" : "false"} onClick=${() => set(!on)}>${children}</button>`;
}

/** Listen until the end of the run (or of the page), from where the link was lost if it is. */
async function listen(runId, terminal, setLink, signal) {
  let last = null;
  let over = false;
  const onEvent = (type, data, id) => {
    setLink("live");
    if (id) last = id;
    if (type === "line") terminal.line(data);
    else if (type === "gap") terminal.gap(data);
    else if (type === "end") over = true;
  };
  while (!signal.aborted) {
    try {
      await stream(`runs/${runId}/output?follow=true`, { onEvent, signal, lastEventId: last });
    } catch (error) {
      if (signal.aborted) return;
      if (error.status === 404 || error.status === 401 || error.status === 403) over = true;
    }
    if (over) {
      setLink("done");
      return;
    }
    if (signal.aborted) return;
    setLink("lost");
    await new Promise((again) => setTimeout(again, AGAIN_MS));
  }
}

async function copy(terminal) {
  try {
    await navigator.clipboard.writeText(terminal.text());
    toast("The output is copied", { kind: "ok" });
  } catch {
    toast("The browser did not let the output be copied", { kind: "error" });
  }
}

async function save(runId) {
  try {
    const text = await get(`runs/${runId}/output`);
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = `${runId}.log`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
  } catch (error) {
    toast(`The output could not be fetched: ${error.message}`, { kind: "error" });
  }
}

/** All attempts for the same slot, if there is more than one. */
function Chain({ run }) {
  const [attempts, setAttempts] = useState([]);
  const retries = useSchedules().by.get(run.scriptPath)?.retry;
  const wanted = run.slot && (retries || run.attempt > 1);
  useEffect(() => {
    if (!wanted) return undefined;
    let alive = true;
    const look = () => get("schedules/history", { scriptPath: run.scriptPath, since: run.slot, limit: 200, includeRotated: true }).then(
      (page) => {
        const same = page.entries.filter((entry) => entry.slot === run.slot && !entry.lastSlot);
        if (alive) setAttempts(same.toReversed());
      },
      () => {},
    );
    look();
    const off = onEvent("ended", (entry) => { if (entry.scriptPath === run.scriptPath && entry.slot === run.slot) look(); });
    return () => { alive = false; off(); };
  }, [run.runId, run.slot, wanted, run.entry]);
  const waiting = retries && run.entry && run.entry.status !== "ok" && attempts.length <= retries.limit;
  if (attempts.length < 2) return null;
  return html`<${Panel} title="Attempts" note=${waiting ? `up to ${retries.limit + 1}` : ""}>
    <ol class="entry-lines">${attempts.map((entry) => html`<${EntryLine} key=${entry.runId} entry=${entry} current=${entry.runId === run.runId} />`)}</ol>
  <//>`;
}

function WhyOf({ run, done }) {
  const [found, setFound] = useState(null);
  useEffect(() => {
    let alive = true;
    get("schedules/why", { scriptPath: run.scriptPath, at: run.slot }).then((why) => alive && setFound(why), () => {});
    return () => { alive = false; };
  }, [run.runId, done]);
  if (!found) return null;
  return html`<${Panel} title="Why"><${Verdict} why=${found} brief=${found.journalctl === journalOf(run.runId)} /><//>`;
}

/** A verdict with its sentence and what speaks for it. */
export function Verdict({ why, brief }) {
  const dayOf = (fact) => day(new Date(fact.at), why.timezone);
  return html`<div class="verdict">
    <p class="verdict-word"><code>${why.verdict}</code></p>
    <p class="verdict-sentence">${why.sentence}</p>
    ${why.evidence.length > 0 && html`<ol class="trail">
      ${why.evidence.map((fact, index) => {
        const date = dayOf(fact);
        const anew = index === 0 || dayOf(why.evidence[index - 1]) !== date;
        return html`${anew && html`<li class="trail-day" key=${date}>${date}</li>`}<li key=${index}>
          <span class="trail-at"><${InZone} at=${fact.at} zone=${why.timezone} dayless /></span><span>${fact.what}</span>
        </li>`;
      })}
    </ol>`}
    ${!why.complete && html`<p class="muted">Not all of the record could be read.</p>`}
    ${!brief && html`<${Journal} line=${why.journalctl} />`}
  </div>`;
}

/** The state of one run: asked for once, told by the link, asked again while that may be lost. */
function useRun(runId) {
  const [found, setFound] = useState({ run: null, error: null });
  const [turn, setTurn] = useState(0);
  useEffect(() => {
    let alive = true;
    let timer = 0;
    const look = () => get(`runs/${runId}`).then(
      (run) => {
        if (!alive) return;
        setFound({ run, error: null });
        if (run.entry) clearInterval(timer);
      },
      (error) => alive && setFound((before) => (before.run ? before : { run: null, error })),
    );
    const offs = ["started", "ended"].map((type) => onEvent(type, (told) => { if (told.runId === runId) look(); }));
    look();
    timer = setInterval(look, LOOK_MS);
    return () => { alive = false; clearInterval(timer); offs.forEach((off) => off()); };
  }, [runId, turn]);
  return { ...found, retry: () => setTurn((before) => before + 1) };
}

function shownResult(result) {
  return typeof result === "string" ? result : JSON.stringify(result, null, 2);
}
