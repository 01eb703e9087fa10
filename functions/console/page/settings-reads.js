// Whether it is recorded who reads the log.

import { useConfirm } from "./confirming.js";
import { texts } from "./texts.js";
import { html } from "./ui.js";

const words = texts.reads;

export function Reads({ settings, change }) {
  const { dialog, note, confirm } = useConfirm();
  const { record_reads: is } = settings;
  const label = is ? words.off : words.on;
  const ask = () =>
    confirm({
      title: `${label}?`,
      sentence: html`<p>${is ? words.offSays : words.onSays}</p><p class="quiet">${texts.settings.recorded}</p>`,
      label,
      danger: is,
      act: () => change({ record_reads: !is }, texts.settings.changed),
    });
  return html`<section class="card" aria-label=${words.title}>
    <h2>${words.title}</h2>
    <p>${is ? words.is : words.isNot}</p>
    ${note}
    <p class="actions"><button type="button" onClick=${ask}>${label}</button></p>
    ${dialog}
  </section>`;
}
