// The shell: sign-in, navigation, keys, and the view that the address names.

import { Button, Problem, Shape, Toasts, html, render, useEffect, useRef, useState } from "./ui.js";
import { get, onSignedOut, setToken, signOut, takeToken, token } from "./api.js";
import { begin, end, onEvent, retryLink, scheduleNow, useHealth, useLink, usePauses } from "./store.js";
import { clock, explain } from "./format.js";
import { go, href, useRoute } from "./route.js";
import { isFailure } from "./failures.js";
import { runHref } from "./evidence.js";
import { askPause, askTrigger, resume } from "./actions.js";
import { Help } from "./help.js";
import { Palette } from "./palette.js";

const VIEWS = {
  overview: ["Overview", () => import("./overview.js")],
  schedules: ["Schedules", () => import("./schedules.js")],
  timeline: ["Timeline", () => import("./timeline.js")],
  load: ["Load", () => import("./heat.js")],
  history: ["History", () => import("./history.js")],
  reload: ["Reload", () => import("./reload.js")],
  script: ["Script", () => import("./script.js")],
  run: ["Run", () => import("./run.js")],
};
const NAV = ["overview", "schedules", "timeline", "load", "history", "reload"];
const LOST_AFTER_MS = 2_500; // a link that comes back at once is no news
const NEWS_MS = 60_000;

function App() {
  const [signed, setSigned] = useState(null); // null: not known yet
  const [why, setWhy] = useState(null);
  useEffect(() => onSignedOut((error) => { end(); setWhy(error && token() ? error : null); setSigned(false); }), []);
  useEffect(() => { enter().then(setSigned, (error) => { if (error.status !== 401) { setWhy(error); setSigned(true); begin(); } }); }, []);
  if (signed === null) return null;
  if (!signed) return html`<${SignIn} why=${why} onDone=${() => { setWhy(null); setSigned(true); begin(); }} />`;
  return html`<${Shell} />`;
}

/** Ask whether the token is known. */
async function enter() {
  if (!token()) return false;
  await get("runs");
  begin();
  return true;
}

function SignIn({ why, onDone }) {
  const [error, setError] = useState(why);
  const [busy, setBusy] = useState(false);
  const field = useRef(null);
  useEffect(() => { field.current.focus(); document.title = "Sign in – schedd"; }, []);
  const submit = async (event) => {
    event.preventDefault();
    setBusy(true);
    setToken(field.current.value.trim());
    try {
      await get("runs");
      onDone();
    } catch (failure) {
      setToken(null);
      setError(failure);
      setBusy(false);
      field.current.select();
    }
  };
  return html`<main class="sign-in"><form onSubmit=${submit}>
    <h1><${Brand} /></h1>
    <label for="token">Token</label>
    <input id="token" ref=${field} type="password" autocomplete="current-password" spellcheck="false" aria-describedby="token-how" />
    ${error && html`<p class="sign-in-error" role="alert"><${Shape} tone="error" />${error.status === 401 ? "schedd does not know this token." : error.message}</p>`}
    <button class="button is-primary" disabled=${busy}>Sign in</button>
    <p id="token-how" class="muted">Make one on the host:<br /><code>schedd token add NAME --scopes read,trigger</code></p>
    <p class="muted">It is kept for this tab only. Behind a proxy that signs you in, leave it empty.</p>
  </form></main>`;
}

function Brand() {
  return html`<span class="brand"><svg width="20" height="20" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6.5" fill="none" stroke="currentColor" stroke-width="1.800" /><path d="M8 4v4l3 2" fill="none" stroke="currentColor" stroke-width="1.800" /></svg>schedd</span>`;
}

