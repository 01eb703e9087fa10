// Asking before a change, and saying afterwards that it was made.

import { Confirm, html, useEffect, useRef, useState } from "./ui.js";

/** `{confirm(asked), dialog, note}`: the last two are markup to be put somewhere.
 *
 * `asked` is what `Confirm` takes, without its end: `act` makes the change, and returns
 * what is to be said of it.
 */
export function useConfirm() {
  const [asked, setAsked] = useState(null);
  const [said, setSaid] = useState(null);
  const ref = useRef(null);
  useEffect(() => {
    // The button that was pressed may be gone with what was changed, and the keyboard's
    // place in the page with it.
    if (said !== null && document.activeElement === document.body) ref.current?.focus();
  }, [said]);
  const confirm = (next) => {
    setSaid(null);
    setAsked(next);
  };
  const act = async () => {
    const text = await asked.act();
    setAsked(null);
    setSaid(text);
  };
  return {
    confirm,
    dialog: asked && html`<${Confirm} ...${asked} act=${act} onClose=${() => setAsked(null)} />`,
    note: html`<div role="status">
      ${said !== null && html`<p class="notice" tabindex="-1" ref=${ref}>${said}</p>`}
    </div>`,
  };
}
