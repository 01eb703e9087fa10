"""What an admin changes: said before it is done, and so in the API afterwards."""

import time
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Locator, expect

from tests.e2e.client import Org, create_org
from tests.e2e.console.visit import PATIENCE, Begin, Visit

SAID_WITHIN = 60_000


@pytest.fixture
def settings(begin: Begin, org: Org) -> Visit:
    """A visit of an admin to the settings."""
    visit = begin()
    visit.enter(org, "?view=settings")
    return visit


@pytest.fixture(scope="module")
def guest(browser: Browser, stack: dict[str, Any]) -> Iterator[tuple[Visit, float]]:
    """Somebody with a session that was ended at a moment, and whose page is still open.

    It takes up to a minute until they are told; other tests have use for that.
    """
    org = create_org(stack, "test_settings-guests")
    admin, guest = Visit(browser, stack), Visit(browser, stack)
    admin.enter(org, "?view=settings")
    sessions = part(admin, "Sessions")
    link = open_session(admin)
    assert link.startswith(f"{stack['console_url']}#session=als_")

    guest.page.goto(link)
    guest.settled()
    expect(guest.bar).to_contain_text("Grace Hopper until")
    assert guest.count == len(org.events())
    [session] = get(org, "sessions")["sessions"]
    assert session["actor"] == {"id": "usr_1906", "name": "Grace Hopper"}

    sessions.get_by_role("button", name="End the session of Grace Hopper").click()
    admin.page.get_by_role("dialog").get_by_role("button", name="End").click()
    expect(sessions.get_by_role("status")).to_have_text("The session was ended.")
    ended_at = time.monotonic()
    # Its end is told with the page's next question.
    guest.watch.expected = {401}
    yield guest, ended_at
    assert admin.end() == []
    assert guest.end() == []


def open_session(admin: Visit) -> str:
    sessions = part(admin, "Sessions")
    sessions.get_by_text("Open a session").click()
    sessions.get_by_label("Id of the person").fill("usr_1906")
    sessions.get_by_label("Name").fill("Grace Hopper")
    sessions.get_by_role("button", name="Go on").click()
    asked = admin.page.get_by_role("dialog", name="Open this session?")
    expect(asked).to_contain_text("can read the whole log for 60 minutes, as this person")
    asked.get_by_role("button", name="Open a session").click()
    return shown_once(admin, "The link of the session")


def test_a_session_is_opened_and_ended(guest: tuple[Visit, float]) -> None:
    visit, _ = guest
    expect(visit.entries.first).to_be_visible()


def test_the_retention_is_changed_in_words(settings: Visit, org: Org) -> None:
    retention = part(settings, "Retention")
    expect(retention).to_contain_text("Events are kept for ever.")

    retention.get_by_label("for a number of days").check()
    retention.get_by_label("Days (1 to 3,650)").fill("400")
    retention.get_by_role("button", name="Change").click()
    asked = settings.page.get_by_role("dialog", name="Change the retention?")
    expect(asked).to_contain_text("Events will be kept for 400 days.")
    expect(asked).to_contain_text("The change is recorded in the log, with who made it.")
    asked.get_by_role("button", name="Cancel").click()
    assert get(org, "settings")["retention_days"] is None
    retention.get_by_role("button", name="Change").click()
    asked.get_by_role("button", name="Change the retention").click()

    expect(retention.get_by_role("status")).to_have_text("Changed.")
    expect(retention).to_contain_text("Events are kept for 400 days.")
    assert get(org, "settings")["retention_days"] == 400


def test_a_hold_is_placed_and_released(settings: Visit, org: Org) -> None:
    hold = part(settings, "Hold")

    hold.get_by_label("Reason").fill("case 7 of 2026")
    hold.get_by_role("button", name="Place a hold").click()
    asked = settings.page.get_by_role("dialog", name="Place a hold?")
    expect(asked).to_contain_text("Everybody who reads the log can read the reason in it.")
    asked.get_by_role("button", name="Place a hold").click()
    expect(hold).to_contain_text("Nothing of this log is to be removed.")
    assert get(org, "settings")["hold"]["reason"] == "case 7 of 2026"
    expect(part(settings, "Erasure")).to_contain_text("nothing can be erased until it is released")

    hold.get_by_role("button", name="Release the hold").click()
    asked = settings.page.get_by_role("dialog", name="Release the hold?")
    expect(asked).to_contain_text("There is no second grace.")
    release = asked.get_by_role("button", name="Release the hold")
    typed = asked.get_by_label("To go on, type")
    # Where something would go with it, the org's name has to be typed.
    if typed.count():
        expect(release).to_be_disabled()
        typed.fill(org.name)
    release.click()
    expect(hold).to_contain_text("There is no hold")
    assert get(org, "settings")["hold"] is None


