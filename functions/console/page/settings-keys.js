// The keys of the organization: what each may do, made, rotated, revoked.

import { useAnswer } from "./answers.js";
import { Select } from "./controls.js";
import { useConfirm } from "./confirming.js";
import { NewKey, Rights } from "./settings-new-key.js";
import { Secret } from "./settings-secret.js";
import { texts } from "./texts.js";
import { Dialog, Fault, Said, When, html, usePage, useState } from "./ui.js";

const words = texts.keys;
const OVERLAP = "86400";

export function Keys({ most }) {
  const { api, org } = usePage();
  const path = `v1/orgs/${org}/keys`;
  const { value, error, read } = useAnswer(api, path);
  const [made, setMade] = useState(null);
  const [rotated, setRotated] = useState(null);
  const { dialog, note, confirm } = useConfirm();
  const keys = value?.keys ?? [];
  // One that was replaced does not count, as long as it overlaps with the one that replaced it.
  const counted = keys.filter((each) => each.replaced_by === null).length;
  const isMade = (said) => async (answer) => {
    // Before all else: it is there this once, and what is asked next may fail.
    setMade(answer);
    read();
    return said;
  };
  const revoke = (key) =>
    confirm({
      title: words.revokeTitle,
      sentence: html`<${Revoking} revoked=${key} />`,
      word: typed(key),
      label: words.revoke,
      act: async () => {
        await api.remove(`${path}/${key.id}`);
        await read();
        return words.revoked;
      },
    });
  return html`<section class="card wide" aria-label=${words.title}>
    <h2>${words.title}</h2>
    <p class="quiet">${words.intro}${value !== null && ` ${words.count(counted, most)}.`}</p>
    ${note}
    ${error && html`<${Fault} error=${error} again=${read} />`}
    ${value === null && !error && html`<p class="quiet" role="status">${words.loading}</p>`}
    <ul class="things">${keys.map(
      (each) => html`<${Key} key=${each.id} shown=${each} revoke=${revoke} rotate=${setRotated} />`,
    )}</ul>
    <${NewKey} path=${path} confirm=${confirm} onMade=${isMade(words.made)} />
    ${rotated && html`<${Rotation} path=${path} rotated=${rotated} confirm=${confirm}
      onMade=${isMade(words.rotated)} onClose=${() => setRotated(null)} />`}
    ${dialog}
    ${made && html`<${Secret} title=${words.secretTitle} sentence=${words.secretSays} text=${made.secret}
      onClose=${() => setMade(null)} />`}
  </section>`;
}

function Key({ shown, revoke, rotate }) {
  const { who } = usePage();
  const isOver = shown.expires_at !== null && Date.parse(shown.expires_at) <= Date.now();
  return html`<li class="thing" data-id=${shown.id}>
    <h3><${Said} text=${shown.name} />${" "}
      ${isOver && html`<span class="badge" data-state="expired">${words.expired}</span>`}
      ${!isOver && shown.replaced_by && html`<span class="badge">${words.replaced}</span>`}
      ${isOwn(shown, who) && html`<span class="badge" data-state="ready">${words.own}</span>`}</h3>
    <dl class="facts">
      <div><dt>${words.facts.id}</dt><dd><code>${shown.id}</code></dd></div>
      <div><dt>${words.facts.grants}</dt><dd><${Rights} grants=${shown.grants} /></dd></div>
      <div><dt>${words.facts.made}</dt><dd><${When} at=${shown.created_at} /></dd></div>
      <div><dt>${words.facts.used}</dt>
        <dd>${shown.last_used_at
          ? html`<${When} at=${shown.last_used_at} /> <span class="quiet">${words.usedHint}</span>`
          : words.never}</dd></div>
      <div><dt>${words.facts.expires}</dt>
        <dd>${shown.expires_at ? html`<${When} at=${shown.expires_at} />` : words.never}</dd></div>
      ${shown.replaced_by &&
      html`<div><dt>${words.facts.replaced}</dt><dd><code>${shown.replaced_by}</code></dd></div>`}
    </dl>
    <p class="actions">
      ${!isOver && !shown.replaced_by && html`<button type="button" aria-label=${words.rotateNamed(shown.name)}
        onClick=${() => rotate(shown)}>${words.rotate}</button>`}
      <button type="button" class="danger" aria-label=${words.revokeNamed(shown.name)}
        onClick=${() => revoke(shown)}>${words.revoke}</button>
    </p>
  </li>`;
}

function Revoking({ revoked }) {
  const { who } = usePage();
  return html`<p><strong><${Said} text=${revoked.name} /></strong>, <code>${revoked.id}</code></p>
    <p>${words.revokeSays}</p>
    ${revoked.last_used_at && html`<p>${words.revokeUsed} <${When} at=${revoked.last_used_at} />.</p>`}
    ${isOwn(revoked, who) && html`<p><strong>${words.revokeOwn}</strong></p>`}`;
}

function Rotation({ path, rotated, confirm, onMade, onClose }) {
  const { api, who } = usePage();
  const [overlap, setOverlap] = useState(OVERLAP);
  const submit = (event) => {
    event.preventDefault();
    onClose();
    confirm({
      title: words.rotateTitle,
      sentence: html`<p><strong><${Said} text=${rotated.name} /></strong>, <code>${rotated.id}</code></p>
        <p>${words.rotateSays}</p><p>${words.overlap} ${words.overlaps[overlap]}.</p>
        ${isOwn(rotated, who) && html`<p><strong>${words.rotateOwn}</strong></p>`}
        <p class="quiet">${texts.settings.recorded}</p>`,
      label: words.rotate,
      danger: overlap === "0",
      act: async () =>
        onMade(await api.post(`${path}/${rotated.id}/rotation`, { overlap_seconds: Number(overlap) })),
    });
  };
  return html`<${Dialog} title=${words.rotateTitle} onClose=${onClose}>
    <form onSubmit=${submit}>
      <p>${words.rotateSays}</p>
      <${Select} label=${words.overlap} value=${overlap} onChoose=${setOverlap}
        options=${Object.entries(words.overlaps)} />
      <footer>
        <button type="button" onClick=${onClose}>${texts.actions.cancel}</button>
        <button type="submit" class="primary">${texts.settings.continue}</button>
      </footer>
    </form>
  <//>`;
}

const isOwn = (key, who) => key.id === who.credential.id;

// What has to be typed: a name that nobody could type gives way to the id.
const typed = ({ name, id }) => (/[\p{C}\p{Zl}\p{Zp}]|^\s|\s$/u.test(name) ? id : name);
