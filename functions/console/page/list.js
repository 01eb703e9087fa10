// The list of events. Only what is near the window is in the document, so that ten thousand
// entries scroll like a hundred: every row has a height that is known before it is drawn.

import { Row } from "./row.js";
import { Fault, html, useLayoutEffect, useMemo, useNarrow, useRef, usePage, useState, NARROW } from "./ui.js";
import { texts } from "./texts.js";
import { dayName, dayOf } from "./time.js";

const BEYOND = 800;
const AHEAD = 4_000;

/** Heights in pixels, the same as in the style sheet; they grow with the reader's letters. */
function heights() {
  const scale = Number.parseFloat(getComputedStyle(document.documentElement).fontSize) / 15;
  const [day, event] = NARROW.matches ? [40, 108] : [44, 64];
  return { day: day * scale, event: event * scale };
}

/** What is drawn, top to bottom: `{day}` or `{event, index}`, each with its `top`. */
function layout(events, zone, { day, event }) {
  const items = [];
  let top = 0;
  let last = null;
  events.forEach((each, index) => {
    const date = dayOf(each.occurred_at, zone);
    if (date !== last) {
      items.push({ day: date, top });
      top += day;
      last = date;
    }
    items.push({ event: each, index, top });
    top += event;
  });
  return { items, height: top };
}

/** The number of the last item that begins at or above `y`. */
function itemAt(items, y) {
  let low = 0;
  let high = items.length - 1;
  while (low < high) {
    const middle = (low + high + 1) >> 1;
    if (items[middle].top <= y) low = middle;
    else high = middle - 1;
  }
  return Math.max(low, 0);
}

/** All of a log that was loaded. `active` is the index that the keyboard is at. */
export function List({ log, active, opened, onOpen, onReach, focus }) {
  const { zone } = usePage();
  const ref = useRef(null);
  const narrow = useNarrow();
  const [range, setRange] = useState([0, 40, 0]);
  const sizes = useMemo(heights, [narrow]);
  const { items, height } = useMemo(() => layout(log.events, zone, sizes), [log.events, zone, sizes]);

  useLayoutEffect(() => {
    let frame = null;
    const measure = () => {
      frame = null;
      if (!ref.current) return;
      const above = -ref.current.getBoundingClientRect().top;
      const first = itemAt(items, above - BEYOND);
      const last = itemAt(items, above + innerHeight + BEYOND);
      const seen = itemAt(items, above + sizes.day);
      setRange((was) => ([first, last, seen].every((each, at) => each === was[at]) ? was : [first, last, seen]));
      if (above + innerHeight + AHEAD > height && log.phase === "idle") log.more();
    };
    const soon = () => (frame ??= requestAnimationFrame(measure));
    measure();
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    return () => {
      removeEventListener("scroll", soon);
      removeEventListener("resize", soon);
      if (frame !== null) cancelAnimationFrame(frame);
    };
  }, [items, height, log, log.phase]);

  // The row at which the keyboard is stays in the document, and comes into view.
  const at = active === null ? -1 : items.findIndex((item) => item.index === active);
  // Before the next key can come: it is for the row that was gone to.
  useLayoutEffect(() => {
    if (at < 0 || !focus) return;
    const top = ref.current.getBoundingClientRect().top + scrollY + items[at].top;
    const head = document.querySelector(".bar")?.offsetHeight ?? 0;
    if (top < scrollY + head + sizes.day) scrollTo(0, top - head - sizes.day);
    else if (top + sizes.event > scrollY + innerHeight) scrollTo(0, top + sizes.event - innerHeight + 8);
    ref.current.querySelector(`[data-index="${active}"] a`)?.focus({ preventScroll: true });
  }, [at, focus]);

  const shown = items.slice(range[0], range[1] + 1);
  // One row can be reached by Tab: where the keyboard was, or else the first that is seen.
  const reached = active ?? (items[range[2]]?.index ?? items[range[2] + 1]?.index);
  if (at >= 0 && (at < range[0] || at > range[1])) shown.push(items[at]);
  return html`<div class="list" ref=${ref} style=${{ height: `${height}px` }}>
    ${shown.map((item) =>
      item.day
        ? html`<h3 class="day" key=${item.day} style=${{ top: `${item.top}px` }}>${dayName(item.day, zone)}</h3>`
        : html`<${Row} key=${item.event.id} event=${item.event} index=${item.index} top=${item.top}
            isActive=${item.index === reached} isOpen=${item.event.id === opened} onOpen=${onOpen} onReach=${onReach} />`,
    )}
  </div>`;
}

/** What stands below the list, or in its place: loading, the end, nothing, a failure. */
export function Foot({ log, isFiltered }) {
  if (log.phase === "failed") return html`<${Fault} error=${log.error} again=${() => log.more()} />`;
  if (log.phase === "end" && log.events.length === 0) {
    const [title, why] = isFiltered
      ? [texts.list.noMatch, texts.list.noMatchWhy]
      : [texts.list.nothing, texts.list.nothingWhy];
    return html`<div class="empty"><h3>${title}</h3><p>${why}</p></div>`;
  }
  if (log.phase === "end") {
    return html`<p class="foot quiet">${isFiltered ? texts.list.endOfSearch : texts.list.end}</p>`;
  }
  if (log.events.length === 0) return html`<${Skeleton} />`;
  if (log.phase === "loading") return html`<p class="foot quiet">${texts.list.loading}</p>`;
  return html`<p class="foot"><button type="button" onClick=${() => log.more()}>${texts.list.more}</button></p>`;
}

function Skeleton() {
  return html`<div class="skeleton" role="status">
    <span class="hidden">${texts.list.loading}</span>
    ${Array.from({ length: 8 }, (_, number) => html`<div key=${number} class="ghost"></div>`)}
  </div>`;
}
