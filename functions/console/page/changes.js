// What an event changed, where its metadata say so in one of the ways in which people do.

const PAIRS = [
  ["before", "after"],
  ["old", "new"],
  ["from", "to"],
  ["previous", "current"],
  ["old_value", "new_value"],
];
const LISTS = ["changes", "changed", "diff"];
const NAMES = ["field", "key", "path", "name", "attribute"];
const MOST = 200;
const DEEPEST = 8;

const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const has = (value, name) => Object.hasOwn(value, name);

/** `{rows, rest}`: rows `{field, before, after}` of what differs (undefined: was not there),
 * and the metadata without what the rows say. No rows: nothing of the kind was found. */
export function changes(metadata) {
  const rest = { ...metadata };
  const rows = [];
  for (const [before, after] of PAIRS) {
    if (!has(rest, before) || !has(rest, after)) continue;
    compare("", rest[before], rest[after], rows, 0);
    delete rest[before];
    delete rest[after];
  }
  for (const name of LISTS) {
    if (!has(rest, name)) continue;
    const found = listed(rest[name]);
    if (found === null) continue;
    for (const each of found) compare(each.field, each.before, each.after, rows, 0);
    delete rest[name];
  }
  return rows.length > MOST ? { rows: [], rest: metadata } : { rows, rest };
}

// `{"role": {"from": "read", "to": "admin"}}`, `{"role": ["read", "admin"]}`, or a list of
// objects that name their field.
function listed(value) {
  const named = Array.isArray(value)
    ? value.map((each) => [isObject(each) ? each[NAMES.find((name) => has(each, name))] : null, each])
    : isObject(value)
      ? Object.entries(value)
      : [];
  const found = named.map(([field, each]) => ({ field, ...pair(each) }));
  return found.length > 0 && found.every((each) => typeof each.field === "string" && each.isPair) ? found : null;
}

function pair(value) {
  if (Array.isArray(value) && value.length === 2) return { before: value[0], after: value[1], isPair: true };
  if (!isObject(value)) return { isPair: false };
  const names = PAIRS.find(([before, after]) => has(value, before) || has(value, after));
  return names ? { before: value[names[0]], after: value[names[1]], isPair: true } : { isPair: false };
}

function compare(field, before, after, rows, depth) {
  if (isObject(before) && isObject(after) && depth < DEEPEST) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(after)])) {
      const path = field === "" ? name : `${field}.${name}`;
      compare(path, own(before, name), own(after, name), rows, depth + 1);
    }
  } else if (JSON.stringify(before) !== JSON.stringify(after)) {
    rows.push({ field, before, after });
  }
}

const own = (value, name) => (has(value, name) ? value[name] : undefined);

/** How two texts differ: what both begin and end with, and what is between in each. */
export function between(before, after) {
  const old = [...before];
  const young = [...after];
  const most = Math.min(old.length, young.length);
  let head = 0;
  while (head < most && old[head] === young[head]) head += 1;
  let tail = 0;
  while (tail < most - head && old.at(-1 - tail) === young.at(-1 - tail)) tail += 1;
  const text = (letters, from, to) => letters.slice(from, to).join("");
  return {
    head: text(old, 0, head),
    before: text(old, head, old.length - tail),
    after: text(young, head, young.length - tail),
    tail: text(old, old.length - tail),
  };
}
