// A download that was just asked for: how far it is, until its file is on its way.

import { useRepeated } from "./answers.js";
import { Contents, Progress, isUnderWay, leaveFor } from "./export-row.js";
import { texts } from "./texts.js";
import { Fault, Said, html, useEffect, usePage, useRef, useState } from "./ui.js";

const words = texts.download;
const ENDS = { failed: words.failed, cancelled: words.stopped, expired: texts.exports.gone };

/** `first` is the answer to the request; `onEnded` hears that nothing is left to be done. */
export function Making({ first, onClose, onEnded }) {
  const { api, org, go } = usePage();
  const [made, setMade] = useState(first);
  const [error, setError] = useState(null);
  const [isStopping, setIsStopping] = useState(false);
  const path = `v1/orgs/${org}/exports/${first.id}`;
  const ref = useRef(null);
  useEffect(() => ref.current.focus(), []);
  const look = async () => {
    try {
      setMade(await api.get(path));
      setError(null);
    } catch (failure) {
      setError(failure);
    }
  };
  useRepeated(look, isUnderWay(made));
  useEffect(() => {
    if (isUnderWay(made)) return;
    onEnded();
    if (made.state === "ready") leaveFor(made.download_url);
  }, [made.state]);
  const stop = async () => {
    setIsStopping(true);
    try {
      await api.remove(path);
      await look();
    } catch (failure) {
      setError(failure);
    }
    setIsStopping(false);
  };
  const again = async () => {
    try {
      const { download_url: url } = await api.get(path);
      if (url) leaveFor(url);
      else await look();
    } catch (failure) {
      setError(failure);
    }
  };
  const toAll = () => {
    onClose();
    go({ view: "exports", event: "" });
  };
  return html`<div class="making">
    <p tabindex="-1" ref=${ref}><${Contents} filter=${made.filter} /></p>
    <div role="status">
      ${made.state === "ready"
        ? html`<p><strong>${words.started}</strong></p>`
        : isUnderWay(made)
          ? html`<p>${words.making}</p><p class="quiet">${words.stays}</p>`
          : html`<p><strong>${ENDS[made.state]}</strong>${" "}
              ${made.error && html`<${Said} text=${made.error} />`}</p>`}
    </div>
    ${isUnderWay(made) && html`<${Progress} made=${made} />`}
    ${error && html`<${Fault} error=${error} />`}
    <footer>
      <button type="button" onClick=${toAll}>${words.all}</button>
      ${made.state === "ready" && html`<button type="button" onClick=${again}>${words.startAgain}</button>`}
      ${isUnderWay(made) && html`<button type="button" class="danger" disabled=${isStopping} onClick=${stop}>
        ${texts.exports.stop}</button>`}
      <button type="button" class="primary" onClick=${onClose}>${texts.actions.close}</button>
    </footer>
  </div>`;
}
