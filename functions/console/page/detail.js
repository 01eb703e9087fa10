// One event with all that is known of it.

import { write } from "./address.js";
import { address } from "./api.js";
import { between, changes } from "./changes.js";
import { fits } from "./proof.js";
import { only, plus } from "./query.js";
import { plain } from "./seen.js";
import { actorName, between as joined, inWords, place } from "./row.js";
import { size, texts } from "./texts.js";
import { MINUTE, text } from "./time.js";
import { Avatar, Copy, Fault, Said, When, html, useEffect, usePage, useRef, useState } from "./ui.js";

const AROUND = 10 * MINUTE;
// More than this is not laid out before somebody asks for it.
const SHOWN = 8_000;

/** The event `id`: as the list has it, or else as the API gives it. */
function useEvent(id, listed) {
  const { api, org, who } = usePage();
  const [found, setFound] = useState({});
  const [tried, setTried] = useState(0);
  useEffect(() => {
    // Where it is recorded who looks at what, it is asked for all the same.
    if (listed && !who.records_reads) return;
    const abort = new AbortController();
    setFound({ id });
    api
      .get(`v1/orgs/${org}/events/${encodeURIComponent(id)}`, {}, { signal: abort.signal })
      .then((event) => setFound({ id, event }))
      .catch((error) => abort.signal.aborted || setFound({ id, error }));
    return () => abort.abort();
  }, [id, listed === undefined, tried]);
  const again = () => setTried((count) => count + 1);
  return listed ? { event: listed } : found.id === id ? { ...found, again } : {};
}

