// Text of others, made so that what it holds is seen.

// Characters that change how their neighbours read and cannot be seen themselves: controls,
// directional marks and overrides, what has no width, tags. Text with them could say one
// thing and show another.
const UNSEEN =
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb]|[\u{1d173}-\u{1d17a}\u{e0000}-\u{e01ef}]/gu;
// Between two pictures, or letters of scripts that join, these are spelling and not deceit.
const JOINING =
  "\\p{scx=Arab}\\p{scx=Syrc}\\p{scx=Mong}\\p{scx=Nkoo}\\p{scx=Deva}\\p{scx=Beng}\\p{scx=Guru}\\p{scx=Gujr}" +
  "\\p{scx=Orya}\\p{scx=Taml}\\p{scx=Telu}\\p{scx=Knda}\\p{scx=Mlym}\\p{scx=Sinh}\\p{scx=Mymr}\\p{scx=Khmr}\\p{scx=Tibt}";
const PICTURE = "\\p{Extended_Pictographic}\\p{Emoji_Modifier}";
const JOINS = new RegExp(
  `(?<=[${JOINING}])[\\u200c\\u200d](?=[${JOINING}])|(?<=[${PICTURE}\\ufe0f])\\u200d(?=[${PICTURE}])` +
    `|(?<=[${PICTURE}0-9#*])[\\ufe0e\\ufe0f]`,
  "gu",
);

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

/** The same as one string, for where there can be no markup. */
export const plain = (text) => seen(text).map((part) => part.code ?? part).join("");
