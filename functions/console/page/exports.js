// The view of downloads: those that were asked for, newest first, and how to ask for one.

import { Fault, Said, When, html, usePage, useState } from "./ui.js";
import { useAnswer, useRepeated } from "./answers.js";
import { useConfirm } from "./confirming.js";
import { Download } from "./download.js";
import { Contents, Progress, fetchFile, isUnderWay } from "./export-row.js";
import { number, size, texts } from "./texts.js";

const words = texts.exports;
const LISTED = 100;

export function Exports() {
  const { api, org, may } = usePage();
  const path = `v1/orgs/${org}/exports`;
  const { value, error, read } = useAnswer(api, may("exports:create") ? path : null);
  const [isAsking, setAsking] = useState(false);
  const { confirm, dialog, note } = useConfirm();
  const made = value?.exports ?? [];
  useRepeated(read, made.some(isUnderWay));
  if (!may("exports:create")) {
    return html`<section class="card"><h2>${words.noGrant}</h2><p>${words.noGrantWhy}</p></section>`;
  }
  return html`<section class="part" aria-labelledby="exports">
    <header class="row">
      <h2 id="exports" tabindex="-1">${words.title}</h2>
      <button type="button" class="primary" onClick=${() => setAsking(true)}>${words.ask}</button>
    </header>
    <p class="quiet">${words.intro}</p>
    ${note}
    ${error && html`<${Fault} error=${error} again=${read} />`}
    ${value === null && !error && html`<p class="quiet" role="status">${words.loading}</p>`}
    ${value !== null && made.length === 0 &&
    html`<div class="card"><h3>${words.nothing}</h3><p>${words.nothingWhy}</p></div>`}
    <ul class="things">${made.map(
      (each) => html`<${Export} key=${each.id} made=${each} path=${`${path}/${each.id}`} read=${read}
        confirm=${confirm} />`,
    )}</ul>
    ${made.length >= LISTED && html`<p class="quiet">${words.newest(LISTED)}</p>`}
    ${isAsking && html`<${Download} onAsked=${read} onClose=${() => setAsking(false)} />`}
    ${dialog}
  </section>`;
}

function Export({ made, path, read, confirm }) {
  const { api } = usePage();
  const [error, setError] = useState(null);
  const fetched = (link) => async () => {
    setError(null);
    try {
      await fetchFile(api, path, link);
    } catch (failure) {
      setError(failure);
      read();
    }
  };
  const ended = (title, sentence, label, said) => () =>
    confirm({
      title,
      sentence: html`<p><${Contents} filter=${made.filter} /></p><p>${sentence}</p>`,
      label,
      act: async () => {
        await api.remove(path);
        await read();
        return said;
      },
    });
  return html`<li class="thing" data-id=${made.id}>
    <h3><span class="badge" data-state=${made.state}>${words.states[made.state]}</span>${" "}
      <${Contents} filter=${made.filter} /></h3>
    ${isUnderWay(made) && html`<${Progress} made=${made} />`}
    ${made.error && html`<p class="fault"><${Said} text=${made.error} /></p>`}
    <${Facts} made=${made} />
    ${error && html`<${Fault} error=${error} />`}
    <p class="actions">
      ${made.state === "ready" && html`
        <button type="button" class="primary" onClick=${fetched("download_url")}>${words.download}</button>
        ${made.manifest_url && html`<button type="button" title=${words.manifestHint}
          onClick=${fetched("manifest_url")}>${words.manifest}</button>`}
        <button type="button" class="danger"
          onClick=${ended(words.removeTitle, words.removeSays, words.remove, words.removed)}>
          ${words.remove}
        </button>`}
      ${isUnderWay(made) && html`<button type="button" class="danger"
        onClick=${ended(words.stopTitle, words.stopSays, words.stop, words.stopped)}>${words.stop}</button>`}
    </p>
  </li>`;
}

function Facts({ made }) {
  const { requested_by: by } = made;
  const form = [words.forms[made.format], words.forms[made.compression]];
  if (made.profile === "hf") form.push(words.forms.hf);
  if (made.bom) form.push(words.forms.bom);
  return html`<dl class="facts">
    <div><dt>${words.facts.by}</dt>
      <dd><${Said} text=${by.name} /> <span class="quiet">${words.credential(by.credential)}</span></dd></div>
    <div><dt>${words.facts.at}</dt><dd><${When} at=${made.created_at} /></dd></div>
    <div><dt>${words.facts.form}</dt><dd>${form.join(", ")}</dd></div>
    ${made.events !== null && html`<div><dt>${words.facts.events}</dt><dd>${number(made.events)}</dd></div>`}
    ${made.left_out > 0 &&
    html`<div><dt>${words.facts.leftOut}</dt><dd>${words.leftOut(made.left_out)}</dd></div>`}
    ${made.bytes !== null && html`<div><dt>${words.facts.bytes}</dt><dd>${size(made.bytes)}</dd></div>`}
    ${made.state === "ready" && html`<div><dt>${words.facts.until}</dt>
      <dd><${When} at=${made.expires_at} long /> (<${When} at=${made.expires_at} />)</dd></div>`}
  </dl>`;
}
