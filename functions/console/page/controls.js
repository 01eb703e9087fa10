// Controls that forms of the page share: one of several, and yes or no.

import { html, useId } from "./ui.js";

/** One of several; an option is `{value, label, hint, disabled}`. */
export function Choice({ legend, value, onChoose, options }) {
  const name = useId();
  return html`<fieldset class="choices">
    <legend>${legend}</legend>
    ${options.map(
      (each) => html`<label key=${each.value}>
        <input type="radio" name=${name} value=${each.value} checked=${each.value === value}
          disabled=${each.disabled} onChange=${() => onChoose(each.value)} />
        <span>${each.label}${each.hint && html` <span class="quiet">${each.hint}</span>`}</span>
      </label>`,
    )}
  </fieldset>`;
}

export function Check({ label, hint = null, value, onChange }) {
  return html`<label>
    <input type="checkbox" checked=${value} onChange=${(event) => onChange(event.target.checked)} />
    <span>${label}${hint && html` <span class="quiet">${hint}</span>`}</span>
  </label>`;
}

/** A text, with what is to be said of it under it; the rest goes to the `input`. */
export function Field({ label, hint = null, value, onInput, ...rest }) {
  const id = useId();
  return html`<p class="field">
    <label for=${id}>${label}</label>
    <input id=${id} value=${value} autocomplete="off" aria-describedby=${hint ? `${id}-hint` : null} ...${rest}
      onInput=${(event) => onInput(event.target.value)} />
    ${hint && html`<span class="quiet" id=${`${id}-hint`}>${hint}</span>`}
  </p>`;
}

/** One of a list; an option is `[value, label]`. */
export function Select({ label, value, onChoose, options }) {
  const id = useId();
  return html`<p class="field">
    <label for=${id}>${label}</label>
    <select id=${id} value=${value} onChange=${(event) => onChoose(event.target.value)}>
      ${options.map(
        ([each, said]) => html`<option key=${each} value=${each} selected=${each === value}>${said}</option>`,
      )}
    </select>
  </p>`;
}
