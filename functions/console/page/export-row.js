// A download as the page shows it: what it holds, how far it is, and how its file is had.

import { Fragment, Said, html, usePage } from "./ui.js";
import { Problem } from "./api.js";
import { short } from "./time.js";
import { texts } from "./texts.js";

const words = texts.contents;

/** Whether something is still to be done for it. */
export const isUnderWay = (made) => made.state === "queued" || made.state === "running";

/** A filter as the API shows it, each parameter with a list of texts. */
export function Contents({ filter }) {
  const { zone } = usePage();
  const has = (name) => (filter[name] ?? []).length > 0;
  const time = (name) => short(Date.parse(filter[name][0]), zone);
  const parts = [];
  if (has("q")) parts.push(html`${words.matching} <code><${Said} text=${filter.q[0]} /></code>`);
  for (const [name, label] of Object.entries(words.names)) {
    if (has(name)) parts.push(html`${words.with(label)} <${Either} values=${filter[name]} />`);
  }
  if (has("since")) parts.push(words.since(time("since")));
  if (has("until")) parts.push(words.until(time("until")));
  if (parts.length === 0) parts.push(words.whole);
  if (has("include_hidden")) parts.push(filter.include_hidden[0] === "true" ? words.hidden : words.visible);
  return html`<span class="contents">${parts.map(
    (part, at) => html`<${Fragment}>${at > 0 && ", "}${part}<//>`,
  )}</span>`;
}

function Either({ values }) {
  return values.map(
    (value, at) => html`<${Fragment}>${at > 0 && ` ${words.or} `}<code><${Said} text=${value} /></code><//>`,
  );
}

/** How far an export is. */
export function Progress({ made }) {
  // Until the log is cut into slices nothing is known, and the bar says so.
  const fraction = made.state === "running" && made.progress.fraction > 0 ? made.progress.fraction : null;
  return html`<p class="progress">
    <progress max="1" value=${fraction} aria-label=${texts.exports.progress}></progress>
    <span class="quiet">${texts.exports.states[made.state]}: ${texts.exports.soFar(made.progress.events)}</span>
  </p>`;
}

/** Downloads the file of an export, or another of its links. Fails where it is not there. */
export async function fetchFile(api, path, link = "download_url") {
  // A link lives for minutes only: the one in a list may be dead by now.
  const made = await api.get(path);
  if (!made[link]) throw new Problem(410, texts.exports.gone);
  leaveFor(made[link]);
}

/** Goes to an address that answers with an attachment: the page stays where it is. */
export const leaveFor = (url) => location.assign(url);
