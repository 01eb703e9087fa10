// What is shown this once: a key, or the link of a session.

import { Copy, Dialog, html, useId, useState } from "./ui.js";
import { texts } from "./texts.js";

const words = texts.secret;

/** A dialog that is not closed by accident before `text` was copied. */
export function Secret({ title, sentence, text, children = null, onClose }) {
  const [isTaken, setIsTaken] = useState(false);
  const [isSure, setIsSure] = useState(false);
  const id = useId();
  const close = () => (isTaken || isSure ? onClose() : setIsSure(true));
  const taken = () => setIsTaken(true);
  return html`<${Dialog} title=${title} onClose=${close} className="once">
    <div class="stack">
      <p>${sentence}</p>
      ${children}
      <p class="field" onCopy=${taken}>
        <label for=${id}>${words.label}</label>
        <textarea id=${id} class="secret" readonly rows="3" spellcheck=${false}
          onFocus=${(event) => event.target.select()} value=${text}></textarea>
      </p>
      <p class="actions"><${Copy} text=${text} onCopied=${taken} class="primary" autofocus /></p>
      <div role="alert">${isSure && !isTaken && html`<p class="fault">${words.notCopied}</p>`}</div>
      <footer>
        <button type="button" onClick=${close}>${isSure && !isTaken ? words.anyway : words.done}</button>
      </footer>
    </div>
  <//>`;
}
