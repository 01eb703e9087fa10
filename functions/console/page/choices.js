// What a reader chooses for good: the colours, and the zone that times are told in.

import { useEffect, useState } from "./ui.js";

export const THEMES = ["auto", "light", "dark"];
export const ZONES = ["local", "utc"];
export const SHORTCUTS = ["on", "off"];

function kept(name, allowed) {
  try {
    const value = localStorage.getItem(name);
    return allowed.includes(value) ? value : allowed[0];
  } catch {
    return allowed[0];
  }
}

/** `[value, set]` of a choice that this browser remembers, where it may. */
export function useChoice(name, allowed) {
  const [value, setValue] = useState(() => kept(`auditlog-${name}`, allowed));
  useEffect(() => {
    document.documentElement.dataset[name] = value;
    try {
      localStorage.setItem(`auditlog-${name}`, value);
    } catch {
      // Then it holds until the page is closed.
    }
  }, [value]);
  return [value, setValue];
}
