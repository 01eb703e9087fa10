// Shortcuts of single keys, for those who want them: never while somebody types, and never
// together with a key that the browser or a screen reader may want.

import { texts } from "./texts.js";
import { Dialog, html, useEffect, useRef } from "./ui.js";

const TYPES = "input, textarea, select, [contenteditable]";
const AFTER_G = 1_500;

/** Calls `actions[key]` for each key that is pressed; `actions["g e"]` for `g`, then `e`. */
export function useKeys(actions) {
  const latest = useRef(actions);
  latest.current = actions;
  useEffect(() => {
    let went = -Infinity;
    const press = (event) => {
      if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
      const isTyping = event.target.closest?.(TYPES) && event.target.type !== "range";
      const isOff = document.documentElement.dataset.shortcuts === "off";
      if (isTyping || document.querySelector("dialog[open]") || (isOff && event.key !== "Escape")) return;
      const isAfterG = event.timeStamp - went < AFTER_G;
      went = event.key === "g" ? event.timeStamp : -Infinity;
      const act = latest.current[isAfterG ? `g ${event.key}` : event.key];
      if (act && act() !== false) event.preventDefault();
    };
    addEventListener("keydown", press);
    return () => removeEventListener("keydown", press);
  }, []);
}

/** The list of shortcuts, which can be turned off: whoever speaks to a computer types, too. */
export function Shortcuts({ value, set, onClose }) {
  return html`<${Dialog} title=${texts.keyboard.title} onClose=${onClose}>
    <dl class="shortcuts">${texts.keyboard.keys.map(
      ([keys, does]) => html`<dt><kbd>${keys}</kbd></dt><dd>${does}</dd>`,
    )}</dl>
    <p><label><input type="checkbox" checked=${value === "on"} onChange=${(event) => set(event.target.checked ? "on" : "off")} />
      ${" "}${texts.keyboard.use}</label></p>
  <//>`;
}
