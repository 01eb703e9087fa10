// An erasure that is to be asked for: of whom, why, and what it will reach.

import { Choice, Field } from "./controls.js";
import { texts } from "./texts.js";
import { Fault, Said, html, usePage, useState } from "./ui.js";

const words = texts.erasures;
const OFS = ["actor", "target"];
const EMPTY = { of: "actor", id: "", type: "", reason: "" };

/** `erase` asks for it, and gives what is said of it. */
export function NewErasure({ confirm, erase }) {
  const { api, org } = usePage();
  const [form, setForm] = useState(EMPTY);
  const [ids, setIds] = useState([]);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const [count, setCount] = useState(0);
  const set = (name) => (value) => {
    setForm((before) => ({ ...before, [name]: value }));
    setIds([]);
  };
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      const found = await lookUp(api, org, form);
      setIds(found.ids);
      if (found.ids.length > 0) return;
      confirm({
        title: words.askTitle,
        sentence: html`<${Sentence} form=${form} found=${found} />`,
        word: form.id,
        label: words.label,
        act: async () => {
          const said = await erase(bodyOf(form));
          setForm(EMPTY);
          setCount((before) => before + 1);
          return said;
        },
      });
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return html`<details key=${count}>
    <summary>${words.ask}</summary>
    <form onSubmit=${submit}>
      <${Choice} legend=${words.of} value=${form.of} onChoose=${set("of")}
        options=${OFS.map((value) => ({ value, label: words.ofs[value] }))} />
      <div class="row">
        <${Field} label=${words.id} value=${form.id} onInput=${set("id")} required spellcheck=${false} />
        ${form.of === "target" && html`<${Field} label=${`${words.type} ${words.anyType}`} value=${form.type}
          onInput=${set("type")} spellcheck=${false} />`}
      </div>
      ${ids.length > 0 && html`<div class="notice" role="alert">
        <p>${words.isName}</p>
        <p class="actions">${ids.map((id) => html`<button key=${id} type="button" onClick=${() => set("id")(id)}>
          ${words.take} <code><${Said} text=${id} /></code></button>`)}</p>
      </div>`}
      <${Field} label=${words.reason} hint=${words.reasonHint} value=${form.reason} onInput=${set("reason")}
        required maxlength="1000" />
      ${error && html`<${Fault} error=${error} />`}
      <p class="actions"><button type="submit" class="danger" disabled=${busy}>
        ${busy ? texts.actions.working : words.ask}</button></p>
    </form>
  </details>`;
}

function Sentence({ form, found }) {
  return html`<p>${words.past[form.of]}: <code><${Said} text=${subjectOf(form)} /></code></p>
    <p><strong>${counted(found)}</strong></p>
    <p>${words.reaches}</p><p>${words.reachesNot}</p>
    <p class="quiet">${texts.settings.recorded}</p>`;
}

function counted({ count, exact }) {
  if (count === null) return words.unknown;
  return count === 0 && exact ? words.none : words.count(count, exact);
}

const subjectOf = ({ of, id, type }) => (of === "target" && type ? `${type}/${id}` : id);

function bodyOf({ of, id, type, reason }) {
  if (of === "actor") return { actor: id, reason };
  return { target: { id, ...(type && { type }) }, reason };
}

/** What the log has of it: `{count, exact, ids}`; `ids` are of those whose name it is alone. */
async function lookUp(api, org, form) {
  const query = { interval: "week", include_hidden: "true", [form.of]: subjectOf(form) };
  let told = null;
  try {
    told = await api.get(`v1/orgs/${org}/timeline`, query);
  } catch (error) {
    // What cannot be counted can be erased: too long a history, too long an id, no right to read.
    if (error.status !== 400 && error.status !== 403) throw error;
  }
  if (told === null) return { count: null, exact: false, ids: [] };
  if (form.of === "target") return { count: told.total, exact: told.exact, ids: [] };
  // A search finds an actor by its name, too; an erasure does not.
  const count = told.actors.find(({ id }) => id === form.id)?.events ?? 0;
  const others = told.actors.map(({ id }) => id).filter((id) => id !== form.id);
  return { count, exact: told.exact, ids: count === 0 ? others : [] };
}
