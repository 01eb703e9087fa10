// What a retention of so many days takes away at once: said before it is set.

import { html, usePage } from "./ui.js";
import { DAY, MINUTE, exact, text } from "./time.js";
import { events, texts } from "./texts.js";

/** What is past its retention is kept for so long, in case that a longer one is set; less
 * what the clocks of the API and of its table may differ by. */
const GRACE = 7 * DAY - 5 * MINUTE;

/** What `days` would hide, and what of that is gone for good: `[{before, told}, …]`.
 *
 * `told` is the API's count of what happened before, or null where it cannot be counted.
 */
export function lossesOf(api, org, days, now = Date.now()) {
  const until = now - days * DAY;
  return Promise.all([until, until - GRACE].map((before) => counted(api, org, before)));
}

async function counted(api, org, before) {
  const query = { interval: "week", until: text(before), include_hidden: "true" };
  try {
    return { before, told: await api.get(`v1/orgs/${org}/timeline`, query) };
  } catch (error) {
    if (error.status === 400 || error.status === 403) return { before, told: null };
    throw error;
  }
}

/** Both losses as sentences; `words` has `hidden` and `gone`. */
export function Losses({ losses: [hidden, gone], words }) {
  const { zone } = usePage();
  const time = (moment) => exact(text(moment), zone);
  return html`<p>${words.hidden(time(hidden.before), count(hidden.told))}</p>
    <p><strong>${words.gone(time(gone.before), count(gone.told))}</strong></p>`;
}

function count(told) {
  if (told === null) return texts.settings.unknownCount;
  return told.exact ? events(told.total) : texts.settings.atLeast(told.total);
}
