// What every part of the page is made of: markup, hooks, and the small pieces that
// more than one part shows.

import { Fragment, createContext, h, render } from "preact";
import {
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
} from "preact/hooks";
import htm from "htm";
import { plain, seen } from "./seen.js";
import { texts } from "./texts.js";
import { exact, relative } from "./time.js";

export {
  Fragment,
  createContext,
  render,
  useCallback,
  useContext,
  useEffect,
  useId,
  useLayoutEffect,
  useMemo,
  useReducer,
  useRef,
  useState,
};

/** What is too narrow for two things side by side; the same in the style sheet. */
export const NARROW = matchMedia("(max-width: 720px)");

/** Whether the window is that narrow now. */
export function useNarrow() {
  const [is, setIs] = useState(NARROW.matches);
  useEffect(() => {
    const turned = () => setIs(NARROW.matches);
    NARROW.addEventListener("change", turned);
    return () => NARROW.removeEventListener("change", turned);
  }, []);
  return is;
}

/** Markup as a template. It becomes elements and text, never HTML: nothing in it is executed. */
export const html = htm.bind(h);

/** What the whole page knows: `{api, org, who, may(grant), zone, avatars, state, go(change),
 * renew()}`; `renew` asks anew who is in. */
export const Page = createContext(null);
export const usePage = () => useContext(Page);

/** What a publisher said: apart from the text around it, whatever its direction is. */
export function Said({ text, title = false }) {
  const parts = seen(String(text));
  return html`<bdi class="said" title=${title ? plain(String(text)) : null}>${parts.map((part) =>
    typeof part === "string" ? part : html`<span class="unseen">${part.code}</span>`,
  )}</bdi>`;
}

/** A moment: how long ago, or exactly; the exact time is there on hover, and to a reader. */
export function When({ at, long = false }) {
  const { zone } = usePage();
  const full = exact(at, zone);
  return html`<time datetime=${at} title=${full}>${long ? full : relative(at)}</time>`;
}

/** Why something failed, and what to do about it. `error` is a `Problem`. */
export function Fault({ error, again = null, children = null }) {
  const faults = error.errors ?? [];
  return html`<div class="fault" role="alert">
    <p><strong>${error.message}</strong> ${texts.problems[error.status] ?? ""}</p>
    ${faults.length > 0 &&
    html`<ul>${faults.map(
      (each) => html`<li>${each.parameter ?? each.pointer}: <${Said} text=${each.detail} /></li>`,
    )}</ul>`}
    ${children}
    ${error.requestId && html`<p class="quiet">${texts.problems.request(error.requestId)}</p>`}
    ${again && html`<button type="button" onClick=${again}>${texts.actions.again}</button>`}
  </div>`;
}

/** Copies `text`, and says that it did. */
export function Copy({ text, label = texts.actions.copy, onCopied = () => {}, ...rest }) {
  const [done, setDone] = useState(null);
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
      setDone(texts.actions.copied);
      onCopied();
    } catch {
      setDone(texts.actions.notCopied);
    }
  };
  useEffect(() => {
    if (done === null) return;
    const timer = setTimeout(() => setDone(null), 3_000);
    return () => clearTimeout(timer);
  }, [done]);
  return html`<button type="button" ...${rest} onClick=${copy}>
    <span aria-live="polite">${done ?? label}</span>
  </button>`;
}

/** A dialog that stands before everything else, until it is closed. */
export function Dialog({ title, onClose, children, className = "" }) {
  const ref = useRef(null);
  const id = useId();
  useEffect(() => {
    const dialog = ref.current;
    const before = document.activeElement;
    dialog.showModal();
    return () => {
      dialog.close();
      // Closing gives the focus back, but not where the dialog has left the document already.
      before.focus();
    };
  }, []);
  const close = (event) => {
    event.preventDefault();
    onClose();
  };
  return html`<dialog ref=${ref} class=${className} aria-labelledby=${id} onCancel=${close}>
    <header>
      <h2 id=${id}>${title}</h2>
      <button type="button" class="plain" aria-label=${texts.actions.close} onClick=${onClose}>
        ${"\u00d7"}
      </button>
    </header>
    ${children}
  </dialog>`;
}

/** Asks before something is done that cannot be taken back lightly.
 *
 * `sentence` says what will happen, `word` is what has to be typed first (where there is
 * one), `act` does it and returns a promise: what it fails with is shown here.
 */
export function Confirm({ title, sentence, word = null, label, act, onClose, danger = true }) {
  const [typed, setTyped] = useState("");
  const [error, setError] = useState(null);
  const [busy, setBusy] = useState(false);
  const id = useId();
  const submit = async (event) => {
    event.preventDefault();
    if (busy || (word !== null && typed !== word)) return;
    setBusy(true);
    setError(null);
    try {
      await act();
    } catch (failure) {
      setBusy(false);
      setError(failure);
    }
  };
  return html`<${Dialog} title=${title} onClose=${onClose}>
    <form onSubmit=${submit}>
      <div class="sentence">${sentence}</div>
      ${word !== null &&
      html`<p class="field">
        <label for=${id}>${texts.actions.typeToConfirm} <code><${Said} text=${word} /></code></label>
        <input id=${id} value=${typed} autofocus autocomplete="off" spellcheck=${false}
          onInput=${(event) => setTyped(event.target.value)} />
      </p>`}
      ${error && html`<${Fault} error=${error} />`}
      <footer>
        <button type="button" onClick=${onClose}>${texts.actions.cancel}</button>
        <button type="submit" class=${danger ? "danger" : "primary"}
          disabled=${busy || (word !== null && typed !== word)}>
          ${busy ? texts.actions.working : label}
        </button>
      </footer>
    </form>
  <//>`;
}

/** The first letters of a name, in a colour of its own; or the picture, where one may be shown. */
export function Avatar({ actor }) {
  const { avatars } = usePage();
  const [broken, setBroken] = useState(false);
  const name = actor?.name || actor?.id || "?";
  const url = actor?.avatar_url;
  if (url && !broken && isShown(url, avatars)) {
    return html`<img class="avatar" src=${url} alt="" loading="lazy" referrerpolicy="no-referrer"
      onError=${() => setBroken(true)} />`;
  }
  return html`<span class="avatar tone-${tone(actor?.id ?? name)}" aria-hidden="true">${initials(name)}</span>`;
}

// Pictures are asked for from no one but the origins that the deployment names.
function isShown(url, origins) {
  try {
    return origins.includes(new URL(url).origin);
  } catch {
    return false;
  }
}

const TONES = 8;

function tone(text) {
  let sum = 0;
  for (let at = 0; at < Math.min(text.length, 64); at += 1) sum = (sum * 31 + text.charCodeAt(at)) >>> 0;
  return sum % TONES;
}

function initials(name) {
  const letters = name.slice(0, 200).match(/[\p{L}\p{N}]+/gu) ?? ["?"];
  const first = [...letters[0]][0];
  const last = letters.length > 1 ? [...letters.at(-1)][0] : "";
  return (first + last).toUpperCase();
}
