// The one door to the daemon: every request of the page goes through here, with its token in a header.
//
// A header and not a cookie: no other page can make a browser send it, so there is nothing to forge. The token is
// kept for this tab only (sessionStorage). `#token=…` in the address is taken and wiped before anything is drawn.

const ROOT = "/api/v1/exec/";
const KEY = "schedd.token";
const MOST_KEPT = 40;

const kept = new Map(); // address -> {etag, data}: an unchanged answer is neither sent nor parsed again
const signedOut = new Set();

/** An answer that is no success, or none at all (`status` 0). */
export class ApiError extends Error {
  constructor(status, code, sentence, details = {}) {
    super(sentence);
    this.name = "ApiError";
    this.status = status;
    this.code = code;
    this.details = details;
  }
}

export function token() {
  return sessionStorage.getItem(KEY);
}

export function setToken(value) {
  kept.clear();
  if (value) sessionStorage.setItem(KEY, value);
  else sessionStorage.removeItem(KEY);
}

/** Take the token out of the address, if there is one, and leave no trace of it there. */
export function takeToken() {
  const found = /^#token=([^&]+)/.exec(location.hash);
  if (!found) return;
  setToken(decodeURIComponent(found[1]));
  history.replaceState(null, "", "#/");
}

/** Call back when the daemon does not, or no longer, know the token. Returns what ends that. */
export function onSignedOut(callback) {
  signedOut.add(callback);
  return () => signedOut.delete(callback);
}

export function signOut() {
  setToken(null);
  for (const callback of signedOut) callback(null);
}

/** GET; `params` are the query, an array repeats its key, null and undefined are left out. */
export async function get(path, params, { signal } = {}) {
  const url = address(path, params);
  const before = kept.get(url);
  const response = await asked(url, { headers: before ? { "If-None-Match": before.etag } : {}, signal });
  if (response.status === 304 && before) {
    kept.delete(url);
    kept.set(url, before);
    return before.data;
  }
  const data = await decoded(response);
  const etag = response.headers.get("ETag");
  if (etag) keep(url, { etag, data });
  return data;
}

/** POST; answers that are no success are thrown. */
export async function post(path, body = {}) {
  const headers = { "Content-Type": "application/json" };
  return decoded(await asked(address(path), { method: "POST", headers, body: JSON.stringify(body) }));
}

/**
 * Follow a stream of events until it ends: resolves with the last id, throws when it breaks.
 * `onEvent(type, data, id)`; data is parsed when it is JSON, else the text that it is.
 */
export async function stream(path, { onEvent, onOpen, signal, lastEventId, params }) {
  const headers = { Accept: "text/event-stream", ...(lastEventId != null ? { "Last-Event-ID": String(lastEventId) } : {}) };
  const response = await asked(address(path, params), { headers, signal });
  if (!response.ok) await decoded(response);
  onOpen?.();
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let frame = { type: "message", data: [], id: lastEventId };
  for (;;) {
    const { value, done } = await broken(reader.read());
    if (done) return frame.id;
    const lines = (rest + value).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop();
    for (const line of lines) frame = taken(line, frame, onEvent);
  }
}

function taken(line, frame, onEvent) {
  if (line === "") {
    if (frame.data.length) onEvent(frame.type, parsed(frame.data.join("\n")), frame.id);
    return { type: "message", data: [], id: frame.id };
  }
  const at = line.indexOf(":");
  if (at === 0) {
    onEvent("comment", null, frame.id);
    return frame;
  }
  const field = at < 0 ? line : line.slice(0, at);
  const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
  if (field === "data") frame.data.push(value);
  else if (field === "event") frame.type = value;
  else if (field === "id") frame.id = value;
  return frame;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function address(path, params) {
  const query = new URLSearchParams();
  for (const [key, value] of Object.entries(params ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) if (one != null) query.append(key, one);
  }
  const text = query.toString();
  return (path.startsWith("/") ? path : ROOT + path) + (text ? `?${text}` : "");
}

async function asked(url, options) {
  const key = token();
  const headers = { ...options.headers, ...(key ? { Authorization: `Bearer ${key}` } : {}) };
  // The browser's cache would answer for itself; what is kept here is kept parsed.
  const response = await broken(fetch(url, { ...options, headers, cache: "no-store", credentials: "omit", redirect: "error" }));
  if (response.status === 401) {
    const error = await failure(response);
    if (token() === key) for (const callback of signedOut) callback(error);
    throw error;
  }
  return response;
}

async function broken(promise) {
  try {
    return await promise;
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ApiError(0, "NO_ANSWER", "schedd does not answer. Is it running, and is the network up?");
  }
}

async function decoded(response) {
  if (!response.ok) throw await failure(response);
  const type = response.headers.get("Content-Type") ?? "";
  return type.includes("json") ? broken(response.json()) : broken(response.text());
}

async function failure(response) {
  try {
    const body = await response.json();
    return new ApiError(response.status, body.code, body.error, body.details ?? {});
  } catch {
    return new ApiError(response.status, "UNKNOWN", `The answer was ${response.status} ${response.statusText}`.trim());
  }
}

function keep(url, answer) {
  kept.delete(url);
  kept.set(url, answer);
  if (kept.size > MOST_KEPT) kept.delete(kept.keys().next().value);
}
