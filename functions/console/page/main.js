// The page: who is in, what is looked at, and the bar above it.

import * as address from "./address.js";
import { connect, Problem } from "./api.js";
import { SHORTCUTS, THEMES, useChoice, ZONES } from "./choices.js";
import { config } from "./config.js";
import { Entry } from "./entry.js";
import { Events } from "./events.js";
import { Exports } from "./exports.js";
import { Shortcuts, useKeys } from "./keyboard.js";
import * as oidc from "./oidc.js";
import { Settings } from "./settings.js";
import { language, texts } from "./texts.js";
import { until } from "./time.js";
import { html, Page, render, Said, useCallback, useEffect, useMemo, useNarrow, useState } from "./ui.js";

const NEEDS = { events: "events:read", exports: "exports:create", settings: "org:admin" };
const SHOWS = { events: Events, exports: Exports, settings: Settings };
const KEPT = "auditlog-session";
const LONGEST_TIMER = 2 ** 31 - 1;

// A session is short and can only read: this tab keeps it while it is open, so that a
// reload does not end it. A key, or an issuer's token, is in memory alone.
const session = {
  get: () => sessionStorage.getItem(KEPT),
  keep: (token) => token.startsWith("als_") && sessionStorage.setItem(KEPT, token),
  drop: () => sessionStorage.removeItem(KEPT),
};

/** The session of a link, which leaves the address before anybody can share it. */
function fromLink() {
  const found = /^#session=(als_[0-9A-Za-z_]+)$/.exec(location.hash);
  if (found) history.replaceState(null, "", location.pathname + location.search);
  return found?.[1] ?? null;
}

async function credential() {
  const linked = fromLink();
  if (linked) session.drop();
  return linked ?? (oidc.isAnswer() ? oidc.finish() : session.get());
}

function App() {
  // `{phase: "opening" | "out" | "in"}`, with `why` outside and `api, who` inside.
  const [inside, setInside] = useState({ phase: "opening" });
  const leave = useCallback((why) => {
    session.drop();
    // What is shown this once is not taken from under who reads it.
    const once = document.querySelector("dialog.once[open]");
    if (once) once.addEventListener("close", () => setInside({ phase: "out", why }), { once: true });
    else setInside({ phase: "out", why });
  }, []);
  const enter = useCallback(async (token) => {
    const ended = (error) => leave({ title: texts.entry.ended, text: `${error.message} ${texts.entry.endedWhy}` });
    // Until the credential is known to be good, whoever typed it is told by the form.
    let isIn = false;
    const api = connect(token, (error) => isIn && ended(error));
    const who = await api.get("v1/credential");
    check(who);
    isIn = true;
    session.keep(token);
    setInside({ phase: "in", api, who });
  }, []);
  useEffect(() => {
    credential()
      .then((token) => (token ? enter(token) : leave(null)))
      .catch((error) => leave({ error }));
    // A link that is opened in a tab where the page is already.
    const again = () => {
      const token = fromLink();
      if (token) enter(token).catch((error) => leave({ error }));
    };
    addEventListener("hashchange", again);
    return () => removeEventListener("hashchange", again);
  }, []);
  if (inside.phase === "opening") return html`<p class="opening" role="status">${texts.list.loading}</p>`;
  if (inside.phase === "out") return html`<${Entry} enter=${enter} why=${inside.why} />`;
  const renew = async () => {
    const who = await inside.api.get("v1/credential");
    setInside((was) => (was.phase === "in" ? { ...was, who } : was));
  };
  return html`<${Inside} key=${inside.who.credential.id} ...${inside} leave=${leave} renew=${renew} />`;
}

/** The state, in a view that the credential may see where it may not see the log. */
function allowed(state, { grants }) {
  if (state.view !== "events" || grants.includes(NEEDS.events)) return state;
  return { ...state, view: grants.includes(NEEDS.exports) ? "exports" : "settings" };
}

function check(who) {
  if (who.org === null) throw new Problem(403, texts.entry.platform);
  if (!["events:read", "exports:create", "org:admin"].some((grant) => who.grants.includes(grant))) {
    throw new Problem(403, texts.entry.unreadable);
  }
  const { org } = address.read();
  if (org && org !== who.org) throw new Problem(404, texts.entry.otherOrg(org, who.org));
}

