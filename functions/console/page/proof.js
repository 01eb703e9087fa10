// Whether an event is what was recorded, found out here and without trusting the API: the id
// of an event commits to its content.

const ADDED = ["id", "recorded_at", "summary"];
const DIGITS = "0123456789abcdefghijklmnopqrstuv";
const TIME_BYTES = 8;
const HASH_BYTES = 16;

/** `value` as RFC 8785 writes it: what JavaScript writes, with members in order. */
export function canonical(value) {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.keys(value).sort();
  return `{${members.map((name) => `${JSON.stringify(name)}:${canonical(value[name])}`).join(",")}}`;
}

/** The bytes that an id stands for (base32hex, RFC 4648). */
function bytesOf(id) {
  const bytes = [];
  let bits = 0;
  let held = 0;
  for (const digit of id) {
    held = (held << 5) | DIGITS.indexOf(digit);
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 0xff);
    }
    held &= 0xff;
  }
  return bytes;
}

const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** Whether the content of an event fits its id; of an erased one, whether the hash that is
 * left of it does. */
export async function fits(event) {
  const bytes = bytesOf(event.id);
  const committed = hex(bytes.slice(TIME_BYTES));
  const micros = bytes.slice(0, TIME_BYTES).reduce((sum, byte) => sum * 256n + BigInt(byte), 0n);
  if (micros !== microseconds(event.occurred_at)) return false;
  if (event.erased_at) return event.record_hash.slice(0, 2 * HASH_BYTES) === committed;
  const record = Object.fromEntries(Object.entries(event).filter(([name]) => !ADDED.includes(name)));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonical(record)));
  return hex(new Uint8Array(digest).slice(0, HASH_BYTES)) === committed;
}

// A time of a record, which has more digits than JavaScript's clock; null where it is none.
function microseconds(time) {
  const parts = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.(\d{6})Z$/.exec(time);
  const whole = parts === null ? NaN : Date.parse(`${parts[1]}Z`);
  return Number.isNaN(whole) ? null : BigInt(whole) * 1_000n + BigInt(parts[2]);
}
