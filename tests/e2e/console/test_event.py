"""One event, opened: all that is known of it, and where one can go from it."""

import json

from playwright.sync_api import expect

from tests.e2e.client import Org, create_org
from tests.e2e.console.visit import Begin, Visit


def test_an_event_is_opened_read_and_left_by_keyboard(visit: Visit, globex: Org) -> None:
    page = next(globex.pages(limit=5))

    visit.keys("j", "j", "Enter")
    expect(visit.detail).to_contain_text(page[1]["id"])
    assert visit.asked["event"] == page[1]["id"]
    # From one to the next, with the event open.
    visit.keys("j")
    expect(visit.detail).to_contain_text(page[2]["id"])
    visit.keys("k", "k")
    expect(visit.detail).to_contain_text(page[0]["id"])
    visit.keys("Escape")
    expect(visit.detail).to_have_count(0)
    expect(visit.entry(0).get_by_role("link")).to_be_focused()
    assert "event" not in visit.asked
    # A key that is typed is no shortcut.
    visit.keys("/")
    visit.page.keyboard.type("jk?")
    expect(visit.line).to_have_value("jk?")
    visit.keys("Escape", "Escape", "?")
    shortcuts = visit.page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(shortcuts).to_contain_text("next, previous event")
    visit.keys("Escape")
    expect(shortcuts).to_have_count(0)
    # Other parts of the log are two keys away.
    visit.keys("g", "d")
    expect(visit.page).to_have_title("Downloads · " + globex.name + " · Audit log")
    visit.keys("g", "e")
    visit.settled()


def test_what_changed_stands_beside_what_it_was(visit: Visit) -> None:
    visit.entry(0).click()

    changed = visit.detail.get_by_role("table")
    expect(changed.get_by_role("row")).to_have_count(3)
    expect(changed.get_by_role("row", name="visibility")).to_contain_text("private")
    expect(changed.get_by_role("row", name="visibility").locator("ins")).to_have_text("public")
    # Of a text only what differs is marked.
    topic = changed.get_by_role("row", name="topic")
    expect(topic.locator("del mark")).to_have_text("5")
    expect(topic.locator("ins mark")).to_have_text("6")
    expect(visit.detail).to_contain_text("203.0.113.0 anonymized: the last part is never kept")


def test_an_event_leads_to_others(visit: Visit, globex: Org) -> None:
    visit.search("actor:usr_0001 type:repo")
    visit.entry(1).click()
    expect(visit.detail).to_contain_text("globex/engine")

    visit.press("Only this: Actor usr_0001")
    visit.press("Only this: Targets repo/repo_1")
    visit.press("All but this: Place FR")
    visit.settled()
    assert visit.chips == ["type:repo", "actor:usr_0001", "target:repo/repo_1", "-country:FR"]
    visit.press("Clear everything")
    visit.press("Show events around it")
    visit.settled()
    assert visit.chips[0].startswith("from ")
    # It stays open among those around it, even if they are its only company.
    around = globex.events(since=visit.asked["since"], until=visit.asked["until"])
    assert visit.asked["event"] in [event["id"] for event in around]
    assert visit.all_ids() == [event["id"] for event in around]


def test_an_event_is_copied_as_the_api_has_it(visit: Visit, globex: Org) -> None:
    visit.entry(0).click()
    visit.press("Copy as JSON")

    expect(visit.detail.get_by_role("button", name="Copied")).to_be_visible()
    with globex.http() as http:
        answer = http.get(f"{globex.path}/events/{visit.asked['event']}")
    assert json.loads(visit.clipboard()) == answer.json()


def test_a_link_shows_the_same_to_others(visit: Visit, begin: Begin, globex: Org) -> None:
    visit.search("country:FR operation:modify")
    visit.entry(2).click()
    expect(visit.detail.get_by_role("heading", level=2)).to_be_focused()
    shared = visit.page.url.removeprefix(visit.stack["console_url"])
    with globex.http() as http:
        body = {"actor": {"id": "usr_2"}, "minutes": 15}
        session = http.post(f"{globex.path}/sessions", json=body).raise_for_status().json()

    other = begin()
    other.open(f"{shared}#session={session['token']}")
    other.settled()
    assert other.asked == visit.asked
    assert other.chips == visit.chips == ["country:FR", "operation:modify"]
    assert other.count == visit.count
    assert other.detail.inner_text() == visit.detail.inner_text()
    # A link to one event alone needs no filter, and is of the whole log.
    visit.press("Copy link")
    expect(visit.detail.get_by_role("button", name="Copied")).to_be_visible()
    other.page.goto(visit.clipboard())
    other.settled()
    expect(other.detail).to_contain_text(visit.asked["event"])
    assert other.chips == []


def test_a_link_to_another_org_says_so(begin: Begin, globex: Org) -> None:
    stranger = create_org(globex.stack, "stranger")
    visit = begin()
    visit.open(f"?org={globex.name}&event=x")

    visit.give(stranger.key)

    expect(visit.page.get_by_role("alert")).to_contain_text(
        f"The link is for {globex.name}, and this credential is for {stranger.name}."
    )
