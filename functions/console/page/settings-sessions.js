// Sessions: who may read the log for a while, opened and ended.

import { address } from "./api.js";
import { useAnswer } from "./answers.js";
import { Field } from "./controls.js";
import { useConfirm } from "./confirming.js";
import { Secret } from "./settings-secret.js";
import { texts } from "./texts.js";
import { Fault, Said, When, html, usePage, useState } from "./ui.js";

const words = texts.sessions;
const EMPTY = { id: "", name: "", minutes: "60" };

export function Sessions() {
  const { api, org } = usePage();
  const path = `v1/orgs/${org}/sessions`;
  const { value, error, read } = useAnswer(api, path);
  const [opened, setOpened] = useState(null);
  const { dialog, note, confirm } = useConfirm();
  const sessions = value?.sessions ?? [];
  const end = ({ id, actor }) =>
    confirm({
      title: words.endTitle,
      sentence: html`<p>${words.endSays} <${Person} actor=${actor} /></p>`,
      label: words.end,
      act: async () => {
        await api.remove(`${path}/${id}`);
        await read();
        return words.done;
      },
    });
  const open = async (body) => {
    const answer = await api.post(path, body);
    // Before all else: its link is there this once, and what is asked next may fail.
    setOpened(answer);
    read();
    return words.opened;
  };
  return html`<section class="card wide" aria-label=${words.title}>
    <h2>${words.title}</h2>
    <p class="quiet">${words.intro}</p>
    ${note}
    ${error && html`<${Fault} error=${error} again=${read} />`}
    ${value === null && !error && html`<p class="quiet" role="status">${words.loading}</p>`}
    ${value !== null && sessions.length === 0 && html`<p>${words.nothing}</p>`}
    <ul class="things">${sessions.map((each) => html`<${Session} key=${each.id} shown=${each} end=${end} />`)}</ul>
    <${NewSession} confirm=${confirm} open=${open} />
    ${dialog}
    ${opened && html`<${Secret} title=${words.linkTitle} sentence=${words.linkSays}
      text=${address(opened.link.slice(1)).href} onClose=${() => setOpened(null)}>
      <p><${Person} actor=${opened.actor} /></p>
    <//>`}
  </section>`;
}

function Session({ shown, end }) {
  const isOver = Date.parse(shown.expires_at) <= Date.now();
  const { actor } = shown;
  return html`<li class="thing" data-id=${shown.id}>
    <h3><${Person} actor=${actor} />${" "}
      ${isOver && html`<span class="badge" data-state="expired">${words.ended}</span>`}</h3>
    <dl class="facts">
      <div><dt>${words.facts.opened}</dt><dd><${When} at=${shown.created_at} /></dd></div>
      <div><dt>${words.facts.until}</dt><dd><${When} at=${shown.expires_at} long /></dd></div>
    </dl>
    ${!isOver && html`<p class="actions"><button type="button" class="danger"
      aria-label=${words.endNamed(actor.name ?? actor.id)} onClick=${() => end(shown)}>${words.end}</button></p>`}
  </li>`;
}

function Person({ actor }) {
  if (!actor.name || actor.name === actor.id) return html`<strong><${Said} text=${actor.id} /></strong>`;
  return html`<strong><${Said} text=${actor.name} /></strong> <code><${Said} text=${actor.id} /></code>`;
}

function NewSession({ confirm, open }) {
  const [form, setForm] = useState(EMPTY);
  const [count, setCount] = useState(0);
  const set = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const submit = (event) => {
    event.preventDefault();
    const actor = { id: form.id, ...(form.name && { name: form.name }) };
    const minutes = Number(form.minutes);
    confirm({
      title: words.openTitle,
      sentence: html`<p>${words.openSays(words.time(minutes))} <${Person} actor=${actor} />.</p>
        <p class="quiet">${texts.settings.recorded}</p>`,
      label: words.open,
      danger: false,
      act: async () => {
        const said = await open({ actor, minutes });
        setForm(EMPTY);
        setCount((before) => before + 1);
        return said;
      },
    });
  };
  return html`<details key=${count}>
    <summary>${words.open}</summary>
    <form onSubmit=${submit}>
      <${Field} label=${words.id} hint=${words.idHint} value=${form.id} onInput=${set("id")} required
        maxlength="128" />
      <${Field} label=${`${words.name} ${words.optional}`} value=${form.name} onInput=${set("name")}
        maxlength="128" />
      <${Field} label=${words.minutes} type="number" min="15" max="720" step="1" required value=${form.minutes}
        onInput=${set("minutes")} />
      <p class="actions"><button type="submit" class="primary">${texts.settings.continue}</button></p>
    </form>
  </details>`;
}
