// A key that is to be made: for what, what it may, and for how long.

import { Check, Field, Select } from "./controls.js";
import { DAY, text } from "./time.js";
import { texts } from "./texts.js";
import { Fragment, Said, When, html, usePage, useState } from "./ui.js";

const words = texts.keys;
const GRANTS = Object.keys(words.grants);
const ON_A_DAY = "day";
const FOR_EVER = "never";
const EMPTY = { name: "", grants: ["events:write"], lasts: "365", day: "" };

/** What grants allow, in words. */
export function Rights({ grants }) {
  return grants.map(
    (each, at) => html`<${Fragment}>${at > 0 && ", "}<span title=${each}>${words.grants[each] ?? each}</span><//>`,
  );
}

/** `onMade` gets the API's answer, which has the key's secret, and gives what is said of it. */
export function NewKey({ path, confirm, onMade }) {
  const { api } = usePage();
  const [form, setForm] = useState(EMPTY);
  const [count, setCount] = useState(0);
  const [fault, setFault] = useState(null);
  const set = (name) => (value) => setForm((before) => ({ ...before, [name]: value }));
  const grant = (each) => (is) =>
    set("grants")(GRANTS.filter((one) => (one === each ? is : form.grants.includes(one))));
  const submit = (event) => {
    event.preventDefault();
    const expires = expiry(form, Date.now());
    const isPast = expires !== null && expires <= Date.now();
    setFault(form.grants.length === 0 ? words.needsGrant : isPast ? words.passed : null);
    if (form.grants.length === 0 || isPast) return;
    const body = { name: form.name, grants: form.grants, ...(expires !== null && { expires_at: text(expires) }) };
    confirm({
      title: words.makeTitle,
      sentence: html`<${Sentence} body=${body} />`,
      label: words.make,
      danger: false,
      act: async () => {
        const said = await onMade(await api.post(path, body));
        setForm(EMPTY);
        setCount((before) => before + 1);
        return said;
      },
    });
  };
  return html`<details key=${count}>
    <summary>${words.make}</summary>
    <form onSubmit=${submit}>
      <${Field} label=${words.name} hint=${words.nameHint} value=${form.name} onInput=${set("name")}
        required maxlength="128" />
      <fieldset class="choices">
        <legend>${words.may}</legend>
        ${GRANTS.map((each) => html`<${Check} key=${each} label=${words.grants[each]} hint=${each}
          value=${form.grants.includes(each)} onChange=${grant(each)} />`)}
      </fieldset>
      <div class="row">
        <${Select} label=${words.lasts} value=${form.lasts} onChoose=${set("lasts")}
          options=${Object.entries(words.lastings)} />
        ${form.lasts === ON_A_DAY && html`<${Field} label=${words.day} type="date" required value=${form.day}
          onInput=${set("day")} />`}
      </div>
      ${fault && html`<p class="fault" role="alert">${fault}</p>`}
      <p class="actions"><button type="submit" class="primary">${texts.settings.continue}</button></p>
    </form>
  </details>`;
}

function Sentence({ body }) {
  return html`<p><strong><${Said} text=${body.name} /></strong></p>
    <p>${words.makeSays} <${Rights} grants=${body.grants} />.</p>
    <p>${body.expires_at ? html`${words.makeUntil} <${When} at=${body.expires_at} long />.` : words.makeForEver}</p>
    <p class="quiet">${texts.settings.recorded}</p>`;
}

function expiry({ lasts, day }, now) {
  if (lasts === FOR_EVER) return null;
  if (lasts === ON_A_DAY) return Date.parse(`${day}T00:00:00Z`) + DAY;
  return now + Number(lasts) * DAY;
}
