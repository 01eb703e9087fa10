"""The ways into the console, and out of it."""

from playwright.sync_api import expect

from tests.e2e.client import Org
from tests.e2e.console.visit import Begin


def test_a_link_is_a_way_in_that_cannot_be_shared_by_accident(begin: Begin, org: Org) -> None:
    with org.http() as http:
        body = {"actor": {"id": "usr_1", "name": "Ada"}, "minutes": 15}
        session = http.post(f"{org.path}/sessions", json=body).raise_for_status().json()
    visit = begin()

    visit.open(f"#session={session['token']}")
    visit.settled()

    assert "als_" not in visit.page.url
    assert visit.asked == {"org": org.name}
    assert not any("als_" in request for request in visit.watch.requests)
    expect(visit.bar).to_contain_text("Ada until")
    # A reload, or a link within the log, does not end it.
    visit.page.reload()
    visit.settled()
    # What only reads says so instead of failing.
    visit.bar.get_by_role("link", name="Settings").click()
    expect(visit.page.get_by_role("main")).to_contain_text("A session is read-only.")
    visit.bar.get_by_role("link", name="Downloads").click()
    expect(visit.page.get_by_role("main")).to_contain_text("exports:create")
    visit.press("Leave")
    expect(visit.page.get_by_role("main")).to_contain_text("You left.")
    visit.page.reload()
    visit.page.get_by_label("Key or session token").wait_for()


def test_a_key_is_a_way_in_for_as_long_as_the_page_is_open(begin: Begin, globex: Org) -> None:
    visit = begin()
    visit.enter(globex)

    assert (
        visit.page.evaluate("[localStorage, sessionStorage].map(JSON.stringify).join()").find(
            globex.key
        )
        == -1
    )
    assert visit.context.cookies() == []
    visit.page.reload()
    expect(visit.page.get_by_label("Key or session token")).to_have_value("")


def test_who_cannot_come_in_is_told_what_to_do(begin: Begin, globex: Org) -> None:
    visit = begin()
    visit.watch.expected = {401}
    main = visit.page.get_by_role("main")
    visit.open()

    visit.give("hunter2")
    expect(visit.page.get_by_role("alert")).to_contain_text("one begins with alk_")
    visit.give(globex.key[:-1] + "x")
    expect(visit.page.get_by_role("alert")).to_contain_text("Enter again with a fresh link or key.")
    # Nothing is lost by it: the right one works from there.
    visit.give(f"  {globex.key}\n")
    visit.settled()
    visit.press("Leave")
    expect(main).to_contain_text("The credential is gone from this tab.")
    visit.open("#session=als_AAAAAAAAAAAA_" + "A" * 49)
    expect(visit.page.get_by_role("alert")).to_contain_text("Enter again with a fresh link or key.")
