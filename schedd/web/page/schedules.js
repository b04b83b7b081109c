// All scripts, ten thousand as easily as ten: only the rows in sight exist.

import { Ago, Button, Countdown, Empty, Problem, Spark, Status, Windowed, html, useEffect, useMemo, useRef, useState } from "./ui.js";
import { fetchAll, useRecent, useSchedules } from "./store.js";
import { ScriptName } from "./evidence.js";
import { askPause, askTrigger, resume } from "./actions.js";
import { go, href, useRoute } from "./route.js";
import { number, plural } from "./format.js";

const ROW_PX = 56;
const NARROW_ROW_PX = 92;
const STATUSES = [["", "any"], ["failed", "failed last"], ["running", "running"], ["scheduled", "scheduled"], ["paused", "paused"], ["disabled", "disabled"], ["stale", "file refused"]];
const FAILED = new Set(["error", "timeout", "load_error", "incompatible"]);
const LAST = "\uffff";
const SORTS = {
  name: ["name", (item) => item.scriptRel],
  next: ["next fire", (item) => item.nextFire ?? LAST],
  last: ["last run, newest first", (item) => item.lastFireAt ?? "", true],
  status: ["failures first", (item) => `${FAILED.has(item.lastFireStatus) ? 0 : 1} ${item.scriptRel}`],
};

