// The API, as the page asks it: JSON in, JSON out, and every failure a `Problem`.

import { texts } from "./texts.js";

// The page lies at `<base>console`, this file at `<base>console/<version>/api.js`; the API
// may stand under a path, so nothing here begins with a slash.
const BASE = new URL("../../", import.meta.url);
const TRIES = 3;
const LONGEST_WAIT = 10;
const PATIENCE = 35_000;

/** What went wrong. `status` is 0 where no answer came; `errors` name places (RFC 9457). */
export class Problem extends Error {
  constructor(status, message, { errors = [], requestId = null, retryAfter = null } = {}) {
    super(message);
    this.name = "Problem";
    this.status = status;
    this.errors = errors;
    this.requestId = requestId;
    this.retryAfter = retryAfter;
  }
}

/** The address of a path of the API, or of the page itself. */
export function address(path, query = {}) {
  const url = new URL(path, BASE);
  for (const [name, values] of Object.entries(query)) {
    for (const value of [values].flat()) {
      if (value !== null && value !== undefined && value !== "") url.searchParams.append(name, value);
    }
  }
  return url;
}

/** Asks with one credential, which is kept here and nowhere else. `onRefused` hears of a 401. */
export function connect(token, onRefused = () => {}) {
  const ask = async (method, path, { query, body, headers = {}, signal } = {}) => {
    const asked = { method, cache: "no-store", credentials: "omit", referrerPolicy: "no-referrer" };
    asked.headers = { Authorization: `Bearer ${token}`, ...headers };
    if (body !== undefined) {
      asked.headers["Content-Type"] = "application/json";
      asked.body = JSON.stringify(body);
    }
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await answer(address(path, query), asked, signal);
      } catch (error) {
        if (error.status === 401) onRefused(error);
        // Only a question may be asked again without asking whoever asked it.
        const busy = error.status === 503 || error.status === 429 || error.status === 0;
        if (!busy || method !== "GET" || attempt >= TRIES || signal?.aborted) throw error;
        await pause(Math.min(error.retryAfter ?? attempt, LONGEST_WAIT) * 1_000, signal);
      }
    }
  };
  return {
    get: (path, query, options = {}) => ask("GET", path, { query, ...options }),
    post: (path, body, options = {}) => ask("POST", path, { body, ...options }),
    patch: (path, body, options = {}) => ask("PATCH", path, { body, ...options }),
    remove: (path, options = {}) => ask("DELETE", path, options),
  };
}

async function answer(url, asked, signal) {
  let response, text;
  const patience = AbortSignal.timeout(PATIENCE);
  try {
    response = await fetch(url, { ...asked, signal: signal ? AbortSignal.any([signal, patience]) : patience });
    text = await response.text();
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new Problem(0, patience.aborted ? texts.problems.slow : texts.problems.unreachable);
  }
  let value = null;
  try {
    value = text === "" ? null : JSON.parse(text);
  } catch {
    throw new Problem(response.status, texts.problems.notJson);
  }
  if (!response.ok) {
    throw new Problem(response.status, value?.detail ?? value?.message ?? texts.problems.unknown, {
      errors: value?.errors,
      requestId: value?.request_id,
      retryAfter: Number(response.headers.get("Retry-After")) || null,
    });
  }
  // The version of what was answered, for `If-Match`; no field of the API is named so.
  const etag = response.headers.get("ETag");
  return etag === null ? value : Object.assign(value, { etag });
}

function pause(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}
