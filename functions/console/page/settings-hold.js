// A hold: while there is one, nothing of the log is removed.

import { Field } from "./controls.js";
import { useConfirm } from "./confirming.js";
import { Losses, lossesOf } from "./settings-losses.js";
import { texts } from "./texts.js";
import { Fault, Said, When, html, usePage, useState } from "./ui.js";

const words = texts.hold;

export function Hold({ settings, change }) {
  const { dialog, note, confirm } = useConfirm();
  const { hold } = settings;
  return html`<section class="card" aria-label=${words.title}>
    <h2>${words.title}</h2>
    <p>${hold ? html`<strong>${words.is}</strong>` : words.none}</p>
    ${note}
    ${hold
      ? html`<${Placed} settings=${settings} change=${change} confirm=${confirm} />`
      : html`<${Place} change=${change} confirm=${confirm} />`}
    ${dialog}
  </section>`;
}

function Place({ change, confirm }) {
  const [reason, setReason] = useState("");
  const submit = (event) => {
    event.preventDefault();
    confirm({
      title: words.placeTitle,
      sentence: html`<p>${words.placeSays}</p><p>${words.placeTold}</p>
        <p class="quiet">${texts.settings.recorded}</p>`,
      label: words.place,
      danger: false,
      act: () => change({ hold: { reason } }, words.done),
    });
  };
  return html`<form onSubmit=${submit}>
    <${Field} label=${words.reason} value=${reason} onInput=${setReason} required maxlength="1000" />
    <p class="actions"><button type="submit">${words.place}</button></p>
  </form>`;
}

function Placed({ settings, change, confirm }) {
  const { api, org } = usePage();
  const { hold, retention_days: days } = settings;
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const release = async () => {
    setError(null);
    setBusy(true);
    try {
      const losses = days === null ? null : await lossesOf(api, org, days);
      confirm({
        title: words.releaseTitle,
        sentence: html`<p>${words.releaseSays}</p>
          ${losses ? html`<${Losses} losses=${losses} words=${words} />` : html`<p>${words.releaseKeeps}</p>`}
          <p class="quiet">${texts.settings.recorded}</p>`,
        word: losses ? org : null,
        label: words.release,
        act: () => change({ hold: null }, words.released),
      });
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return html`<dl class="facts">
      <div><dt>${words.reason}</dt><dd><${Said} text=${hold.reason} /></dd></div>
      <div><dt>${words.placed}</dt><dd><${When} at=${hold.placed_at} long /></dd></div>
      <div><dt>${words.effective}</dt>
        <dd>${hold.effective_at ? html`<${When} at=${hold.effective_at} long />` : words.notYet}</dd></div>
    </dl>
    ${error && html`<${Fault} error=${error} />`}
    <p class="actions">
      <button type="button" class="danger" disabled=${busy} onClick=${release}>
        ${busy ? texts.actions.working : words.release}
      </button>
    </p>`;
}
