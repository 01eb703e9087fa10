// What is looked at, as it stands in the address of the page: a link is a view.

export const VIEWS = ["events", "exports", "settings"];
const ORG = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const FIELDS = ["org", "view", "q", "since", "until", "last", "hidden", "event"];

/** The state of an address: `{org, view, q, since, until, last, hidden, event}`, all texts. */
export function read(search = location.search) {
  const given = new URLSearchParams(search);
  const state = Object.fromEntries(FIELDS.map((name) => [name, given.get(name) ?? ""]));
  if (!VIEWS.includes(state.view)) state.view = "events";
  // What is no name of an org is nobody's, and is not repeated.
  if (!ORG.test(state.org)) state.org = "";
  return state;
}

/** The query string of a state, shortest first: what is empty is left out. */
export function write(state) {
  const said = new URLSearchParams();
  for (const name of FIELDS) {
    const value = name === "view" && state.view === "events" ? "" : state[name];
    if (value) said.set(name, value);
  }
  return said.size > 0 ? `?${said}` : location.pathname;
}

const LASTS = { h: 3_600_000, d: 86_400_000 };

/** The parameters of the API that a state asks for. `last` (`24h`, `7d`) counts back from `now`. */
export function asked(state, now = Date.now()) {
  const last = /^(\d{1,4})([hd])$/.exec(state.last);
  // What is no such time is passed on, so that the API says what is wrong with it.
  const since = last ? new Date(now - last[1] * LASTS[last[2]]).toISOString() : state.last || state.since;
  return {
    q: state.q.trim(),
    since,
    until: last ? "" : state.until,
    include_hidden: state.hidden ? "true" : "",
  };
}
