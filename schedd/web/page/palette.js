// One field for everything: go to a script or a view, or do something to it.

import { Dialog, Shape, html, toneOf, useEffect, useLayoutEffect, useMemo, useRef, useState } from "./ui.js";
import { askPause, askTrigger, openReload, resume } from "./actions.js";
import { go, href } from "./route.js";
import { usePauses, useSchedules } from "./store.js";

const MOST = 40;
const PLACES = [["Overview", "overview"], ["Schedules", "schedules"], ["Timeline", "timeline"], ["Load by hour and day", "load"], ["History", "history"]];

export function Palette({ onClose }) {
  const { list } = useSchedules();
  const paused = usePauses().some((pause) => pause.all);
  const [text, setText] = useState("");
  const [at, setAt] = useState(0);
  const found = useMemo(() => matching(text, list, paused), [text, list, paused]);
  const field = useRef(null);
  useLayoutEffect(() => field.current.focus(), []);
  useEffect(() => document.getElementById(`palette-${at}`)?.scrollIntoView({ block: "nearest" }), [at]);
  const take = (one) => { onClose(); one.act(); };
  const keys = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); setAt((at + step + found.length) % Math.max(1, found.length)); }
    if (event.key === "Enter" && found[at]) { event.preventDefault(); take(found[at]); }
  };
  return html`<${Dialog} title="Go to, or do" kind="palette" onClose=${onClose}>
    <input ref=${field} class="palette-field" type="text" role="combobox" aria-expanded="true" aria-controls="palette-list" aria-label="Script, view or action"
      aria-activedescendant=${found[at] ? `palette-${at}` : undefined} placeholder="A script, a view, run …, pause …" autocomplete="off" spellcheck="false"
      value=${text} onInput=${(event) => { setText(event.target.value); setAt(0); }} onKeyDown=${keys} />
    <ul id="palette-list" class="palette-list" role="listbox" aria-label="Found">${found.map((one, index) => html`<li key=${one.key} id=${`palette-${index}`} role="option" aria-selected=${index === at ? "true" : "false"} onClick=${() => take(one)} onMouseMove=${() => setAt(index)}>
      ${one.tone ? html`<${Shape} tone=${one.tone} />` : html`<span class="palette-mark" aria-hidden="true">→</span>`}<span class="palette-verb">${one.verb}</span><span class="palette-what">${one.what}</span></li>`)}</ul>
    ${!found.length && html`<p class="muted palette-none">Nothing is called like that.</p>`}
  <//>`;
}

function matching(text, list, paused) {
  const [, verb, rest] = /^(run|trigger|pause|resume)\s+(.*)$/i.exec(text.trim()) ?? [null, null, text.trim()];
  const words = rest.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = (name) => words.every((word) => name.toLowerCase().includes(word));
  const found = [];
  if (!verb) {
    for (const [name, view] of PLACES) if (fits(`go to ${name}`)) found.push({ key: view, verb: "Go to", what: name, act: () => go(href(view)) });
    const actions = [["Reload", "compare the directory, then apply", openReload], paused ? ["Resume", "all scripts", () => resume(null)] : ["Pause", "all scripts", () => askPause(null)]];
    for (const [name, what, act] of actions) if (fits(`${name} ${what}`)) found.push({ key: name, verb: name, what, act });
  }
  for (const item of list) {
    if (found.length >= MOST) break;
    if (!fits(`${item.scriptRel} ${item.name}`)) continue;
    found.push(...offers(item, verb?.toLowerCase(), words.length > 0));
  }
  return found.slice(0, MOST);
}

function offers(item, verb, searched) {
  const what = item.scriptRel;
  const tone = toneOf(item.running ? "running" : item.lastFireStatus ?? item.status);
  const all = {
    open: { key: `o ${what}`, verb: "Open", what, tone, act: () => go(href("script", { script: what })) },
    run: { key: `t ${what}`, verb: "Run", what, tone: "run", act: () => askTrigger(item) },
    pause: item.pause && !item.pause.all
      ? { key: `p ${what}`, verb: "Resume", what, tone: "off", act: () => resume(item) }
      : { key: `p ${what}`, verb: "Pause", what, tone: "off", act: () => askPause(item) },
  };
  if (verb === "run" || verb === "trigger") return [all.run];
  if (verb) return [all.pause];
  return searched ? [all.open, all.run, all.pause] : [all.open];
}