function Inside({ api, who, leave, renew }) {
  const [state, setState] = useState(() => allowed(address.read(), who));
  const [theme, setTheme] = useChoice("theme", THEMES);
  const [zone, setZone] = useChoice("zone", ZONES);
  const [shortcuts, setShortcuts] = useChoice("shortcuts", SHORTCUTS);
  const [isHelping, setIsHelping] = useState(false);
  const { org } = who;
  const isNarrow = useNarrow();
  const go = useCallback((change, { replace = false } = {}) => {
    setState((was) => {
      const next = { ...was, ...change, org };
      const said = address.write(next);
      if (said !== location.search) history[replace ? "replaceState" : "pushState"](null, "", said);
      return next;
    });
  }, [org]);
  useEffect(() => {
    go({}, { replace: true });
    const back = () => setState(address.read());
    addEventListener("popstate", back);
    return () => removeEventListener("popstate", back);
  }, []);
  useEffect(() => {
    document.title = texts.title(org, texts.bar.view[state.view]);
  }, [state.view]);
  useEffect(() => {
    const left = who.expires_at ? Date.parse(who.expires_at) - Date.now() : Infinity;
    if (left > LONGEST_TIMER) return;
    const timer = setTimeout(() => leave({ title: texts.entry.ended, text: texts.entry.endedWhy }), left);
    return () => clearTimeout(timer);
  }, []);
  useKeys({
    "?": () => setIsHelping(true),
    "g e": () => go({ view: "events" }),
    "g d": () => go({ view: "exports" }),
    "g s": () => go({ view: "settings" }),
  });
  const page = useMemo(() => ({
    api, org, who, zone, state, go, renew,
    avatars: config.avatars,
    may: (grant) => who.grants.includes(grant),
  }), [api, who, zone, state]);
  const Shown = SHOWS[state.view];
  return html`<${Page.Provider} value=${page}>
    <a class="skip" href=${`#${state.view}`}>${texts.bar.skip}</a>
    <${Bar} isCovered=${isNarrow && state.view === "events" && state.event !== ""} ...${{ theme, setTheme, zone, setZone }} onHelp=${() => setIsHelping(true)}
      onLeave=${() => leave({ title: texts.entry.left, text: "" })} page=${page} />
    <main><${Shown} /></main>
    ${isHelping && html`<${Shortcuts} value=${shortcuts} set=${setShortcuts} onClose=${() => setIsHelping(false)} />`}
  <//>`;
}

function Bar({ isCovered, page, theme, setTheme, zone, setZone, onHelp, onLeave }) {
  const { org, who, state, go } = page;
  const follow = (view) => (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    go({ view, event: "" });
  };
  return html`<header class="bar" inert=${isCovered}>
    <h1>${texts.name} <span class="org"><${Said} text=${org} /></span></h1>
    <nav aria-label=${texts.bar.views}>
      ${address.VIEWS.map((view) => html`<a key=${view} href=${address.write({ ...state, view, event: "" })}
        aria-current=${view === state.view ? "page" : null} onClick=${follow(view)}>${texts.bar.view[view]}</a>`)}
    </nav>
    <span class="space"></span>
    <span class="who quiet" title=${texts.bar.signedInAs(who.actor.name ?? who.actor.id)}>
      <${Said} text=${who.actor.name ?? who.actor.id} />
      ${who.expires_at && ` ${texts.bar.until(until(who.expires_at, zone))}`}
    </span>
    <${Choice} label=${texts.bar.zone} value=${zone} set=${setZone} names=${texts.bar.zones} />
    <${Choice} label=${texts.bar.theme} value=${theme} set=${setTheme} names=${texts.bar.themes} />
    <button type="button" class="plain keys" aria-label=${texts.bar.shortcuts} title="?" onClick=${onHelp}>?</button>
    <button type="button" class="plain" onClick=${onLeave}>${texts.bar.leave}</button>
  </header>`;
}

function Choice({ label, value, set, names }) {
  return html`<select aria-label=${label} title=${label} value=${value} onChange=${(event) => set(event.target.value)}>
    ${Object.entries(names).map(([name, said]) => html`<option key=${name} value=${name}>${said}</option>`)}
  </select>`;
}

document.documentElement.lang = language;
render(html`<${App} />`, document.getElementById("page"));
