// Erasures: those that were asked for, and how far they are.

import { useAnswer, useRepeated } from "./answers.js";
import { useConfirm } from "./confirming.js";
import { NewErasure } from "./settings-new-erasure.js";
import { number, texts } from "./texts.js";
import { Fault, Said, When, html, usePage } from "./ui.js";

const words = texts.erasures;

export function Erasures({ hold }) {
  const { api, org } = usePage();
  const path = `v1/orgs/${org}/erasures`;
  const { value, error, read } = useAnswer(api, path);
  const { dialog, note, confirm } = useConfirm();
  const asked = value?.erasures ?? [];
  useRepeated(read, asked.some((each) => each.state === "running"));
  const erase = async (body) => {
    await api.post(path, body);
    await read();
    return words.asked;
  };
  return html`<section class="card wide" aria-label=${words.title}>
    <h2>${words.title}</h2>
    <p class="quiet">${words.intro}</p>
    ${note}
    ${hold ? html`<p class="notice">${words.held}</p>` : html`<${NewErasure} confirm=${confirm} erase=${erase} />`}
    ${error && html`<${Fault} error=${error} again=${read} />`}
    ${value === null && !error && html`<p class="quiet" role="status">${words.loading}</p>`}
    ${value !== null && asked.length === 0 && html`<p>${words.nothing}</p>`}
    <ul class="things">${asked.map((each) => html`<${Erasure} key=${each.id} asked=${each} />`)}</ul>
    ${dialog}
  </section>`;
}

function Erasure({ asked }) {
  const { go, may } = usePage();
  return html`<li class="thing" data-id=${asked.id}>
    <h3><span class="badge" data-state=${asked.state}>${words.states[asked.state]}</span> ${words.past[asked.of]}</h3>
    <dl class="facts">
      <div><dt>${words.facts.reason}</dt><dd><${Said} text=${asked.reason} /></dd></div>
      <div><dt>${words.facts.by}</dt><dd><${Said} text=${asked.requested_by} /></dd></div>
      <div><dt>${words.facts.at}</dt><dd><${When} at=${asked.created_at} /></dd></div>
      ${asked.completed_at &&
      html`<div><dt>${words.facts.done}</dt><dd><${When} at=${asked.completed_at} /></dd></div>`}
      <div><dt>${words.facts.events}</dt><dd>${number(asked.events)}</dd></div>
    </dl>
    ${asked.error && html`<p class="fault"><${Said} text=${asked.error} /></p>`}
    ${asked.exports.length > 0 &&
    html`<p>${words.files(asked.exports.length)}${" "}
      ${may("exports:create") && html`<button type="button" class="small"
        onClick=${() => go({ view: "exports" })}>${words.toFiles}</button>`}</p>`}
  </li>`;
}
