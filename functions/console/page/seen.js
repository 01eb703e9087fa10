// Text of others, made so that what it holds is seen.

// Characters that change how their neighbours read and cannot be seen themselves: controls,
// directional marks and overrides, what has no width, tags. Text with them could say one
// thing and show another.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]|[\u{e0000}-\u{e007f}]/gu;
// Between two pictures, or letters of scripts that join, these are spelling and not deceit.
const JOINS = /(?<=[\p{L}\p{M}\p{Extended_Pictographic}\ufe0f])[\u200c\u200d](?=[\p{L}\p{M}\p{Extended_Pictographic}])/gu;

/** `text` in parts: strings as they are, and `{code}` for characters that cannot be seen. */
export function seen(text) {
  const joins = new Set(Array.from(text.matchAll(JOINS), (match) => match.index));
  const parts = [];
  let from = 0;
  for (const match of text.matchAll(UNSEEN)) {
    if (joins.has(match.index)) continue;
    if (match.index > from) parts.push(text.slice(from, match.index));
    const number = match[0].codePointAt(0).toString(16).toUpperCase().padStart(4, "0");
    parts.push({ code: `U+${number}` });
    from = match.index + match[0].length;
  }
  if (from < text.length) parts.push(text.slice(from));
  return parts;
}
