// Which types, actors and countries are the most frequent among what is looked for.

import { has, minus, only, plus } from "./query.js";
import { plain } from "./seen.js";
import { number, texts } from "./texts.js";
import { Said, html, usePage } from "./ui.js";

// Below this width they stand above the list, and would push it out of sight.
const WIDE = matchMedia("(min-width: 1101px)");

/** `isOld` while the counts are of the search before. */
export function Facets({ told, isOld, isCovered }) {
  if (!told) return html`<nav class="facets" aria-label=${texts.facets.label}></nav>`;
  const groups = [
    ["types", "type", told.types.map(({ type, events }) => ({ value: type, events }))],
    ["actors", "actor", told.actors.map(({ id, name, events }) => ({ value: id, name, events }))],
    ["countries", "country", told.countries.map(({ country, events }) => ({ value: country, events }))],
  ];
  return html`<nav class=${`facets ${isOld ? "old" : ""}`} aria-label=${texts.facets.label} aria-busy=${isOld} inert=${isCovered}>
    ${groups.map(([name, qualifier, found]) => html`<${Group} key=${name} label=${texts.facets[name]}
      qualifier=${qualifier} found=${found} total=${told.total} />`)}
  </nav>`;
}

function Group({ label, qualifier, found, total }) {
  const { state, go } = usePage();
  return html`<details open=${WIDE.matches}>
    <summary>${label}</summary>
    ${found.length === 0 && html`<p class="quiet">${texts.facets.none}</p>`}
    <ul>${found.map(({ value, name, events }) => {
      const isOn = has(state.q, qualifier, value);
      const shown = name ?? value;
      const said = plain(shown);
      return html`<li key=${value}>
        <button type="button" class="facet" aria-pressed=${isOn} title=${name ? plain(value) : null}
          aria-label=${texts.facets.only(said, events)}
          onClick=${() => go({ q: isOn ? minus(state.q, qualifier, value) : only(state.q, qualifier, value) })}>
          <span class="name"><${Said} text=${shown} /></span>${" "}
          <span class="count">${number(events)}</span>
          <meter min="0" max=${total} value=${events} aria-hidden="true"></meter>
        </button>
        <button type="button" class="plain except" aria-label=${texts.facets.exclude(said)} title=${texts.facets.exclude(said)}
          onClick=${() => go({ q: plus(state.q, qualifier, value, true) })}>${"\u2212"}</button>
      </li>`;
    })}</ul>
  </details>`;
}
