// The search: a line of the query language with suggestions, what it asks for as chips, and
// mistakes marked at their place.

import { all as presets, chips, holds, toggled } from "./presets.js";
import { suggestions } from "./suggest.js";
import { plain } from "./seen.js";
import { texts } from "./texts.js";
import { short } from "./time.js";
import { Said, html, useEffect, useId, useMemo, usePage, useRef, useState } from "./ui.js";

/** `known` feeds the suggestions; `error` is the `Problem` of the last answer, if any. */
export function Search({ known, error }) {
  const { state, go } = usePage();
  const [draft, setDraft] = useState(state.q);
  useEffect(() => setDraft(state.q), [state.q]);
  const fault = mistake(error);
  const faultId = useId();
  const submit = (q) => go({ q: q.trim() });
  return html`<search class="search">
    <form onSubmit=${(event) => { event.preventDefault(); submit(draft); }}>
      <${Line} draft=${draft} onDraft=${setDraft} onSubmit=${submit} known=${known} faultId=${fault && faultId} />
      <button type="submit" class="primary">${texts.search.submit}</button>
    </form>
    ${fault && html`<${Mistake} id=${faultId} query=${state.q} fault=${fault} />`}
    <div class="presets" role="group" aria-label=${texts.search.presets}>
      ${presets().map((preset) => html`<button type="button" key=${preset.label} class="pill"
        aria-pressed=${holds(state.q, preset)} onClick=${() => go({ q: toggled(state.q, preset) })}>${preset.label}</button>`)}
      ${[["24h", texts.search.preset.day], ["7d", texts.search.preset.week]].map(([last, label]) => html`<button
        type="button" key=${last} class="pill" aria-pressed=${state.last === last}
        onClick=${() => go({ last: state.last === last ? "" : last, since: "", until: "" })}>${label}</button>`)}
      <button type="button" class="pill" aria-pressed=${state.hidden !== ""}
        onClick=${() => go({ hidden: state.hidden ? "" : "1" })}>${texts.search.showHidden}</button>
    </div>
    <${Chips} />
  </search>`;
}

function Line({ draft, onDraft, onSubmit, known, faultId }) {
  const input = useRef(null);
  const id = useId();
  const [cursor, setCursor] = useState(null);
  const [active, setActive] = useState(-1);
  const offered = useMemo(
    () => (cursor === null ? [] : suggestions(draft, cursor, known)),
    [draft, cursor, known],
  );
  const isOpen = offered.length > 0;
  const close = () => { setCursor(null); setActive(-1); };
  const look = () => { setCursor(input.current.selectionStart); setActive(-1); };
  const take = ({ from, to, insert }) => {
    const text = draft.slice(0, from) + insert + draft.slice(to).trimStart();
    onDraft(text);
    const at = from + insert.length;
    setActive(-1);
    // The value has to be there before the cursor can be put into it.
    requestAnimationFrame(() => {
      input.current.focus();
      input.current.setSelectionRange(at, at);
      setCursor(insert.endsWith(" ") ? null : at);
    });
  };
  const press = (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) {
      event.preventDefault();
      if (!isOpen) look();
      else setActive((was) => ((was + step + offered.length + 2) % (offered.length + 1)) - 1);
    } else if (event.key === "Enter" && isOpen && active >= 0) {
      event.preventDefault();
      take(offered[active]);
    } else if (event.key === "Tab" && isOpen && active >= 0) {
      event.preventDefault();
      take(offered[active]);
    } else if (event.key === "Enter") {
      event.preventDefault();
      close();
      onSubmit(draft);
    } else if (event.key === "Escape") {
      event.stopPropagation();
      if (isOpen) close();
      else input.current.blur();
    }
  };
  return html`<div class="line">
    <label class="hidden" for=${id}>${texts.search.label}</label>
    <input id=${id} ref=${input} class="query" type="text" role="combobox" value=${draft} autocomplete="off"
      autocapitalize="none" spellcheck=${false} maxlength="2000" placeholder=${texts.search.placeholder}
      aria-expanded=${isOpen} aria-controls=${`${id}-list`} aria-autocomplete="list"
      aria-activedescendant=${active >= 0 ? `${id}-${active}` : null}
      aria-invalid=${faultId ? "true" : null} aria-describedby=${faultId || null}
      onInput=${(event) => { onDraft(event.target.value); look(); }}
      onClick=${look} onKeyDown=${press} onBlur=${close} />
    <ul id=${`${id}-list`} class="offered" role="listbox" aria-label=${texts.search.suggestions} hidden=${!isOpen}>
      ${offered.map((each, number) => html`<li key=${each.label} id=${`${id}-${number}`} role="option"
        aria-selected=${number === active} onPointerDown=${(event) => { event.preventDefault(); take(each); }}>
        <span><${Said} text=${each.label} /></span> <span class="quiet"><${Said} text=${each.hint ?? ""} /></span>
      </li>`)}
    </ul>
  </div>`;
}

// `at character 6: found "x", expected ...` is how the API names a place in `q`.
export function mistake(error) {
  const found = error?.status === 400 ? (error.errors ?? []).find((each) => each.parameter === "q") : null;
  if (!found) return null;
  const place = /^at character (\d+): (.*)$/s.exec(found.detail);
  return place ? { at: Number(place[1]) - 1, reason: place[2] } : { at: 0, reason: found.detail };
}

function Mistake({ id, query, fault }) {
  // The API counts characters, JavaScript halves of some of them.
  const letters = [...query];
  const rest = letters.slice(fault.at).join("");
  const wrong = /^("[^"]*"?|\S*)/.exec(rest)[0] || " ";
  return html`<div id=${id} class="fault mistake" role="alert">
    <p><strong>${texts.search.faultAt}</strong> <${Said} text=${fault.reason} /></p>
    <p class="marked"><${Said} text=${letters.slice(0, fault.at).join("")} /><mark><${Said} text=${wrong} /></mark><${Said} text=${rest.slice(wrong.length)} /></p>
  </div>`;
}

function Chips() {
  const { state, go, zone } = usePage();
  const last = /^(\d+)([hd])$/.exec(state.last);
  const times = [
    last && { label: texts.search.last(texts.search.lasts[last[2]](Number(last[1]))), without: { last: "" } },
    !last && state.since && { label: texts.search.since(said(state.since, zone)), without: { since: "" } },
    !last && state.until && { label: texts.search.until(said(state.until, zone)), without: { until: "" } },
    state.hidden && { label: texts.search.hidden, without: { hidden: "" } },
  ];
  const all = [...chips(state.q).map((chip) => ({ ...chip, without: { q: chip.rest } })), ...times.filter(Boolean)];
  if (all.length === 0) return null;
  // The button that was pressed goes with its chip; the keyboard goes on at the search.
  const take = (without) => {
    go(without);
    document.querySelector("input.query").focus();
  };
  return html`<ul class="chips" aria-label=${texts.search.chips}>
    ${all.map((chip) => html`<li key=${chip.label} class=${`chip ${chip.negated ? "not" : ""} ${chip.wrong ? "wrong" : ""}`}>
      <${Said} text=${chip.label} />
      <button type="button" class="plain" aria-label=${texts.search.remove(plain(chip.label))} onClick=${() => take(chip.without)}>${"\u00d7"}</button>
    </li>`)}
    <li><button type="button" class="small" onClick=${() => take({ q: "", since: "", until: "", last: "", hidden: "" })}>${texts.search.clear}</button></li>
  </ul>`;
}

const said = (moment, zone) => (Number.isNaN(Date.parse(moment)) ? moment : short(Date.parse(moment), zone));
