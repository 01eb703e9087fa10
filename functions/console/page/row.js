// One entry of the list: who, what, on what, from where, when.

import { Avatar, Said, When, html, usePage } from "./ui.js";
import { texts } from "./texts.js";
import { write } from "./address.js";

const MOST_TARGETS = 3;
// A row shows one line; the rest of a long text would only be laid out and thrown away.
const LINE = 300;

export const cut = (text) => (text.length > LINE ? `${text.slice(0, LINE)}…` : text);

/** Who acted, by the name that people know. */
export const actorName = (event) => event.actor?.name || event.actor?.id || texts.list.erasedActor;

/** What happened, in words; without the actor in front, which stands beside it. */
export function inWords(event) {
  if (event.erased_at) return texts.list.erased;
  const said = event.description ?? event.summary ?? event.type;
  const name = actorName(event);
  return event.description === undefined && said.startsWith(`${name} `) ? said.slice(name.length + 1) : said;
}

/** What stands between the actor and the words: a summary goes on after the name. */
export const between = (event) => (event.description === undefined && !event.erased_at ? " " : texts.list.dash);

/** A place: city, region where there is no city, and country. */
export function place(location) {
  return [location?.city ?? location?.region, location?.country].filter(Boolean).join(", ");
}

export function Row({ event, index, top, isActive, isOpen, onOpen, onReach }) {
  const { state } = usePage();
  const targets = event.targets ?? [];
  const open = (click) => {
    if (click.ctrlKey || click.metaKey || click.shiftKey || click.button !== 0) return;
    click.preventDefault();
    onOpen(event, index);
  };
  return html`<article class=${`entry ${isOpen ? "opened" : ""}`} data-index=${index} data-id=${event.id}
      style=${{ top: `${top}px` }}>
    <${Avatar} actor=${event.actor} />
    <div class="what">
      <strong><${Said} text=${cut(actorName(event))} /></strong>${between(event)}
      <a href=${write({ ...state, event: event.id })} tabindex=${isActive ? 0 : -1}
        aria-current=${isOpen ? "true" : null} onClick=${open} onFocus=${() => onReach(index)}><${Said} text=${cut(inWords(event))} /></a>
    </div>
    <div class="on quiet">
      <span class="badge">${event.type}</span>
      ${targets.slice(0, MOST_TARGETS).map((target) => html` <${Said} text=${cut(target.name || target.id)} />`)}
      ${targets.length > MOST_TARGETS && ` ${texts.list.and(targets.length - MOST_TARGETS)}`}
    </div>
    <div class="where quiet"><${Said} text=${cut(place(event.location))} /> <span class="ip">${event.ip ?? ""}</span></div>
    <div class="when quiet"><${When} at=${event.occurred_at} /></div>
  </article>`;
}
