// Where one is: the part of the address behind `#`, so that nothing of it ever reaches the server.

import { useEffect, useState } from "./vendor/hooks.mjs";

export const DEFAULT = "overview";
// What follows the name of a view, and may itself have slashes in it: a script's path does.
const TAILS = { script: "script", run: "runId" };
const listeners = new Set();
let current = parse(location.hash);

addEventListener("hashchange", () => {
  current = parse(location.hash);
  for (const listener of listeners) listener(current);
});

function parse(hash) {
  const [path, query = ""] = cut(hash.replace(/^#\/?/, ""), "?");
  const [name, tail = ""] = cut(path, "/");
  const params = {};
  if (TAILS[name] && tail) params[TAILS[name]] = tail.split("/").map(decoded).join("/");
  return { name: name || DEFAULT, params, query: new URLSearchParams(query) };
}

function cut(text, mark) {
  const at = text.indexOf(mark);
  return at < 0 ? [text] : [text.slice(0, at), text.slice(at + mark.length)];
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** {name, params, query} of the address, anew with each change of it. */
export function useRoute() {
  const [route, setRoute] = useState(current);
  useEffect(() => {
    setRoute(current);
    listeners.add(setRoute);
    return () => listeners.delete(setRoute);
  }, []);
  return route;
}

/** The address of a view: `href("script", { script: "a/b.py" })`, `href("history", {}, { status: "error" })`. */
export function href(name, params = {}, query = {}) {
  const tail = TAILS[name] ? params[TAILS[name]] : null;
  const path = tail ? `/${String(tail).split("/").map(encodeURIComponent).join("/")}` : "";
  const asked = new URLSearchParams(query instanceof URLSearchParams ? query : Object.entries(query).filter(([, value]) => value != null && value !== ""));
  const search = asked.toString();
  return `#/${name === DEFAULT ? "" : name}${path}${search ? `?${search}` : ""}`;
}

/** Go to an address that `href` made; `replace` leaves no step to go back to. */
export function go(hash, { replace = false } = {}) {
  if (hash === location.hash) return;
  if (!replace) {
    location.hash = hash;
    return;
  }
  history.replaceState(null, "", hash);
  current = parse(hash);
  for (const listener of listeners) listener(current);
}
