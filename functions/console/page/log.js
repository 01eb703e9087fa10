// The events that were loaded, newest first, a page after the other; and whether newer ones
// have come. What has been loaded never moves under the reader.

import { MINUTE, text } from "./time.js";
import { useEffect, useMemo, useState } from "./ui.js";

// Few at first, so that they are there soon; then as many as one answer may hold in comfort.
const FIRST = 60;
const MORE = 500;
const NEWS = 100;
// Events may be dated so far ahead of their coming, or come so much later than they are
// dated: a queue, a clock. What comes later still is there when the list is read anew.
const LATE = 20 * MINUTE;
const NEWS_EVERY = 15_000;

/** Reads one filtered log. `say` is called after every change of what it shows. */
class Log {
  constructor(api, org, parameters, say) {
    this.path = `v1/orgs/${org}/events`;
    this.api = api;
    this.parameters = parameters;
    this.say = say;
    this.abort = new AbortController();
    /** `loading`, `idle`, `end` or `failed` */
    this.phase = "idle";
    this.events = [];
    this.cursor = null;
    this.error = null;
    this.news = { count: 0, more: false };
    this.begun = Date.now();
  }

  /** Whether the first page has come, or failed. */
  get isBegun() {
    return this.events.length > 0 || this.cursor !== null || this.phase === "end" || this.phase === "failed";
  }

  get signal() {
    return this.abort.signal;
  }

  /** Loads the next page; also again where that failed. Does nothing at the end. */
  async more() {
    if (this.phase === "loading" || this.phase === "end") return;
    this.#set("loading");
    const limit = this.events.length === 0 && this.cursor === null ? FIRST : MORE;
    try {
      const query = { ...this.parameters, limit, cursor: this.cursor };
      const page = await this.api.get(this.path, query, { signal: this.signal });
      // A page may be empty and still not be the last: it only says how far was read.
      this.events = this.events.concat(page.events);
      this.cursor = page.next_cursor;
      this.#set(page.next_cursor === null ? "end" : "idle");
    } catch (error) {
      if (!this.signal.aborted) this.#set("failed", error);
    }
  }

  /** Asks how many events have come since, as far as they belong above what is shown last. */
  async look() {
    const { until } = this.parameters;
    if (this.phase === "loading" || this.phase === "failed" || Date.parse(until) < Date.now()) return;
    const query = { ...this.parameters, limit: NEWS };
    const from = Math.min(Date.parse(this.events[0]?.occurred_at ?? 0), this.begun - LATE);
    if (!(Date.parse(query.since) > from)) query.since = text(from);
    const last = this.phase === "end" ? "" : (this.events.at(-1)?.id ?? "");
    try {
      const page = await this.api.get(this.path, query, { signal: this.signal });
      const known = new Set(this.events.slice(0, 10 * NEWS).map((event) => event.id));
      const count = page.events.filter((event) => event.id > last && !known.has(event.id)).length;
      if (count !== this.news.count) {
        this.news = { count, more: count > 0 && page.next_cursor !== null };
        this.say();
      }
    } catch {
      // Nobody asked for this; whatever is wrong is said when somebody asks.
    }
  }

  end() {
    this.abort.abort();
  }

  #set(phase, error = null) {
    this.phase = phase;
    this.error = error;
    if (!this.signal.aborted) this.say();
  }
}

/** The log that `parameters` ask for, as it is now; `look()` and `more()` change it.
 *
 * `reload` with another number reads it anew. New events are looked for while the page is
 * seen, unless `quiet`.
 */
export function useLog(api, org, parameters, { reload, quiet }) {
  const [, say] = useState(0);
  const asked = JSON.stringify(parameters);
  const log = useMemo(
    () => new Log(api, org, parameters, () => say((count) => count + 1)),
    [api, org, asked, reload],
  );
  useEffect(() => {
    log.more();
    return () => log.end();
  }, [log]);
  useEffect(() => {
    if (quiet) return;
    const timer = setInterval(() => document.hidden || log.look(), NEWS_EVERY);
    return () => clearInterval(timer);
  }, [log, quiet]);
  return log;
}
