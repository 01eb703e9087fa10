// The view of settings: what the log keeps, who may see it, and what has to go.

import { useAnswer } from "./answers.js";
import { Erasures } from "./settings-erasures.js";
import { Hold } from "./settings-hold.js";
import { Keys } from "./settings-keys.js";
import { Reads } from "./settings-reads.js";
import { Retention } from "./settings-retention.js";
import { Sessions } from "./settings-sessions.js";
import { texts } from "./texts.js";
import { Fault, html, usePage } from "./ui.js";

const words = texts.settings;

export function Settings() {
  const { may } = usePage();
  if (!may("org:admin")) {
    return html`<section class="card"><h2>${words.noGrant}</h2><p>${words.noGrantWhy}</p></section>`;
  }
  return html`<${Cards} />`;
}

function Cards() {
  const { api, org, renew } = usePage();
  const path = `v1/orgs/${org}/settings`;
  const { value: settings, error, read } = useAnswer(api, path);
  /** Changes what is named, if nobody has meanwhile; says what is to be said of it. */
  const change = async (body, said) => {
    try {
      await api.patch(path, body, { headers: { "If-Match": settings.etag } });
    } catch (failure) {
      if (failure.status !== 412) throw failure;
      await read();
      return words.overtaken;
    }
    await read();
    // It has been changed, whatever becomes of this.
    renew().catch(() => {});
    return said;
  };
  return html`<section class="part" aria-labelledby="settings">
    <header class="row"><h2 id="settings" tabindex="-1">${words.title}</h2></header>
    ${error && html`<${Fault} error=${error} again=${read} />`}
    ${settings === null && !error && html`<p class="quiet" role="status">${words.loading}</p>`}
    <div class="cards">
      ${settings !== null && html`
        <${Retention} settings=${settings} change=${change} />
        <${Hold} settings=${settings} change=${change} />
        <${Reads} settings=${settings} change=${change} />`}
      <${Sessions} />
      <${Keys} most=${settings?.limits.keys ?? null} />
      <${Erasures} hold=${settings?.hold ?? null} />
    </div>
  </section>`;
}
