// What the API answers to a question that a part of the page asks when it appears.

import { useCallback, useEffect, useRef, useState } from "./ui.js";

const FIRST_WAIT = 1_000;
const LONGEST_WAIT = 5_000;
const SLOWER = 1.4;

/** The answer at a path: `{value, error, read()}`; `value` is null until there is one.
 *
 * `read` asks again; it never fails, and is done once the answer is shown. Of two that
 * overlap the later one counts. Nothing is asked where `path` is null.
 */
export function useAnswer(api, path) {
  const [answer, setAnswer] = useState({ value: null, error: null });
  const asking = useRef(null);
  const read = useCallback(async () => {
    asking.current?.abort();
    const mine = new AbortController();
    asking.current = mine;
    try {
      const value = await api.get(path, {}, { signal: mine.signal });
      if (!mine.signal.aborted) setAnswer({ value, error: null });
    } catch (error) {
      if (!mine.signal.aborted) setAnswer((before) => ({ ...before, error }));
    }
  }, [api, path]);
  useEffect(() => {
    if (path === null) return;
    setAnswer({ value: null, error: null });
    read();
    return () => asking.current?.abort();
  }, [path, read]);
  return { ...answer, read };
}

/** Calls `ask` again and again while `isActive`: soon at first, then slower.
 *
 * Not while nobody sees the page, and never before the call before it is done.
 */
export function useRepeated(ask, isActive) {
  const latest = useRef(ask);
  latest.current = ask;
  useEffect(() => {
    if (!isActive) return;
    let wait = FIRST_WAIT;
    let ended = false;
    let timer = null;
    const go = async () => {
      if (!document.hidden) {
        await latest.current();
        wait = Math.min(wait * SLOWER, LONGEST_WAIT);
      }
      if (!ended) timer = setTimeout(go, wait);
    };
    timer = setTimeout(go, wait);
    return () => {
      ended = true;
      clearTimeout(timer);
    };
  }, [isActive]);
}
