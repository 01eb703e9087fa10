// The way in: a session's link, a key, or the deployment's issuer.

import { config } from "./config.js";
import * as oidc from "./oidc.js";
import { texts } from "./texts.js";
import { Fault, html, useEffect, useId, useRef, useState } from "./ui.js";

const FORM = /^\s*(al[ks]_[0-9A-Za-z]+_[0-9A-Za-z]+)\s*$/;
const LINK = /#session=(als_[0-9A-Za-z_]+)\s*$/;

/** `enter(token)` opens the log or rejects with a `Problem`; `why` is said above the form. */
export function Entry({ enter, why }) {
  const [typed, setTyped] = useState("");
  const [error, setError] = useState(why?.error ?? null);
  const [wrong, setWrong] = useState(false);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const heading = useRef(null);
  const input = useRef(null);
  useEffect(() => {
    document.title = texts.name;
    // Somebody was in, and what had the focus is gone.
    if (why?.title) heading.current.focus();
    else input.current.focus();
  }, [why]);
  const attempt = async (what) => {
    setBusy(true);
    setError(null);
    try {
      await what();
    } catch (failure) {
      setError(failure);
    }
    setBusy(false);
  };
  const submit = (event) => {
    event.preventDefault();
    // Somebody may paste the whole link.
    const found = LINK.exec(typed) ?? FORM.exec(typed);
    setWrong(found === null);
    if (found && !busy) attempt(() => enter(found[1]));
  };
  return html`<main class="entry-page">
    <h1 ref=${heading} tabindex="-1">${texts.entry.title}</h1>
    <p class="quiet">${texts.entry.what}</p>
    ${why?.title && html`<div class="notice" role="status"><p><strong>${why.title}</strong></p><p>${why.text}</p></div>`}
    ${error && html`<${Fault} error=${error} />`}
    ${config.oidc &&
    html`<p><button type="button" class="primary wide" disabled=${busy} onClick=${() => attempt(oidc.begin)}>${texts.entry.oidc}</button></p>
      <p class="or quiet">${texts.entry.or}</p>`}
    <form onSubmit=${submit} class="card">
      <p class="field">
        <label for=${id}>${texts.entry.key}</label>
        <input id=${id} ref=${input} type="password" value=${typed} autocomplete="off" spellcheck=${false} required
          aria-describedby=${`${id}-hint`} aria-invalid=${wrong ? "true" : null}
          onInput=${(event) => { setTyped(event.target.value); setWrong(false); }} />
        <span id=${`${id}-hint`} class="quiet">${wrong ? html`<strong role="alert">${texts.entry.wrongForm}</strong>` : texts.entry.keyHint}</span>
      </p>
      <button type="submit" class=${config.oidc ? "wide" : "primary wide"} disabled=${busy}>${busy ? texts.actions.working : texts.entry.open}</button>
    </form>
    <p class="quiet">${texts.entry.link}</p>
  </main>`;
}
