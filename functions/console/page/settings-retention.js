// How long events are kept, and how far the removal of older ones is.

import { Field } from "./controls.js";
import { useConfirm } from "./confirming.js";
import { Losses, lossesOf } from "./settings-losses.js";
import { short } from "./time.js";
import { number, texts } from "./texts.js";
import { Fault, When, html, useId, usePage, useState } from "./ui.js";

const words = texts.retention;
const FIRST = 365;

export function Retention({ settings, change }) {
  const { retention_days: days } = settings;
  const { dialog, note, confirm } = useConfirm();
  return html`<section class="card tall" aria-label=${words.title}>
    <h2>${words.title}</h2>
    <p>${days === null ? words.isForEver : words.isDays(days)}
      ${settings.hold && html` <strong>${words.holdFirst}</strong>`}</p>
    ${note}
    <${Form} key=${settings.etag} settings=${settings} change=${change} confirm=${confirm} />
    <${Run} settings=${settings} />
    ${dialog}
  </section>`;
}

function Form({ settings, change, confirm }) {
  const { api, org } = usePage();
  const { retention_days: before } = settings;
  const [isForEver, setIsForEver] = useState(before === null);
  const [typed, setTyped] = useState(String(before ?? FIRST));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const name = useId();
  const after = isForEver ? null : Number(typed);
  const submit = async (event) => {
    event.preventDefault();
    setError(null);
    const isShorter = after !== null && (before === null || after < before);
    let losses = null;
    if (isShorter && settings.hold === null) {
      setBusy(true);
      try {
        losses = await lossesOf(api, org, after);
      } catch (failure) {
        setError(failure);
        return;
      } finally {
        setBusy(false);
      }
    }
    confirm({
      title: words.askTitle,
      sentence: html`<${Sentence} after=${after} isShorter=${isShorter} losses=${losses} hold=${settings.hold} />`,
      // What goes with it cannot be had back.
      word: losses && losses.some(({ told }) => told === null || told.total > 0) ? org : null,
      label: words.act,
      danger: isShorter,
      act: () => change({ retention_days: after }, texts.settings.changed),
    });
  };
  return html`<form onSubmit=${submit}>
    <fieldset class="choices">
      <legend>${words.label}</legend>
      <label><input type="radio" name=${name} checked=${isForEver} onChange=${() => setIsForEver(true)} />
        <span>${words.forEver}</span></label>
      <label><input type="radio" name=${name} checked=${!isForEver} onChange=${() => setIsForEver(false)} />
        <span>${words.days}</span></label>
    </fieldset>
    ${!isForEver && html`<${Field} label=${words.number} type="number" min="1" max="3650" step="1" required
      value=${typed} onInput=${setTyped} />`}
    ${error && html`<${Fault} error=${error} />`}
    <p class="actions">
      <button type="submit" disabled=${busy || after === before}>
        ${busy ? texts.actions.working : texts.settings.change}
      </button>
    </p>
  </form>`;
}

function Sentence({ after, isShorter, losses, hold }) {
  return html`<p>${after === null ? words.becomesForEver : words.becomesDays(after)}</p>
    ${!isShorter && html`<p>${words.longer}</p>`}
    ${hold && html`<p>${words.holdFirst}</p>`}
    ${losses && html`<${Losses} losses=${losses} words=${words} /><p>${words.grace}</p>`}
    ${after !== null && html`<p>${words.onward}</p>`}
    ${losses && html`<p>${words.holdHint}</p>`}
    <p class="quiet">${texts.settings.recorded}</p>`;
}

function Run({ settings }) {
  const { zone } = usePage();
  const { retention, purged_before: purged } = settings;
  const time = (at) => short(Date.parse(at), zone);
  const { purge } = retention;
  return html`<h3>${words.run}</h3>
    <dl class="facts">
      ${purged && html`<div><dt>${words.purgedBefore}</dt><dd><${When} at=${purged} long /></dd></div>`}
      <div><dt>${words.removed}</dt><dd>${number(retention.removed)}</dd></div>
      <div><dt>${words.lastRun}</dt>
        <dd>${retention.last_run_at ? html`<${When} at=${retention.last_run_at} />` : words.never}</dd></div>
    </dl>
    ${purge && html`<p>${words.purge(purge.events, time(purge.from), time(purge.until))}</p>`}
    <p class="quiet">${retention.last_run_at === null ? words.first : retention.state === "current" ? words.current : words.working}</p>
    ${retention.behind && html`<p class="fault">${words.behind}</p>`}`;
}
