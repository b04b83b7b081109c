// What a person can do to scripts and runs, each as a dialog that stays until its result is there.
//
// Every view and the palette come here, so that an action asks the same questions wherever it is begun. A dialog
// is mounted beside the page: a view that is drawn anew, or left, takes none of it away.

import { Ago, Button, Dialog, Dur, Problem, Status, html, render, toast, useEffect, useRef, useState } from "./ui.js";
import { ApiError, get, post } from "./api.js";
import { clock, day, duration } from "./format.js";
import { go, href } from "./route.js";
import { fetchAll, onEvent, useNow } from "./store.js";
import { ScriptName, reasonOf, runHref } from "./evidence.js";

const LOOK_MS = 5_000; // how often a run is asked for while the link may be lost
const MOST_NOTE = 500;

/** Ask whether a script (its item, or its path) is to run now, and show how that ends. */
export function askTrigger(script) {
  open(TriggerDialog, { script: relOf(script) });
}

/** Ask how long a script, or with null everything, is to pause. */
export function askPause(script) {
  open(PauseDialog, { script: script && relOf(script) });
}

/** End the pause of a script at once; that of all after a question. */
export function resume(script) {
  if (script) return resumeNow(relOf(script));
  open(ResumeAllDialog, {});
  return Promise.resolve();
}

/** Ask whether a run (an item of the runs) is to be stopped, and show how it ended. */
export function stopRun(run) {
  open(StopDialog, { run });
}

export function openReload() {
  go(href("reload"));
}

const relOf = (script) => (typeof script === "string" ? script : script.scriptRel);

function open(Component, props) {
  const host = document.createElement("div");
  const before = document.activeElement;
  document.body.append(host);
  const close = () => {
    render(null, host);
    host.remove();
    if (before?.isConnected) before.focus();
  };
  render(html`<${Component} ...${props} onClose=${close} />`, host);
}

