// Filters that most admins ask for, as queries.

import { texts } from "./texts.js";
import { term, terms } from "./query.js";

const types = (...names) => names.map((name) => term("type", name));

const PRESETS = [
  {
    label: texts.search.preset.membership,
    terms: types(
      "org.add_user", "org.remove_user", "org.change_role", "org.leave", "org.invite_user", "org.invite",
      "org.join", "org.sso_join", "resource_group.add_users", "resource_group.remove_users",
      "resource_group.change_role",
    ),
  },
  {
    label: texts.search.preset.secrets,
    terms: types(
      "org.rotate_token", "org.token_approval", "org.service_account.token", "oauth.token",
      "repo.add_secret", "repo.add_secrets", "repo.update_secret", "repo.remove_secret",
      "repo.remove_secrets", "org.settings.inference_providers.keys", "org.audit_log.key",
      "org.audit_log.session",
    ),
  },
  { label: texts.search.preset.billing, terms: types("billing") },
];

/** The presets: `{label, terms}`. */
export const all = () => PRESETS;

/** Whether a query holds all of a preset. */
export function holds(query, preset) {
  const there = new Set(terms(query).map((each) => each.text));
  return preset.terms.every((each) => there.has(each));
}

/** The query with a preset, or without it where it holds it. */
export function toggled(query, preset) {
  const kept = terms(query).map((each) => each.text).filter((each) => !preset.terms.includes(each));
  return (holds(query, preset) ? kept : [...kept, ...preset.terms]).join(" ");
}

/** A query as chips: `{label, negated, wrong, rest}`, `rest` being the query without it.
 * The terms of a preset are one chip. */
export function chips(query) {
  const preset = PRESETS.filter((each) => each.terms.length > 1 && holds(query, each));
  const within = new Set(preset.flatMap((each) => each.terms));
  const all = terms(query);
  const left = all.filter((each) => !within.has(each.text));
  const without = (gone) => all.filter((each) => !gone(each)).map((each) => each.text).join(" ");
  return [
    ...preset.map((each) => ({ label: each.label, rest: toggled(query, each) })),
    ...left.map((each) => ({ ...each, label: each.text, rest: without((other) => other === each) })),
  ];
}
