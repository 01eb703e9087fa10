// What may follow where the cursor stands in a query.

import { QUALIFIERS, term } from "./query.js";
import { texts } from "./texts.js";
import { DAY } from "./time.js";

const MOST = 8;
const OPERATIONS = ["create", "modify", "remove", "access", "authentication", "transfer", "restore"];
const ACTOR_TYPES = ["user", "service_account", "system"];

/** Suggestions for `query` at `cursor`: `{label, hint, from, to, insert}`, best first.
 *
 * `known` is `{types: [{type, description}], actors: [{id, name}], countries: [text]}`.
 */
export function suggestions(query, cursor, known, now = Date.now()) {
  const from = beginOf(query, cursor);
  const to = cursor + restOf(query.slice(from, cursor), query.slice(cursor));
  const written = query.slice(from, cursor);
  const sign = written.startsWith("-") ? "-" : "";
  const bare = written.slice(sign.length);
  const named = /^([a-z_]+):"?(.*)$/s.exec(bare);
  if (!named) {
    if (bare === "" && sign === "" && query.trim() !== "") return [];
    return QUALIFIERS.filter((name) => name.startsWith(bare.toLowerCase())).map((name) => ({
      label: `${sign}${name}:`,
      hint: texts.search.qualifiers[name],
      from,
      to,
      insert: `${sign}${name}:`,
    }));
  }
  const [, name, begun] = named;
  const qualifier = name === "author" ? "actor" : name;
  return values(qualifier, begun.toLowerCase(), known, now)
    .slice(0, MOST)
    .map(({ value, hint = "" }) => {
      const said = term(qualifier, value, sign !== "");
      return { label: said, hint, from, to, insert: `${said} ` };
    })
    .filter(({ label }) => label !== query.slice(from, to));
}

// How long the rest of the term is: up to the quote that closes it, or else to a space.
function restOf(before, after) {
  const isQuoted = (before.match(/(?<!\\)"/g) ?? []).length % 2 === 1;
  return (isQuoted ? /^(?:[^"\\]|\\.)*"?/s : /^\S*/).exec(after)[0].length;
}

// Back to the space before the cursor that is not within quotes.
function beginOf(query, cursor) {
  let begin = 0;
  let quoted = false;
  for (let at = 0; at < cursor; at += 1) {
    if (query[at] === '"' && query[at - 1] !== "\\") quoted = !quoted;
    else if (!quoted && /\s/.test(query[at])) begin = at + 1;
  }
  return begin;
}

function values(qualifier, begun, known, now) {
  switch (qualifier) {
    case "type":
      return types(begun, known.types);
    case "actor":
      return known.actors
        .filter(({ id, name }) => id.toLowerCase().includes(begun) || name?.toLowerCase().includes(begun))
        .map(({ id, name }) => ({ value: id, hint: name }));
    case "country":
      return starting(known.countries, begun);
    case "operation":
      return starting(OPERATIONS, begun);
    case "actor_type":
      return starting(ACTOR_TYPES, begun);
    case "created": {
      const day = (ago) => new Date(now - ago * DAY).toISOString().slice(0, 10);
      const ranges = [day(0), day(1), `>=${day(7)}`, `>=${day(30)}`, `${day(7)}..${day(1)}`];
      return starting(ranges, begun);
    }
    default:
      return [];
  }
}

const starting = (list, begun) =>
  list.filter((value) => value.toLowerCase().startsWith(begun)).map((value) => ({ value }));

// Scopes first, then what begins so, then what has it anywhere.
function types(begun, listed) {
  const scopes = [...new Set(listed.map(({ type }) => type.split(".")[0]))];
  const found = [
    ...scopes.filter((scope) => scope.startsWith(begun)).map((value) => ({ value })),
    ...listed.filter(({ type }) => type.toLowerCase().startsWith(begun)).map(said),
    ...listed.filter(({ type }) => type.toLowerCase().indexOf(begun) > 0).map(said),
  ];
  return [...new Map(found.map((each) => [each.value, each])).values()];
}

const said = ({ type, description }) => ({
  value: type,
  hint: description.replace(/\[.*?\]/g, "").replace("{actor} ", "").trim(),
});