function TriggerDialog({ script, onClose }) {
  const { about, error: unknown } = useAbout(script);
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const [runId, setRunId] = useState(null);
  const ended = useEnd(runId);
  const alive = useRef(true);
  useEffect(() => () => { alive.current = false; }, []);

  const reasons = about ? forced(about) : [];
  const start = async () => {
    setBusy(true);
    setError(null);
    try {
      const answer = await post("schedules/trigger", { scriptPath: script, force: reasons.length > 0, wait: false });
      if (alive.current) setRunId(answer.runId);
      else toast(`${script} was triggered`, { href: runHref(answer.runId) });
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const leave = () => {
    if (runId && !ended) toast(`${script} runs on`, { href: runHref(runId) });
    onClose();
  };
  const actions = runId
    ? html`<a class="button is-plain" href=${runHref(runId)} onClick=${onClose}>Open the run</a>
        <${Button} kind="primary" onClick=${leave}>${ended ? "Done" : "Close"}<//>`
    : html`<${Button} onClick=${onClose}>Cancel<//>
        <${Button} kind="primary" disabled=${busy || !about} onClick=${start}>
          ${reasons.length ? "Run it all the same" : "Run it now"}
        <//>`;
  return html`<${Dialog} title="Run now" onClose=${leave} actions=${actions}>
    <div class="ask">
      <p class="ask-what"><${ScriptName} script=${script} /></p>
      ${!runId && about && html`<${Before} about=${about} reasons=${reasons} />`}
      ${!runId && unknown && html`<${Problem} error=${unknown} />`}
      ${error && html`<${Problem} error=${error} retry=${start} />`}
      ${runId && html`<${Live} ended=${ended} />`}
    </div>
  <//>`;
}

function Before({ about, reasons }) {
  const { schedule } = about;
  return html`
    ${schedule.description && html`<p>${schedule.description}</p>`}
    ${schedule.running > 0 && html`<p class="ask-note">It runs already. ${overlapNote(schedule.overlap)}</p>`}
    ${reasons.map((reason) => html`<p class="ask-note" key=${reason}>${reason}</p>`)}
    ${!reasons.length && html`<p class="muted">The run is recorded as one by hand. ${nextNote(schedule)}</p>`}`;
}

const nextNote = (schedule) => (schedule.nextFire ? "Its next slot stays as it is." : "It has no slot to come.");

/** Why a trigger needs force, in sentences. */
function forced({ schedule, guarded }) {
  const reasons = [];
  if (guarded) reasons.push("Its header has a @token: whoever starts it by hand has to say that they mean it. Slots are not affected.");
  if (schedule.status === "disabled") reasons.push("Its header says @enabled false.");
  if (schedule.pause?.all) reasons.push(`All scripts are paused${noteOf(schedule.pause)}.`);
  else if (schedule.pause) reasons.push(`It is paused${noteOf(schedule.pause)}. The pause stays.`);
  return reasons;
}

const noteOf = (pause) => (pause.note ? `, ${pause.by} wrote: ${pause.note}` : `, by ${pause.by}`);

function overlapNote(overlap) {
  return {
    skip: "With @overlap skip, a second run is skipped.",
    queue: "With @overlap queue, this one waits for it.",
    "queue-all": "With @overlap queue-all, this one waits for its turn.",
    replace: "With @overlap replace, that run is stopped and this one takes its place.",
    allow: "With @overlap allow, both run at once.",
  }[overlap] ?? "";
}

function Live({ ended }) {
  useNow(1000);
  const begun = useRef(Date.now());
  if (!ended) {
    return html`<div class="ask-result" role="status">
      <${Status} status="running" />
      <span>started, ${duration(Math.max(0, Date.now() - begun.current))}</span>
      <span class="ask-wait" aria-hidden="true"></span>
    </div>`;
  }
  return html`<div class="ask-result" role="status">
      <${Status} status=${ended.status} reason=${ended.reason} />
      <span>${reasonOf(ended)}${ended.startedAt ? html`, took <${Dur} ms=${ended.durationMs} />` : ""}</span>
    </div>
    ${ended.error && html`<pre class="evidence-error">${ended.error}</pre>`}
    ${ended.returnPreview && html`<pre class="evidence-result">${ended.returnPreview}</pre>`}`;
}

const PRESETS = [
  ["No end", () => null],
  ["1 hour", (now) => minuteAfter(now + 3_600_000)],
  ["4 hours", (now) => minuteAfter(now + 14_400_000)],
  ["Tomorrow 08:00", (now) => morning(now, 1)],
  ["Monday 08:00", (now) => morning(now, ((8 - new Date(now).getDay()) % 7) || 7)],
];

const minuteAfter = (ms) => new Date(Math.ceil(ms / 60_000) * 60_000);

function morning(now, days) {
  const at = new Date(now);
  at.setDate(at.getDate() + days);
  at.setHours(8, 0, 0, 0);
  return at;
}

function PauseDialog({ script, onClose }) {
  const [preset, setPreset] = useState(script ? "No end" : "1 hour");
  const [free, setFree] = useState("");
  const [note, setNote] = useState("");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const until = preset === "Until" ? (free ? new Date(free) : null) : PRESETS.find(([name]) => name === preset)[1](Date.now());
  const incomplete = preset === "Until" && (!until || Number.isNaN(+until));
  const pause = async (event) => {
    event?.preventDefault();
    if (incomplete || busy) return;
    setBusy(true);
    setError(null);
    try {
      const whom = script ? { scriptPath: script } : { all: true };
      const body = { ...whom, note: note.trim() || null, until: until ? until.toISOString() : null };
      const answer = await post("schedules/pause", body);
      fetchAll();
      const end = answer.until ? ` until ${momentOf(answer.until)}` : "";
      toast(`${script ?? "All scripts"} ${script ? "is" : "are"} paused${end}`, { kind: "ok" });
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const actions = html`<${Button} onClick=${onClose}>Cancel<//>
    <${Button} kind="primary" disabled=${busy || incomplete} onClick=${pause}>
      ${script ? "Pause" : "Pause all scripts"}
    <//>`;
  return html`<${Dialog} title=${script ? "Pause" : "Pause all scripts"} onClose=${onClose} actions=${actions}>
    <form class="ask" onSubmit=${pause}>
      ${script && html`<p class="ask-what"><${ScriptName} script=${script} /></p>`}
      <fieldset class="choices">
        <legend>Until</legend>
        ${[...PRESETS.map(([name]) => name), "Until"].map((name) => html`<label class="choice" key=${name}>
          <input type="radio" name="until" checked=${preset === name} onChange=${() => setPreset(name)} />
          <span>${name === "Until" ? "A time of your own" : name}</span>
        </label>`)}
      </fieldset>
      ${preset === "Until" && html`<label class="field">
        <span>Local time</span>
        <input type="datetime-local" value=${free} onInput=${(event) => setFree(event.currentTarget.value)} />
      </label>`}
      ${until && !incomplete && html`<p class="muted">Slots fire again from <strong>${momentOf(until)}</strong> on, local time.</p>`}
      <label class="field">
        <span>Note, for whoever finds it paused</span>
        <input type="text" maxlength=${MOST_NOTE} value=${note} placeholder="database moves tonight"
          onInput=${(event) => setNote(event.currentTarget.value)} />
      </label>
      <p class="muted">What runs goes on. Slots of the pause are on record as skipped, and are not caught up.</p>
      ${error && html`<${Problem} error=${error} />`}
      <button type="submit" class="unseen" tabindex="-1" aria-hidden="true"></button>
    </form>
  <//>`;
}

const momentOf = (at) => `${day(new Date(at))} ${clock(new Date(at))}`;

async function resumeNow(script) {
  try {
    const answer = await post("schedules/resume", { scriptPath: script });
    fetchAll();
    if (answer.pause) toast(`${script}: its own pause is over, but all scripts are paused`, { kind: "plain" });
    else toast(answer.resumed ? `${script} fires again` : `${script} was not paused`, { kind: "ok" });
  } catch (error) {
    toast(`${script} stays paused: ${error.message}`, { kind: "error" });
  }
}

function ResumeAllDialog({ onClose }) {
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const end = async () => {
    setBusy(true);
    setError(null);
    try {
      await post("schedules/resume", { all: true });
      fetchAll();
      toast("Scripts fire again; those paused one by one stay so", { kind: "ok" });
      onClose();
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const actions = html`<${Button} onClick=${onClose}>Cancel<//>
    <${Button} kind="primary" disabled=${busy} onClick=${end}>End the pause<//>`;
  return html`<${Dialog} title="Let all scripts fire again" onClose=${onClose} actions=${actions}>
    <p>Scripts that were paused one by one stay paused. Slots that the pause covered are over and are not caught up.</p>
    ${error && html`<${Problem} error=${error} retry=${end} />`}
  <//>`;
}

function StopDialog({ run, onClose }) {
  const [error, setError] = useState(null);
  const [asked, setAsked] = useState(false);
  const [busy, setBusy] = useState(false);
  const ended = useEnd(run.runId);
  const held = run.state === "held";
  const stop = async () => {
    setBusy(true);
    setError(null);
    try {
      await post(`runs/${run.runId}/stop`);
      setAsked(true);
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const over = ended || (error instanceof ApiError && error.status === 409);
  const actions = asked || over
    ? html`<${Button} kind="primary" onClick=${onClose}>${over ? "Done" : "Close"}<//>`
    : html`<${Button} onClick=${onClose}>Let it run<//>
        <${Button} kind="danger" disabled=${busy} onClick=${stop}>${held ? "Drop it" : "Stop it"}<//>`;
  return html`<${Dialog} title=${held ? "Drop this fire" : "Stop this run"} onClose=${onClose} actions=${actions}>
    <div class="ask">
      <p class="ask-what"><${ScriptName} script=${run.scriptPath} /></p>
      ${!asked && !over && html`<p>${held
        ? "It waits and has not started. Dropped, it is on record as stopped."
        : "All of its processes get a TERM, and a KILL when the grace is over. The run is on record as stopped."}</p>
        ${run.startedAt && html`<p class="muted">It began <${Ago} at=${run.startedAt} />.</p>`}`}
      ${asked && !ended && html`<div class="ask-result" role="status">
        <${Status} status="running" /><span>asked to stop, waiting for its end</span><span class="ask-wait" aria-hidden="true"></span>
      </div>`}
      ${ended && html`<div class="ask-result" role="status">
        <${Status} status=${ended.status} reason=${ended.reason} /><span>${reasonOf(ended)}</span>
      </div>`}
      ${error && html`<${Problem} error=${error} />`}
    </div>
  <//>`;
}

/** What the daemon says of one script. */
function useAbout(script) {
  const [found, setFound] = useState({ about: null, error: null });
  useEffect(() => {
    let alive = true;
    get("schedules/script", { scriptPath: script }).then(
      (about) => alive && setFound({ about, error: null }),
      (error) => {
        // A trigger registers a script that is not registered yet.
        const blank = { schedule: { status: "", running: 0 }, guarded: false };
        if (alive) setFound(error.status === 404 ? { about: blank, error: null } : { about: null, error });
      },
    );
    return () => { alive = false; };
  }, [script]);
  return found;
}

/** The line of a fire as soon as there is one: told by the link, or asked for while that is lost. */
function useEnd(runId) {
  const [entry, setEntry] = useState(null);
  useEffect(() => {
    setEntry(null);
    if (!runId) return undefined;
    let alive = true;
    let timer = 0;
    const take = (found) => {
      if (!alive || !found) return;
      clearInterval(timer);
      setEntry(found);
    };
    const look = () => get(`runs/${runId}`).then((run) => take(run.entry), () => {});
    const off = onEvent("ended", (ended) => { if (ended.runId === runId) take(ended); });
    look();
    timer = setInterval(look, LOOK_MS);
    return () => { alive = false; off(); clearInterval(timer); };
  }, [runId]);
  return entry;
}