export default function View() {
  const { query } = useRoute();
  const { list, loaded, error } = useSchedules();
  const wanted = { q: query.get("q") ?? "", status: query.get("status") ?? "", tag: query.get("tag") ?? "", sort: SORTS[query.get("sort")] ? query.get("sort") : "name" };
  const set = (change) => go(href("schedules", {}, tidy({ ...wanted, ...change })), { replace: true });
  const rows = useMemo(() => chosen(list, wanted), [list, wanted.q, wanted.status, wanted.tag, wanted.sort]);
  const tags = useMemo(() => [...new Set(list.flatMap((item) => item.tags))].sort(), [list]);
  const [selected, setSelected] = useState(null);
  const [seen, setSeen] = useState([]);
  const recent = useRecent(useMemo(() => seen.map((item) => item.scriptRel), [seen]));
  const search = useRef(null);
  const narrow = useNarrow();
  const at = selected == null ? -1 : rows.findIndex((item) => item.scriptRel === selected);
  useRowKeys({ rows, at, setSelected, search });
  useEffect(() => { if (loaded && query.get("focus")) { search.current.focus(); set({}); } }, [loaded, query.get("focus")]);
  if (!loaded) return error ? html`<${Problem} error=${error} retry=${fetchAll} />` : html`<div class="schedules" aria-busy="true"><h1 class="unseen">Schedules</h1></div>`;
  const any = wanted.q || wanted.status || wanted.tag;
  return html`<div class="schedules">
    <header class="list-head"><h1>Schedules</h1><p class="muted" aria-live="polite">${any ? `${number(rows.length)} of ${plural(list.length, "script")}` : plural(list.length, "script")}</p></header>
    <form class="list-tools" role="search" aria-label="Find scripts" onSubmit=${(event) => event.preventDefault()}>
      <input ref=${search} data-search type="search" aria-label="Search" placeholder="Search   /" autocomplete="off" spellcheck="false" value=${wanted.q} onInput=${(event) => set({ q: event.target.value })} />
      <${Pick} label="Status" value=${wanted.status} options=${STATUSES} onPick=${(status) => set({ status })} />
      ${(tags.length > 0 || wanted.tag) && html`<${Pick} label="Tag" value=${wanted.tag} options=${[["", "any"], ...tags.map((tag) => [tag, tag])]} onPick=${(tag) => set({ tag })} />`}
      <${Pick} label="Sort" value=${wanted.sort} options=${Object.entries(SORTS).map(([key, [word]]) => [key, word])} onPick=${(sort) => set({ sort })} />
    </form>
    ${!list.length && html`<${Empty} title="No scripts yet">Put a script with a line like <code># @schedule 0 3 * * *</code> into the scripts directory, then <a href=${href("reload")}>reload</a>.<//>`}
    ${list.length > 0 && !rows.length && html`<${Empty} title="No script is like that"><button type="button" class="button is-quiet" onClick=${() => set({ q: "", status: "", tag: "" })}>Show all</button><//>`}
    ${rows.length > 0 && html`<div class="sheet"><${Windowed} label="Schedules" rows=${rows} height=${narrow ? NARROW_ROW_PX : ROW_PX} id=${(item) => item.scriptRel} selected=${at} onRange=${setSeen}
      render=${(item, index) => html`<${Row} item=${item} selected=${index === at} outcomes=${recent.get(item.scriptRel)?.outcomes} />`} /></div>`}
  </div>`;
}

function Pick({ label, value, options, onPick }) {
  return html`<label class="pick"><span>${label}</span><select value=${value} onChange=${(event) => onPick(event.target.value)}>
    ${options.map(([key, word]) => html`<option key=${key} value=${key} selected=${key === value}>${word}</option>`)}</select></label>`;
}

function Row({ item, selected, outcomes }) {
  const own = item.pause && !item.pause.all;
  const last = ["running", "paused", "disabled", "stale"].includes(item.status) ? item.status : item.lastFireStatus ?? item.status;
  return html`<div class=${selected ? "row is-selected" : "row"} aria-current=${selected ? "true" : undefined} data-script=${item.scriptRel}>
    <span class="row-status"><${Status} status=${last} /></span>
    <span class="row-name"><${ScriptName} script=${item.scriptRel} /><span class="row-words" title=${item.words}>${item.words}<span class="row-zone"> · ${item.timezone}</span></span></span>
    <span class="row-spark"><${Spark} outcomes=${outcomes} /></span>
    <span class="row-next">${item.nextFire ? html`<${Countdown} to=${item.nextFire} />` : html`<span class="muted">no slot</span>`}<span class="row-last">${item.lastFireAt ? html`ran <${Ago} at=${item.lastFireAt} />` : "never ran"}</span></span>
    <span class="row-buttons"><${Button} kind="quiet" onClick=${() => askTrigger(item)} aria-label=${`Run ${item.scriptRel} now`}>Run<//>
      <${Button} kind="quiet" onClick=${() => (own ? resume(item) : askPause(item))} aria-label=${`${own ? "Resume" : "Pause"} ${item.scriptRel}`}>${own ? "Resume" : "Pause"}<//></span>
  </div>`;
}

function chosen(list, { q, status, tag, sort }) {
  const words = q.toLowerCase().split(/\s+/).filter(Boolean);
  const found = list.filter((item) =>
    (!tag || item.tags.includes(tag)) &&
    (!status || (status === "failed" ? FAILED.has(item.lastFireStatus) : status === "paused" ? item.pause !== null : item.status === status)) &&
    (!words.length || fits(item, words)));
  const [, key, down] = SORTS[sort];
  if (sort === "name") return found;
  return found.map((item) => [key(item), item]).sort(([a], [b]) => (a === b ? 0 : (a < b) === Boolean(down) ? 1 : -1)).map(([, item]) => item);
}

function fits(item, words) {
  const text = `${item.scriptRel} ${item.name} ${item.words} ${item.expression} ${item.description ?? ""} ${item.tags.join(" ")}`.toLowerCase();
  return words.every((word) => text.includes(word));
}

function tidy(wanted) {
  return { ...wanted, sort: wanted.sort === "name" ? "" : wanted.sort };
}

function useNarrow() {
  const [narrow, setNarrow] = useState(() => matchMedia("(max-width: 46rem)").matches);
  useEffect(() => {
    const media = matchMedia("(max-width: 46rem)");
    const look = () => setNarrow(media.matches);
    media.addEventListener("change", look);
    return () => media.removeEventListener("change", look);
  }, []);
  return narrow;
}

function useRowKeys({ rows, at, setSelected, search }) {
  const now = useRef({});
  now.current = { rows, at };
  useEffect(() => {
    const pressed = (event) => {
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      const { rows: all, at: index } = now.current;
      if (event.target === search.current) {
        if (event.key === "Escape") search.current.blur();
        if (event.key === "Enter" && all.length) go(href("script", { script: all[0].scriptRel }));
        return;
      }
      if (event.target.closest?.("input, textarea, select")) return;
      const item = all[index];
      const step = { j: 1, k: -1 }[event.key];
      if (step && all.length) {
        setSelected(all[Math.max(0, Math.min(all.length - 1, index < 0 ? 0 : index + step))].scriptRel);
      } else if (item && event.key === "Enter" && !event.target.closest?.("a, button")) {
        go(href("script", { script: item.scriptRel }));
      } else if (item && event.key === "t") {
        event.preventDefault();
        askTrigger(item);
      } else if (item && event.key === "p") {
        event.preventDefault();
        if (item.pause && !item.pause.all) resume(item);
        else askPause(item);
      }
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}
