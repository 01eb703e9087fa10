// What a download will hold, as far as it can be said before it is made.

import { Said, html, useEffect, usePage, useState } from "./ui.js";
import { short } from "./time.js";
import { texts } from "./texts.js";

const words = texts.download;

/** What a filter matches, each of its parameters a text; `hidden` says whether all types. */
export function Forecast({ filter, hidden, profile }) {
  const { who, zone } = usePage();
  const { told, isCounting } = useCount(filter, hidden);
  const time = (at) => short(Date.parse(at), zone);
  return html`<section class="forecast" aria-label=${words.holds} aria-busy=${isCounting}>
    <h3>${words.holds}</h3>
    <ul>
      <li><span role="status">${
        isCounting
          ? words.counting
          : told === null
            ? words.unknown
            : told.total === 0 && told.exact
              ? words.none
              : html`<strong>${words.events(told.total, told.exact)}</strong>`
      }</span></li>
      ${told === null
        ? html`<li>${words.rangeAll}</li>`
        : told.total > 0 &&
          html`<li>${words.range(time(told.since), filter.until ? time(told.until) : words.now)}</li>`}
      <li>${hidden ? words.hiddenIn : words.hiddenOut}</li>
      ${profile === "hf" && html`<li>${words.hfLeavesOut}</li>`}
      <li>${words.recorded} <${Said} text=${who.actor.name ?? who.actor.id} />. ${words.meanwhile}</li>
    </ul>
  </section>`;
}

/** How many events a filter matches; `told` is null where that cannot be said. */
function useCount(filter, hidden) {
  const { api, org, may } = usePage();
  const [found, setFound] = useState({ told: null, isCounting: true });
  const query = { interval: "week", ...filter, include_hidden: String(hidden) };
  useEffect(() => {
    if (!may("events:read")) {
      setFound({ told: null, isCounting: false });
      return;
    }
    const asking = new AbortController();
    setFound({ told: null, isCounting: true });
    api
      .get(`v1/orgs/${org}/timeline`, query, { signal: asking.signal })
      .then((told) => setFound({ told, isCounting: false }))
      // A log that is too long to be counted at once can be downloaded all the same.
      .catch(() => asking.signal.aborted || setFound({ told: null, isCounting: false }));
    return () => asking.abort();
  }, [JSON.stringify(query)]);
  return found;
}
