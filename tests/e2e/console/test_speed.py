"""How soon there is something to read, and what a long read costs.

Times and memory are told at the end of a run, and nothing fails by them: machines differ.
What does not differ is checked: how much is loaded, and that ten thousand entries do not
fill the document.
"""

import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Route

from tests.e2e.client import Org
from tests.e2e.console.visit import Begin, Visit

FIRST_LOAD = 100_000
MANY = 10_000
MOST_NODES = 4_000
LATE = 34

# From before the page runs: when the first entries were painted, and every task that
# kept it from answering (50 ms and more).
_TELL = """
window.told = { tasks: [] };
const note = (list) => told.tasks.push(...list.getEntries().map(({ duration }) => duration));
new PerformanceObserver(note).observe({ type: "longtask", buffered: true });
const look = () => document.querySelector("article.entry")
  ? requestAnimationFrame((now) => { told.entries = now; })
  : requestAnimationFrame(look);
requestAnimationFrame(look);
"""
_LOADED = """() => [...performance.getEntriesByType("navigation"),
    ...performance.getEntriesByType("resource")]
  .filter(({ name }) => !name.includes("/v1/"))
  .map(({ encodedBodySize, duration, transferSize }) => [encodedBodySize, transferSize])"""
# Down to the end, more than two windows' height with every other frame: the ids as they were
# met, the milliseconds of each frame, the most nodes that there were.
_READ = """async (wanted) => {
  const seen = new Map();
  const frames = [];
  let nodes = 0;
  let last = performance.now();
  const frame = () => new Promise((done) => requestAnimationFrame((now) => {
    frames.push(now - last);
    last = now;
    done();
  }));
  const until = performance.now() + 120_000;
  told.tasks.length = 0;
  while (seen.size < wanted && performance.now() < until) {
    for (const { dataset } of document.querySelectorAll("article.entry")) {
      seen.set(Number(dataset.index), dataset.id);
    }
    nodes = Math.max(nodes, document.getElementsByTagName("*").length);
    scrollBy(0, 2_000);
    await frame();
    await frame();
  }
  const ids = [...seen].sort(([one], [other]) => one - other).map(([, id]) => id);
  return { ids, frames, nodes, tasks: told.tasks };
}"""

Tell = Callable[[str], None]


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Says something at the end of the run, and in its report."""

    def say(line: str) -> None:
        record_property("console", line)

    return say


def test_there_is_soon_something_to_read(begin: Begin, acme: Org, tell: Tell) -> None:
    with acme.http() as http:
        body = {"actor": {"id": "usr_1"}, "minutes": 15}
        session = http.post(f"{acme.path}/sessions", json=body).raise_for_status().json()
    link = f"#session={session['token']}"

    def painted(visit: Visit) -> float:
        visit.open(link)
        visit.settled()
        return visit.page.evaluate("told.entries")

    visits = [begin(), begin()]
    for visit in visits:
        visit.context.add_init_script(_TELL)
    # The functions may begin with the first of them, and whoever sees this waits for that.
    first, new = [painted(visit) for visit in visits]
    loaded = visits[1].page.evaluate(_LOADED)
    size = sum(encoded for encoded, _ in loaded)
    assert 10_000 < size < FIRST_LOAD
    visits[1].page.goto("about:blank")
    known = painted(visits[1])
    again = sum(transferred for _, transferred in visits[1].page.evaluate(_LOADED))
    assert again < size / 10, "what is kept for ever is not loaded again"
    tell(
        f"first entries of {visits[1].count:,} after {new:,.0f} ms in a new browser "
        f"({size / 1_000:.0f} kB in {len(loaded)} files), {known:,.0f} ms in one that was there "
        f"before, {first:,.0f} ms for the very first, before whom nobody had asked the functions"
    )


def test_ten_thousand_entries_read_like_a_hundred(begin: Begin, org: Org, tell: Tell) -> None:
    # The emulator takes minutes for so many, and this is about the page: they are answered
    # here, as the API would.
    events = [plain(number) for number in reversed(range(MANY))]

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        start = int(query.get("cursor", ["0"])[0])
        end = start + int(query["limit"][0])
        page = {"events": events[start:end], "next_cursor": str(end) if end < MANY else None}
        route.fulfill(body=json.dumps(page), content_type="application/json")

    visit = begin()
    visit.context.add_init_script(_TELL)
    visit.page.route(f"**{org.path}/events?*", answer)
    visit.enter(org)

    began = time.monotonic()
    read = visit.page.evaluate(_READ, MANY)
    took = time.monotonic() - began

    assert read["ids"] == [event["id"] for event in events]
    assert read["nodes"] < MOST_NODES
    frames = sorted(read["frames"])
    late = sum(frame > LATE for frame in frames)
    heap = visit.page.evaluate("performance.memory.usedJSHeapSize") / 1_000_000
    tasks = read["tasks"]
    tell(
        f"{MANY:,} entries read to the end in {took:.0f} s: {len(tasks)} long tasks, "
        f"{max(tasks, default=0):.0f} ms the longest; {late} of {len(frames)} frames later than "
        f"{LATE} ms, half of them within {frames[len(frames) // 2]:.0f} ms; "
        f"{read['nodes']:,} nodes at most, {heap:.0f} MB of heap"
    )


def plain(number: int) -> dict[str, Any]:
    minute, second = divmod(number, 60)
    hour, minute = divmod(minute, 60)
    at = f"2026-01-01T{hour:02}:{minute:02}:{second:02}.000000Z"
    return {
        "id": f"{number:039}",
        "v": 1,
        "org": "many",
        "type": "repo.create",
        "occurred_at": at,
        "recorded_at": at,
        "actor": {"id": f"usr_{number % 97}", "name": f"Person {number % 97}"},
        "summary": f"Person {number % 97} created a repository: repo_{number % 1_009}",
        "targets": [{"type": "repo", "id": f"repo_{number % 1_009}"}],
        "ip": "203.0.113.0",
        "location": {"country": "FR", "city": "Lyon"},
        "metadata": {"request_id": f"req-{number:016x}"},
    }