function Shell() {
  const route = useRoute();
  const [over, setOver] = useState(null); // "palette" | "help"
  const health = useHealth();
  useKeys(setOver, route);
  const known = VIEWS[route.name] ? route.name : "overview";
  const menu = useMenu();
  useEffect(() => {
    const what = route.params.script ?? VIEWS[known][0];
    document.title = `${what} – ${health?.host ?? "schedd"}`;
  }, [known, route.params.script, health?.host]);
  return html`<a class="skip" href="#main" onClick=${(event) => { event.preventDefault(); document.getElementById("main").focus(); }}>Skip to the content</a>
    <header class=${menu.open ? "rail is-open" : "rail"} ref=${menu.box}>
      <a class="rail-brand" href=${href("overview")} aria-label="schedd, overview"><${Brand} /></a>
      <${Link} />
      <button type="button" class="rail-menu-button" aria-expanded=${menu.open ? "true" : "false"} aria-controls="menu" onClick=${menu.toggle}>
        <svg width="18" height="18" viewBox="0 0 16 16" aria-hidden="true"><path d=${menu.open ? "M3.5 3.5l9 9m0-9l-9 9" : "M2 4.500h12M2 8h12M2 11.500h12"} stroke="currentColor" stroke-width="1.600" stroke-linecap="round" /></svg>Menu</button>
      <div class="rail-menu" id="menu"><nav aria-label="Views">${NAV.map((name) => html`<a key=${name} href=${href(name)} aria-current=${name === known ? "page" : undefined}>${VIEWS[name][0]}</a>`)}</nav>
      <div class="rail-foot">
        <button type="button" class="rail-search" onClick=${() => { menu.close(); setOver("palette"); }}>Go to… <kbd>Ctrl K</kbd></button>
        <div class="rail-row"><${Theme} /><button type="button" class="rail-button" onClick=${() => { menu.close(); setOver("help"); }} aria-label="Keys">?</button><button type="button" class="rail-button" onClick=${signOut}>Sign out</button></div>
        ${health && html`<p class="rail-host">${health.host} · ${health.version}</p>`}
      </div></div>
    </header>
    <main id="main" tabindex="-1">
      <div class="banners"><${LostBanner} /><${HealthBanner} /><${PauseBanner} /><${News} /></div>
      <${Loaded} name=${known} />
    </main>
    ${over === "palette" && html`<${Palette} onClose=${() => setOver(null)} />`}
    ${over === "help" && html`<${Help} onClose=${() => setOver(null)} />`}
    <${Toasts} />`;
}

/** On a narrow screen the views stand in a menu: closed by what is chosen, by Escape and by a click beside it. */
function useMenu() {
  const [open, setOpen] = useState(false);
  const box = useRef(null);
  useEffect(() => setOpen(false), [location.hash]);
  useEffect(() => {
    if (!open) return undefined;
    const away = (event) => { if (!box.current.contains(event.target)) setOpen(false); };
    const escape = (event) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      box.current.querySelector(".rail-menu-button").focus();
    };
    addEventListener("pointerdown", away);
    addEventListener("keydown", escape);
    return () => { removeEventListener("pointerdown", away); removeEventListener("keydown", escape); };
  }, [open]);
  return { open, box, toggle: () => setOpen(!open), close: () => setOpen(false) };
}

function Loaded({ name }) {
  const [found, setFound] = useState({});
  useEffect(() => {
    let alive = true;
    VIEWS[name][1]().then(
      (module) => alive && setFound({ name, View: module.default }),
      () => alive && setFound({ name, error: new Error("This view could not be loaded. Is schedd running?") }),
    );
    scrollTo(0, 0);
    return () => { alive = false; };
  }, [name]);
  if (found.name !== name) return html`<div class="loading" aria-busy="true"></div>`;
  if (found.error) return html`<${Problem} error=${found.error} retry=${() => location.reload()} />`;
  return html`<${found.View} key=${name} />`;
}

function Link() {
  const { state } = useLink();
  const word = { live: "live", lost: "link lost", connecting: "connecting" }[state];
  return html`<p class="link is-${state}" role="status"><span class="link-dot" aria-hidden="true"></span>${word}</p>`;
}

function LostBanner() {
  const { state, since } = useLink();
  const [late, setLate] = useState(false);
  useEffect(() => {
    setLate(false);
    if (state !== "lost") return undefined;
    const timer = setTimeout(() => setLate(true), Math.max(0, since + LOST_AFTER_MS - Date.now()));
    return () => clearTimeout(timer);
  }, [state, since]);
  if (!late) return null;
  return html`<div class="banner is-timeout" role="alert"><${Shape} tone="timeout" /><p><strong>The link is lost.</strong> What you see may be older than ${clock(new Date(since))}. It is tried again by itself.</p><${Button} kind="quiet" onClick=${retryLink}>Try now<//></div>`;
}

function HealthBanner() {
  const health = useHealth();
  if (!health || health.ready) return null;
  return html`<div class="banner is-error" role="alert"><${Shape} tone="error" /><p><strong>schedd is not ready.</strong> ${health.reasons.join(" ") || `It is ${health.phase}.`}</p></div>`;
}

function PauseBanner() {
  const all = usePauses().find((pause) => pause.all);
  if (!all) return null;
  return html`<div class="banner is-off"><${Shape} tone="off" /><p><strong>All scripts are paused</strong> by ${all.by}${all.note ? `: ${all.note}` : "."}</p><${Button} kind="quiet" onClick=${() => resume(null)}>Resume<//></div>`;
}

