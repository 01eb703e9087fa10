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

/** Rows `{field, before, after}` of what differs (undefined: was not there). None: nothing of
 * the kind was found, or too much of it to be read. */
export function changes(metadata) {
  const rows = [];
  for (const [before, after] of PAIRS) {
    if (has(metadata, before) && has(metadata, after)) {
      compare("", metadata[before], metadata[after], rows, 0);
    }
  }
  for (const name of LISTS) {
    for (const each of listed(own(metadata, name))) compare(each.field, each.before, each.after, rows, 0);
  }
  return rows.length > MOST ? [] : rows;
}

// `{"role": {"from": "read", "to": "admin"}}`, or a list of objects that name their field. A
// list of two might be both values of a field, or its new value: nothing is made of it.
function listed(value) {
  const named = Array.isArray(value)
    ? value.map((each) => [isObject(each) ? each[NAMES.find((name) => has(each, name))] : null, each])
    : isObject(value)
      ? Object.entries(value)
      : [];
  const found = named.map(([field, each]) => ({ field, ...pair(each) }));
  return found.every((each) => typeof each.field === "string" && each.isPair) ? found : [];
}

function pair(value) {
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
