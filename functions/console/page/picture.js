// The picture above the list: how many events, over time; a range of it can be chosen.

import { bars } from "./bars.js";
import { number, texts } from "./texts.js";
import { short, text } from "./time.js";
import { Fault, html, useId, useMemo, usePage, useRef, useState } from "./ui.js";

const WIDTH = 1_200;
const HEIGHT = 96;

/** `told` as the API has it, or the `error` instead; `isOld` while it is of the search before. */
export function Picture({ told, error, isOld, again }) {
  const { go, zone, state } = usePage();
  const drawn = useMemo(() => (told ? bars(told) : []), [told]);
  const [chosen, setChosen] = useState(null);
  const svg = useRef(null);
  const anchor = useRef(null);
  const hint = useId();
  if (drawn.length === 0 || (error && !isOld)) {
    return html`<section class="picture" aria-label=${texts.picture.label} aria-busy=${isOld}>
      ${error && !isOld
        ? html`<${Fault} error=${error} again=${again} />`
        : html`<p class="quiet" role="status">${told ? texts.picture.none : texts.picture.loading}</p>`}
    </section>`;
  }
  // What was chosen is of the bars that were there when it was.
  const isChosen = chosen !== null && chosen.of === told;
  const [low, high] = isChosen ? chosen.range : [0, drawn.length - 1];
  const most = Math.max(1, ...drawn.map((bar) => bar.count));
  const step = WIDTH / drawn.length;
  const at = (event) => {
    const box = svg.current.getBoundingClientRect();
    const part = (event.clientX - box.left) / box.width;
    return Math.min(drawn.length - 1, Math.max(0, Math.floor(part * drawn.length)));
  };
  const choose = (one, other) => setChosen({ of: told, range: [Math.min(one, other), Math.max(one, other)] });
  const apply = ([from, to]) => {
    if (isOld) return;
    setChosen(null);
    // The last bar goes on to where the search does, which may be on and on.
    const until = to === drawn.length - 1 ? state.until : text(drawn[to].to);
    go({ since: text(drawn[from].from), until, last: "" });
  };
  const down = (event) => {
    if (event.button !== 0 || isOld) return;
    svg.current.setPointerCapture(event.pointerId);
    anchor.current = at(event);
    choose(anchor.current, anchor.current);
  };
  const move = (event) => anchor.current !== null && choose(anchor.current, at(event));
  const up = (event) => {
    if (anchor.current === null) return;
    const range = [anchor.current, at(event)].sort((one, other) => one - other);
    anchor.current = null;
    apply(range);
  };
  const cancel = () => { anchor.current = null; setChosen(null); };
  const end = (which) => (event) => {
    const value = Number(event.target.value);
    if (which === 0) choose(Math.min(value, high), high);
    else choose(low, Math.max(value, low));
  };
  const press = (event) => {
    if (event.key === "Enter") apply([low, high]);
    else if (event.key === "Escape" && isChosen) cancel();
    else return;
    event.preventDefault();
  };
  const range = (from, to) => [short(drawn[from].from, zone), short(drawn[to].to, zone)];
  const inside = drawn.slice(low, high + 1).reduce((sum, bar) => sum + bar.count, 0);
  const isNarrowed = Boolean(state.since || state.until || state.last);
  return html`<section class=${`picture ${isOld ? "old" : ""}`} aria-label=${texts.picture.label} aria-busy=${isOld}>
    <p class="quiet said" role="status">
      ${texts.picture.summary(isChosen ? inside : told.total, ...range(low, high))}
      ${!told.exact && ` ${texts.picture.inexact(short(Date.parse(told.covered.since), zone))}`}
    </p>
    <svg ref=${svg} viewBox=${`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img"
      aria-label=${texts.picture.summary(told.total, ...range(0, drawn.length - 1))}
      onPointerDown=${down} onPointerMove=${move} onPointerUp=${up} onPointerCancel=${cancel}>
      ${isChosen && html`<rect class="chosen" x=${low * step} y="0" width=${(high - low + 1) * step} height=${HEIGHT} />`}
      ${drawn.map((bar, index) => {
        const height = bar.count === 0 ? 0 : Math.max(3, (bar.count / most) * (HEIGHT - 4));
        return html`<g key=${bar.from} class=${index >= low && index <= high ? "bar-in" : "bar-out"}>
          <title>${texts.picture.bar(bar.count, short(bar.from, zone), short(bar.to, zone))}</title>
          <rect class="reach" x=${index * step} y="0" width=${step} height=${HEIGHT} />
          <rect class="fill" x=${index * step + step * 0.1} y=${HEIGHT - height} width=${step * 0.8} height=${height} />
        </g>`;
      })}
    </svg>
    <div class="axis quiet" aria-hidden="true">
      <span>${short(drawn[0].from, zone)}</span>
      <span>${told.total > 0 && texts.picture.most(number(most))}</span>
      <span>${short(drawn.at(-1).to, zone)}</span>
    </div>
    <form class="range" onSubmit=${(event) => { event.preventDefault(); apply([low, high]); }}>
      <p id=${hint} class="hidden">${texts.picture.brush}</p>
      <div class="ends">${[[0, low, texts.picture.begin], [1, high, texts.picture.end]].map(([which, value, label]) => html`
        <input key=${which} type="range" min="0" max=${drawn.length - 1} step="1" value=${value} aria-label=${label}
          aria-describedby=${hint} aria-valuetext=${range(low, high)[which]} onInput=${end(which)}
          onKeyDown=${press} />`)}</div>
      <div class="row">${isChosen && html`<button type="submit" class="small">${texts.picture.apply}</button>`}
      ${isNarrowed && html`<button type="button" class="small" onClick=${() => go({ since: "", until: "", last: "" })}>${texts.picture.reset}</button>`}</div>
    </form>
  </section>`;
}

