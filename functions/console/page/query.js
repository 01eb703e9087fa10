// The query language as the page edits it: terms with their places. The grammar is that of
// `auditlog/grammar.py`, and a test holds the two together; what a value means, and every
// refusal, is the API's business.

export const QUALIFIERS = [
  "type", "actor", "actor_type", "target", "ip", "country", "city", "credential", "operation",
  "created",
];
const ALIASES = { author: "actor" };
const NAMED = /^([A-Za-z_]+):/;
const QUOTED = /^"((?:[^"\\]|\\["\\])*)"/;
const WORD = /^[^\s"]+/;

/** The terms of a query: `{qualifier, value, negated, from, to, text}`; `qualifier` is "text"
 * for words. What is not of the grammar is a term with `wrong` set, up to the next space. */
export function terms(query) {
  const found = [];
  let at = 0;
  while (at < query.length) {
    const space = /^\s+/.exec(query.slice(at));
    if (space) {
      at += space[0].length;
      continue;
    }
    const term = termAt(query, at);
    found.push(term);
    at = term.to;
  }
  return found;
}

function termAt(query, from) {
  const negated = query[from] === "-";
  let at = from + (negated ? 1 : 0);
  const name = NAMED.exec(query.slice(at));
  const qualifier = name ? (ALIASES[name[1]] ?? name[1]) : "text";
  if (name) at += name[0].length;
  const rest = query.slice(at);
  const value = QUOTED.exec(rest) ?? WORD.exec(rest);
  const to = value ? at + value[0].length : at;
  const isDone = to >= query.length || /\s/.test(query[to]);
  const isKnown = name === null || QUALIFIERS.includes(qualifier);
  const isDoubled = negated && query[from + 1] === "-";
  const isOperator = !name && value !== null && /^(AND|OR|NOT)$/.test(value[0]);
  const isEmpty = value !== null && value[1] !== undefined && value[1].trim() === "";
  if (value === null || !isDone || !isKnown || isDoubled || isOperator || isEmpty) {
    const end = Math.max(to, from + 1) + /^\S*/.exec(query.slice(Math.max(to, from + 1)))[0].length;
    return { qualifier: "text", value: query.slice(from, end), negated, from, to: end, wrong: true, text: query.slice(from, end) };
  }
  const plain = value[1] === undefined ? value[0] : value[1].replace(/\\(["\\])/g, "$1");
  return { qualifier, value: plain, negated, from, to, wrong: false, text: query.slice(from, to) };
}

/** A term as text; its value in quotes where it could not stand without. */
export function term(qualifier, value, negated = false) {
  const bare = qualifier === "text" ? /^(?!-|[A-Za-z_]+:|(?:AND|OR|NOT)$)[^\s"]+$/ : /^[^\s"]+$/;
  const said = bare.test(value) ? value : `"${value.replace(/["\\]/g, "\\$&")}"`;
  return `${negated ? "-" : ""}${qualifier === "text" ? "" : `${qualifier}:`}${said}`;
}

/** Whether a query has this term. */
export function has(query, qualifier, value, negated = false) {
  return terms(query).some((each) => isThat(each, qualifier, value, negated));
}

/** The query with this term, once, and not with its opposite. */
export function plus(query, qualifier, value, negated = false) {
  const without = minus(minus(query, qualifier, value, !negated), qualifier, value, negated);
  return `${without} ${term(qualifier, value, negated)}`.trim();
}

/** The query with this term as the only one of its qualifier that is wanted: two of one
 * qualifier mean "or", and would find more. */
export function only(query, qualifier, value) {
  const kept = terms(query).filter((each) => each.wrong || each.qualifier !== qualifier || each.negated);
  return plus(kept.map((each) => each.text).join(" "), qualifier, value);
}

/** The query without this term. */
export function minus(query, qualifier, value, negated = false) {
  const kept = terms(query).filter((each) => !isThat(each, qualifier, value, negated));
  return kept.map((each) => each.text).join(" ");
}

/** The query without its term number `index`. */
export function without(query, index) {
  return terms(query).filter((_, number) => number !== index).map((each) => each.text).join(" ");
}

function isThat(each, qualifier, value, negated) {
  return !each.wrong && each.qualifier === qualifier && each.value === value && each.negated === negated;
}
