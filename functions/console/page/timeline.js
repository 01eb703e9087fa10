// Counts over time of what is looked for, as the API has them.

import { useEffect, useState } from "./ui.js";
import { DAY } from "./time.js";

const BY_HOUR = 4 * DAY;
const BY_DAY = 1_000 * DAY;
const FEW = 4;

/** The timeline of `parameters` (null: not yet): `{told}`, `{error}`, or neither while it is
 * asked for. What was told stays until there is something new. */
export function useTimeline(api, org, parameters, reload) {
  const [known, setKnown] = useState({});
  const asked = JSON.stringify(parameters);
  useEffect(() => {
    if (parameters === null) return;
    const abort = new AbortController();
    timeline(api, org, parameters, abort.signal)
      .then((told) => setKnown({ told, asked }))
      .catch((error) => abort.signal.aborted || setKnown(({ told }) => ({ told, error, asked })));
    return () => abort.abort();
  }, [api, org, asked, reload]);
  return { ...known, isOld: known.asked !== asked };
}

// The finest intervals that give a picture: the API takes hours, days and weeks.
async function timeline(api, org, parameters, signal) {
  const ask = (interval) => api.get(`v1/orgs/${org}/timeline`, { ...parameters, interval }, { signal });
  if (parameters.since) {
    const until = parameters.until ? Date.parse(parameters.until) : Date.now();
    const length = until - Date.parse(parameters.since);
    return ask(length <= BY_HOUR ? "hour" : length <= BY_DAY ? "day" : "week");
  }
  let told;
  try {
    told = await ask("day");
  } catch (error) {
    const isTooFine = error.errors?.some((each) => each.parameter === "interval");
    if (!isTooFine) throw error;
    return ask("week");
  }
  return told.buckets.length > 0 && told.buckets.length < FEW ? ask("hour") : told;
}