/** What failed while somebody was looking: the newest, and how many more. */
function News() {
  const [failed, setFailed] = useState([]);
  useEffect(() => onEvent("ended", (entry) => { if (isFailure(entry)) setFailed((before) => [entry, ...before].slice(0, 100)); }), []);
  useEffect(() => {
    if (!failed.length) return undefined;
    const timer = setTimeout(() => setFailed([]), NEWS_MS);
    return () => clearTimeout(timer);
  }, [failed]);
  const [newest] = failed;
  return html`<div aria-live="polite">${newest && html`<div class="banner is-error"><${Shape} tone="error" />
    <p><strong>${newest.scriptPath} failed.</strong> ${explain(newest.status, newest.reason, newest)}${failed.length > 1 ? ` (and ${failed.length - 1} more)` : ""}</p>
    <a class="button is-quiet" href=${runHref(newest.runId)}>Open the run</a><button type="button" class="banner-close" aria-label="Dismiss" onClick=${() => setFailed([])}>×</button></div>`}</div>`;
}

function Theme() {
  const [theme, setTheme] = useState(localStorage.getItem("schedd.theme") ?? "auto");
  const next = { auto: "light", light: "dark", dark: "auto" }[theme];
  const turn = () => { setTheme(next); dress(next); };
  return html`<button type="button" class="rail-button" onClick=${turn} aria-label=${`Theme: ${theme}. Change to ${next}`} title="Theme">
    <svg width="14" height="14" viewBox="0 0 16 16" aria-hidden="true"><circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.600" />${theme !== "light" && html`<path d=${theme === "dark" ? "M8 2a6 6 0 0 1 0 12a6 6 0 0 1 0-12Z" : "M8 2a6 6 0 0 1 0 12Z"} fill="currentColor" />`}</svg>
    ${{ auto: "Auto", light: "Light", dark: "Dark" }[theme]}</button>`;
}

function dress(theme) {
  if (theme === "auto") {
    localStorage.removeItem("schedd.theme");
    delete document.documentElement.dataset.theme;
    return;
  }
  localStorage.setItem("schedd.theme", theme);
  document.documentElement.dataset.theme = theme;
}

const LETTERS = { o: "overview", s: "schedules", l: "timeline", m: "load", h: "history", r: "reload" };

function useKeys(setOver, route) {
  const here = useRef(route);
  here.current = route;
  useEffect(() => {
    let gone = 0; // when `g` was pressed
    const pressed = (event) => {
      if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
        event.preventDefault();
        setOver("palette");
        return;
      }
      if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.key === "Escape" && event.target.matches?.("[data-search]")) event.target.blur();
      if (typing(event.target)) return;
      if (event.key === "?") setOver("help");
      else if (event.key === "g") gone = Date.now();
      else if (Date.now() - gone < 1_000 && LETTERS[event.key]) { gone = 0; event.stopImmediatePropagation(); go(href(LETTERS[event.key])); }
      else if (event.key === "/") { event.preventDefault(); search(); }
      else if (event.key === "j" || event.key === "k") step(event.key === "j" ? 1 : -1);
      else if (here.current.name === "script" && event.key === "t") { event.preventDefault(); askTrigger(here.current.params.script); }
      else if (here.current.name === "script" && event.key === "p") { event.preventDefault(); pauseOrResume(here.current.params.script); }
    };
    addEventListener("keydown", pressed, true);
    return () => removeEventListener("keydown", pressed, true);
  }, []);
}

const STEPS = "main [data-step], main .next .script-name";

/** Move the focus to the next or the previous thing of a list; Enter then opens it, as it does all links and buttons. */
function step(by) {
  const all = [...document.querySelectorAll(STEPS)];
  const at = all.indexOf(document.activeElement);
  all[at < 0 ? 0 : Math.max(0, Math.min(all.length - 1, at + by))]?.focus();
}

function pauseOrResume(script) {
  const pause = scheduleNow(script)?.pause;
  if (pause && !pause.all) resume(script);
  else askPause(script);
}

/** Go to the search of this view, else to that of the schedules. */
function search() {
  const field = document.querySelector("main [data-search]");
  if (!field) return go(href("schedules", {}, { focus: "1" }));
  field.focus();
  return field.select();
}

function typing(target) {
  return target instanceof HTMLElement && target.closest("input, textarea, select, [contenteditable]") !== null;
}

dress(localStorage.getItem("schedd.theme") ?? "auto");
takeToken();
render(html`<${App} />`, document.getElementById("app"));