/** The panel of one event. `step(1)` goes to the one below, `step(-1)` to the one above. */
export function Detail({ id, listed, step, onClose }) {
  const { event, error, again } = useEvent(id, listed);
  const heading = useRef(null);
  useEffect(() => {
    if (event) heading.current?.focus();
  }, [event?.id]);
  return html`<aside class="detail" aria-label=${texts.detail.label}>
    <header>
      <button type="button" class="plain" title="k" aria-label=${texts.detail.previous} disabled=${!step} onClick=${() => step(-1)}>${"\u2191"}</button>
      <button type="button" class="plain" title="j" aria-label=${texts.detail.next} disabled=${!step} onClick=${() => step(1)}>${"\u2193"}</button>
      <span class="space"></span>
      <button type="button" class="plain" title="Esc" aria-label=${texts.detail.close} onClick=${onClose}>${"\u00d7"}</button>
    </header>
    ${error && html`<${Fault} error=${error} again=${again}>${error.status === 404 && html`<p>${texts.detail.missing}</p>`}<//>`}
    ${!error && !event && html`<p class="quiet" role="status">${texts.list.loading}</p>`}
    ${event && html`<${Whole} key=${event.id} event=${event} heading=${heading} />`}
  </aside>`;
}

function Whole({ event, heading }) {
  const { state, go } = usePage();
  const rows = changes(event.metadata ?? {});
  const link = () => address(`console${write({ ...onlyOrg(state), event: event.id })}`).href;
  const around = () => {
    const at = Date.parse(event.occurred_at);
    go({ q: "", last: "", since: text(at - AROUND), until: text(at + AROUND), hidden: "1", event: event.id });
  };
  return html`
    <div class="title">
      <${Avatar} actor=${event.actor} />
      <div>
        <h2 ref=${heading} tabindex="-1"><${Said} text=${actorName(event)} />${joined(event)}<${Said} text=${inWords(event)} /></h2>
        <p class="quiet"><${When} at=${event.occurred_at} long /></p>
      </div>
    </div>
    <div class="actions">
      <${Copy} label=${texts.detail.copyJson} text=${() => JSON.stringify(event, null, 2)} />
      <${Copy} label=${texts.detail.copyLink} text=${link} />
      <button type="button" onClick=${around}>${texts.detail.around}</button>
    </div>
    <${Proof} event=${event} />
    ${rows.length > 0 && html`<${Changes} rows=${rows} />`}
    <dl>${facts(event).map((fact) => html`<${Fact} key=${fact.name + (fact.value ?? "")} ...${fact} />`)}</dl>
    ${event.metadata !== undefined && html`<section><h3>${texts.detail.metadata}</h3><${Json} value=${event.metadata} /></section>`}
  `;
}

const onlyOrg = (state) => ({ ...state, q: "", since: "", until: "", last: "", hidden: "", view: "events" });

/** What there is to say of an event, as `{name, value, more, qualifier}`; a fact with a
 * qualifier can be looked for. */
function facts(event) {
  const { actor, location, credential } = event;
  const told = [{ name: "type", value: event.type, qualifier: "type" }];
  if (actor) {
    const kind = actor.type && actor.type !== "user" ? actor.type : null;
    told.push({ name: "actor", value: actor.id, more: [actor.name, kind], qualifier: "actor" });
  }
  for (const target of event.targets ?? []) {
    told.push({ name: "targets", value: `${target.type}/${target.id}`, more: [target.name], qualifier: "target" });
  }
  if (event.ip) told.push({ name: "ip", value: event.ip, more: [texts.detail.anonymized], qualifier: "ip" });
  if (location?.country) {
    told.push({ name: "location", value: location.country, more: [location.city, location.region], qualifier: "country" });
  } else if (location) {
    told.push({ name: "location", value: place(location) });
  }
  if (credential) {
    const { type, id, name, role, last4 } = credential;
    told.push({ name: "credential", value: id, more: [type, name, role, last4 && `…${last4}`], qualifier: "credential" });
  }
  for (const name of ["description", "summary", "user_agent", "key", "id", "record_hash"]) {
    if (event[name] !== undefined) told.push({ name, value: event[name] });
  }
  for (const name of ["occurred_at", "recorded_at", "erased_at"]) {
    if (event[name] !== undefined) told.push({ name, at: event[name] });
  }
  return told;
}

function Fact({ name, value, at, more = [], qualifier }) {
  const { state, go } = usePage();
  const label = texts.detail.fields[name];
  const keep = () => go({ q: only(state.q, qualifier, value) });
  const leaveOut = () => go({ q: plus(state.q, qualifier, value, true) });
  return html`
    <dt>${label}</dt>
    <dd>
      <span class="value">
        ${at ? html`<${When} at=${at} long />` : html`<${Said} text=${value} />`}
        ${more.filter(Boolean).map((each) => html` <span class="quiet"><${Said} text=${each} /></span>`)}
      </span>
      ${qualifier && value &&
      html`<span class="narrow">
        <button type="button" class="small" aria-label=${texts.detail.onlyThis(label, plain(value))} onClick=${keep}>${texts.detail.only}</button>
        <button type="button" class="small" aria-label=${texts.detail.exceptThis(label, plain(value))} onClick=${leaveOut}>${texts.detail.except}</button>
      </span>`}
    </dd>
  `;
}

function Proof({ event }) {
  const [found, setFound] = useState("checking");
  useEffect(() => {
    fits(event).then((does) => setFound(does ? "fits" : "differs"), () => setFound("unknown"));
  }, [event]);
  return html`<p class=${`proof ${found}`} role=${found === "differs" ? "alert" : null}>
    ${texts.detail.proof[found]} <span class="quiet">${texts.detail.proof.why}</span>
  </p>`;
}

function Changes({ rows }) {
  return html`<section>
    <h3>${texts.detail.changes}</h3>
    <table class="data changes">
      <thead><tr><th scope="col">${texts.detail.field}</th><th scope="col">${texts.detail.before}</th><th scope="col">${texts.detail.after}</th></tr></thead>
      <tbody>${rows.map(({ field, before, after }) => {
        const parts = typeof before === "string" && typeof after === "string" ? between(before, after) : null;
        return html`<tr key=${field}>
          <th scope="row"><${Said} text=${field || texts.detail.field} /></th>
          <td><del><${Side} value=${before} parts=${parts} middle=${parts?.before} /></del></td>
          <td><ins><${Side} value=${after} parts=${parts} middle=${parts?.after} /></ins></td>
        </tr>`;
      })}</tbody>
    </table>
  </section>`;
}

function Side({ value, parts, middle }) {
  if (value === undefined) return html`<span class="quiet">${texts.detail.absent}</span>`;
  if (!parts) return html`<${Json} value=${value} inline />`;
  // One word for another is no change within a text.
  if (!parts.head && !parts.tail) return html`<${Said} text=${cutLong(value)} />`;
  if (value.length > SHOWN) return html`<${Json} value=${value} />`;
  return html`<${Said} text=${parts.head} />${middle && html`<mark><${Said} text=${middle} /></mark>`}<${Said} text=${parts.tail} />`;
}

const cutLong = (value) => (value.length > SHOWN ? `${value.slice(0, SHOWN)}…` : value);

function Json({ value, inline = false }) {
  const [all, setAll] = useState(false);
  const whole = inline && typeof value === "string" ? value : JSON.stringify(value, null, 2);
  const isLong = whole.length > SHOWN && !all;
  const said = html`<${Said} text=${isLong ? `${whole.slice(0, SHOWN)}…` : whole} />`;
  return html`${inline ? html`<code>${said}</code>` : html`<pre tabindex="0" aria-label=${texts.detail.metadata}>${said}</pre>`}
    ${isLong && html`<button type="button" class="small" onClick=${() => setAll(true)}>${texts.detail.showAll(size(new Blob([whole]).size))}</button>`}`;
}

