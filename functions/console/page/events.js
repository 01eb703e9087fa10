// The view of the log: search, picture, facets, list, and the event that is open.

import { asked } from "./address.js";
import { Detail } from "./detail.js";
import { Download } from "./download.js";
import { Facets } from "./facets.js";
import { useKeys } from "./keyboard.js";
import { Foot, List } from "./list.js";
import { useLog } from "./log.js";
import { Picture } from "./picture.js";
import { mistake, Search } from "./search.js";
import { texts } from "./texts.js";
import { MINUTE } from "./time.js";
import { useTimeline } from "./timeline.js";
import { html, useEffect, useMemo, useNarrow, usePage, useState } from "./ui.js";

export function Events() {
  const { api, org, who, state, go } = usePage();
  const [reload, setReload] = useState(0);
  const filter = [state.q, state.since, state.until, state.last, state.hidden].join("\n");
  // `last` counts back from the moment when it was asked for.
  const parameters = useMemo(() => asked(state), [filter, reload]);
  const isFiltered = filter.trim() !== "";
  const log = useLog(api, org, parameters, { reload, quiet: who.records_reads });
  // The list first: what is asked beside it waits, and a function would have to start for it.
  const types = useTypes(api, log.isBegun);
  const counted = useTimeline(api, org, log.isBegun ? parameters : null, reload);
  const { told } = counted;
  const [active, setActive] = useState(null);
  const [focus, setFocus] = useState(0);
  const [isAsking, setIsAsking] = useState(false);
  useEffect(() => setActive(null), [log]);
  useMinutes();

  const opened = log.events.findIndex((event) => event.id === state.event);
  const show = () => {
    setReload((count) => count + 1);
    scrollTo(0, 0);
    toHeading();
  };
  const open = (event, index) => {
    setActive(index);
    go({ event: event.id });
  };
  const close = () => {
    go({ event: "" });
    if (active === null) toHeading();
    setFocus((count) => count + 1);
  };
  const move = (by) => {
    const from = opened >= 0 ? opened : active;
    const to = from === null ? 0 : Math.min(Math.max(from + by, 0), log.events.length - 1);
    if (log.events.length === 0) return;
    if (to === log.events.length - 1) log.more();
    setActive(to);
    if (state.event) go({ event: log.events[to].id }, { replace: true });
    setFocus((count) => count + 1);
  };
  useKeys({
    j: () => move(1),
    k: () => move(-1),
    n: () => log.news.count > 0 && show(),
    "/": () => document.querySelector("input.query").focus(),
    Escape: () => state.event && close(),
  });

  const known = useMemo(() => suggested(types, told, log.events), [types, told, log.events]);
  const isBadQuery = mistake(log.error) !== null && log.events.length === 0;
  const isCovered = useNarrow() && state.event !== "";
  const isCounted = told && !counted.isOld && !counted.error;
  return html`
    <div inert=${isCovered}><${Search} known=${known} error=${log.error} />
    ${!isBadQuery && html`<${Picture} ...${counted} again=${() => setReload((count) => count + 1)} />`}</div>
    <div class=${`columns ${isBadQuery ? "alone" : ""} ${state.event ? "with-detail" : ""}`}>
      ${!isBadQuery && html`<${Facets} told=${counted.error ? null : told} isOld=${counted.isOld} isCovered=${isCovered} />`}
      <section class="log" inert=${isCovered} aria-label=${texts.list.label} aria-busy=${log.phase === "loading"}>
        <header class="row">
          <h2 id="events" tabindex="-1">${texts.list.label}</h2>
          <span class="quiet">${isCounted && texts.list.count(log.events.length, told.total, told.exact)}</span>
          <span class="space"></span>
          <button type="button" onClick=${show}>${texts.list.refresh}</button>
          <button type="button" onClick=${() => setIsAsking(true)}>${texts.list.download}</button>
        </header>
        ${who.records_reads && html`<p class="notice">${texts.list.readsRecorded}</p>`}
        <div class="news" role="status">
          ${log.news.count > 0 &&
          html`<button type="button" class="primary" onClick=${show}>${texts.list.fresh(log.news.count, log.news.more)}</button>`}
        </div>
        <${List} log=${log} active=${active} opened=${state.event} onOpen=${open} onReach=${setActive} focus=${state.event ? 0 : focus} />
        ${!isBadQuery && html`<${Foot} log=${log} isFiltered=${isFiltered} />`}
      </section>
      ${state.event && html`<${Detail} id=${state.event} listed=${log.events[opened]} onClose=${close}
        step=${opened >= 0 ? move : null} />`}
    </div>
    ${isAsking && html`<${Download} onClose=${() => setIsAsking(false)} />`}
  `;
}

/** Draws anew each minute, since what is said of times changes with them. */
function useMinutes() {
  const [, say] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => say((count) => count + 1), MINUTE);
    return () => clearInterval(timer);
  }, []);
}

/** The catalog, for suggestions, once it `may` be asked for; without it there are none of types. */
function useTypes(api, may) {
  const [types, setTypes] = useState([]);
  const isWanted = may && types.length === 0;
  useEffect(() => {
    if (isWanted) api.get("v1/event-types").then((told) => setTypes(told.event_types), () => {});
  }, [api, isWanted]);
  return types;
}

// What had the focus is gone, or will be; the keyboard goes on here.
const toHeading = () => document.getElementById("events").focus({ preventScroll: true });

// Who acted most, then who acted last.
function suggested(types, told, events) {
  const actors = new Map((told?.actors ?? []).map(({ id, name }) => [id, { id, name }]));
  for (const { actor } of events.slice(0, 500)) {
    if (actor && !actors.has(actor.id)) actors.set(actor.id, { id: actor.id, name: actor.name });
  }
  const countries = new Set((told?.countries ?? []).map(({ country }) => country));
  for (const { location } of events.slice(0, 500)) if (location?.country) countries.add(location.country);
  return { types, actors: [...actors.values()], countries: [...countries] };
}