def test_a_key_is_made_rotated_and_revoked(settings: Visit, org: Org) -> None:
    keys = part(settings, "Keys")

    keys.get_by_text("Make a key").click()
    keys.get_by_label("Name").fill("siem")
    keys.get_by_label("publish events").uncheck()
    keys.get_by_role("button", name="Go on").click()
    expect(keys.get_by_role("alert")).to_contain_text("Choose at least one thing that it may.")
    keys.get_by_label("search and read").check()
    keys.get_by_role("button", name="Go on").click()
    asked = settings.page.get_by_role("dialog", name="Make this key?")
    expect(asked).to_contain_text("search and read")
    asked.get_by_role("button", name="Make a key").click()
    secret = shown_once(settings, "The new key")
    assert secret not in settings.page.content()
    made = by_name(org, "siem")
    assert made["grants"] == ["events:read"]
    assert Org(org.stack, org.name, secret).events() == org.events()

    keys.get_by_role("button", name="Rotate siem").click()
    dialog = settings.page.get_by_role("dialog", name="Rotate this key?")
    dialog.get_by_label("This one is good for").select_option("an hour more")
    dialog.get_by_role("button", name="Go on").click()
    expect(dialog).to_contain_text("an hour more")
    dialog.get_by_role("button", name="Rotate").click()
    assert shown_once(settings, "The new key") != secret
    replaced, young = [key for key in get(org, "keys")["keys"] if key["name"] == "siem"]
    assert replaced["replaced_by"] == young["id"]

    keys.locator(f'[data-id="{young["id"]}"]').get_by_role("button", name="Revoke siem").click()
    asked = settings.page.get_by_role("dialog", name="Revoke this key?")
    revoke = asked.get_by_role("button", name="Revoke")
    expect(revoke).to_be_disabled()
    asked.get_by_label("To go on, type").fill("siem")
    revoke.click()
    expect(keys.get_by_role("status")).to_have_text("The key was revoked.")
    expect(keys.locator(f'[data-id="{young["id"]}"]')).to_have_count(0)
    assert young["id"] not in [key["id"] for key in get(org, "keys")["keys"]]


def test_an_erasure_is_asked_for_by_typing_whose(settings: Visit, org: Org) -> None:
    event = {"type": "repo.create", "occurred_at": "2026-01-01T00:00:00Z", "key": "1"}
    org.publish({**event, "actor": {"id": "usr_9", "name": "Vera"}})
    erasures = part(settings, "Erasure")

    erasures.get_by_text("Erase…").first.click()
    erasures.get_by_label("Its id, exactly").fill("Vera")
    erasures.get_by_label("Reason").fill("request 12")
    erasures.get_by_role("button", name="Erase…").click()
    # A name is not an id, and would erase nothing.
    erasures.get_by_role("button", name="Take usr_9").click()
    erasures.get_by_role("button", name="Erase…").click()
    asked = settings.page.get_by_role("dialog", name="Erase for ever?")
    expect(asked).to_contain_text("1 event that")
    erase = asked.get_by_role("button", name="Erase for ever")
    asked.get_by_label("To go on, type").fill("usr_8")
    expect(erase).to_be_disabled()
    asked.get_by_label("To go on, type").fill("usr_9")
    erase.click()

    expect(erasures.get_by_role("status")).to_have_text("The erasure was asked for.")
    [erasure] = get(org, "erasures")["erasures"]
    assert erasure["reason"] == "request 12"
    expect(erasures.locator(f'[data-id="{erasure["id"]}"]')).to_contain_text("request 12")


def test_what_somebody_else_changed_is_not_changed_back(settings: Visit, org: Org) -> None:
    settings.watch.expected = {412}
    reads = part(settings, "Who reads the log")
    expect(reads).to_contain_text("Who reads the log is not recorded.")
    with org.http() as http:
        http.patch(f"{org.path}/settings", json={"retention_days": 500}).raise_for_status()

    reads.get_by_role("button", name="Record it").click()
    settings.page.get_by_role("dialog").get_by_role("button", name="Record it").click()

    expect(reads.get_by_role("status")).to_contain_text("Somebody else changed the settings")
    expect(part(settings, "Retention")).to_contain_text("Events are kept for 500 days.")
    assert get(org, "settings")["record_reads"] is False


def test_a_page_whose_session_was_ended_says_so(guest: tuple[Visit, float]) -> None:
    visit, ended_at = guest
    left = SAID_WITHIN - (time.monotonic() - ended_at) * 1_000

    # By itself: the page looks for what is new.
    main = visit.page.get_by_role("main")
    expect(main).to_contain_text("You were signed out", timeout=max(left, PATIENCE))
    expect(visit.entries).to_have_count(0)
    visit.page.reload()
    visit.page.get_by_label("Key or session token").wait_for()


def part(visit: Visit, name: str) -> Locator:
    return visit.page.get_by_role("region", name=name, exact=True)


def shown_once(visit: Visit, title: str) -> str:
    dialog = visit.page.get_by_role("dialog", name=title)
    secret = dialog.get_by_label("Shown this once").input_value()
    # It is not gone by accident, nor where a browser did not copy it.
    visit.page.evaluate("void (navigator.clipboard.writeText = () => Promise.reject())")
    dialog.get_by_role("button", name="Copy", exact=True).click()
    expect(dialog.get_by_role("button", name="Could not copy")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog.get_by_role("alert")).to_contain_text("You have not copied it.")
    visit.page.evaluate("delete navigator.clipboard.writeText")
    dialog.get_by_role("button", name="Could not copy").click()
    expect(dialog.get_by_role("button", name="Copied")).to_be_visible()
    dialog.get_by_role("button", name="Done").click()
    expect(dialog).to_have_count(0)
    assert visit.clipboard() == secret
    return secret


def get(org: Org, path: str) -> dict[str, Any]:
    with org.http() as http:
        return http.get(f"{org.path}/{path}").raise_for_status().json()


def by_name(org: Org, name: str) -> dict[str, Any]:
    [found] = [key for key in get(org, "keys")["keys"] if key["name"] == name]
    return found
