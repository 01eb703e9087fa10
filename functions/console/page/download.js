// Asking for a download: what the file will hold is said before, and then how far it is.

import { asked } from "./address.js";
import { Check, Choice } from "./controls.js";
import { Forecast } from "./download-forecast.js";
import { Contents } from "./export-row.js";
import { Making } from "./download-progress.js";
import { texts } from "./texts.js";
import { Dialog, Fault, html, useMemo, usePage, useState } from "./ui.js";

const words = texts.download;
const FORMATS = ["json", "ndjson", "csv"];
const PROFILES = ["native", "hf"];

/** A dialog; `onAsked` hears that a download was asked for. Closing it stops nothing. */
export function Download({ onClose, onAsked = () => {} }) {
  const { may } = usePage();
  const [made, setMade] = useState(null);
  const begun = (answer) => {
    setMade(answer);
    onAsked();
  };
  return html`<${Dialog} title=${words.title} onClose=${onClose} className="download">
    ${!may("exports:create")
      ? html`<p>${words.noGrant}</p>`
      : made
        ? html`<${Making} first=${made} onClose=${onClose} onEnded=${onAsked} />`
        : html`<${Ask} onClose=${onClose} onAsked=${begun} />`}
  <//>`;
}

function Ask({ onClose, onAsked }) {
  const { api, org, state } = usePage();
  // `last` counts back from now: what is told is then what is asked for.
  const shown = useMemo(() => filterOf(asked(state)), []);
  const isFiltered = Object.keys(shown).length > 0;
  const [what, setWhat] = useState(isFiltered ? "shown" : "whole");
  // What is shown is what is downloaded; the whole log is all of it.
  const [hidden, setHidden] = useState(!isFiltered || Boolean(state.hidden));
  const [form, setForm] = useState({ format: "json", gzip: true, profile: "native", bom: false });
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(null);
  const choose = (next) => {
    setWhat(next);
    setHidden(next === "whole" || Boolean(state.hidden));
  };
  const filter = what === "shown" ? shown : {};
  const told = html`<${Contents} filter=${lists(shown)} />`;
  const isCsv = form.format === "csv";
  const body = {
    format: form.format,
    compression: form.gzip ? "gzip" : "none",
    profile: form.profile,
    ...(isCsv && { bom: form.bom }),
    ...filter,
    include_hidden: hidden,
  };
  const submit = async (event) => {
    event.preventDefault();
    if (busy) return;
    setBusy(true);
    setError(null);
    try {
      onAsked(await api.post(`v1/orgs/${org}/exports`, body));
    } catch (failure) {
      setBusy(false);
      setError(failure);
    }
  };
  return html`<form onSubmit=${submit}>
    <${Choice} legend=${words.what} value=${what} onChoose=${choose} options=${[
      { value: "shown", label: words.shown, hint: isFiltered ? told : words.noFilter, disabled: !isFiltered },
      { value: "whole", label: words.whole },
    ]} />
    <${Choice} legend=${words.format} value=${form.format}
      onChoose=${(format) => setForm({ ...form, format })}
      options=${FORMATS.map((value) => ({
        value,
        label: texts.exports.forms[value],
        disabled: value === "csv" && form.profile === "hf",
        hint: value === "csv" && form.profile === "hf" ? words.hfIsJson : null,
      }))} />
    <${Choice} legend=${words.profile} value=${form.profile}
      onChoose=${(profile) => setForm({ ...form, profile })}
      options=${PROFILES.map((value) => ({
        value,
        label: words.profiles[value],
        disabled: value === "hf" && isCsv,
        hint: value === "hf" && isCsv ? words.hfIsJson : null,
      }))} />
    <div class="choices">
      <${Check} label=${words.gzip} value=${form.gzip} onChange=${(gzip) => setForm({ ...form, gzip })} />
      ${isCsv &&
      html`<${Check} label=${words.bom} value=${form.bom} onChange=${(bom) => setForm({ ...form, bom })} />`}
      <${Check} label=${words.hidden} value=${hidden} onChange=${setHidden} />
    </div>
    <${Forecast} filter=${filter} hidden=${hidden} profile=${form.profile} />
    ${error && html`<${Fault} error=${error} />`}
    <footer>
      <button type="button" onClick=${onClose}>${texts.actions.cancel}</button>
      <button type="submit" class="primary" disabled=${busy}>${busy ? texts.actions.working : words.ask}</button>
    </footer>
  </form>`;
}

// A filter as the API shows it.
const lists = (filter) => Object.fromEntries(Object.entries(filter).map(([name, value]) => [name, [value]]));

function filterOf({ q, since, until }) {
  return Object.fromEntries(Object.entries({ q, since, until }).filter(([, value]) => value));
}
