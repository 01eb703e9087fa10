"""Downloads: what is said before, the file that is saved, the list of them."""

import json
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.e2e.client import Org
from tests.e2e.console.visit import FIRST_PATIENCE, Visit
from tests.e2e.downloads import ask

QUERY = "country:FR -type:org.sso_login"


def test_what_is_shown_is_what_is_saved(visit: Visit, globex: Org, tmp_path: Path) -> None:
    expected = globex.events(q=QUERY)
    visit.search(QUERY)
    visit.press("Download…")
    dialog = visit.page.get_by_role("dialog", name="Download events")

    # What the file will hold is said before.
    told = dialog.get_by_role("region", name="What the file will hold")
    expect(told).to_contain_text(f"{len(expected)} events")
    expect(told).to_contain_text("Hidden events are left out, but")
    expect(dialog).to_contain_text(QUERY)
    dialog.get_by_label("JSON, an event a line").check()
    dialog.get_by_label("Compress with gzip").uncheck()
    # Three functions begin to run for the first file.
    with visit.page.expect_download(timeout=FIRST_PATIENCE) as saved:
        dialog.get_by_role("button", name="Make the file").click()
    expect(dialog).to_contain_text("its download has begun")

    file = tmp_path / saved.value.suggested_filename
    saved.value.save_as(file)
    assert file.suffix == ".ndjson"
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert lines == sorted(expected, key=lambda event: event["id"])

    # It is in the list, with who asked for it, how large it is, and until when it is kept.
    dialog.get_by_role("button", name="All downloads").click()
    made = visit.page.get_by_role("listitem").filter(has_text=QUERY)
    expect(made).to_contain_text("Ready")
    with globex.http() as http:
        exports = http.get(f"{globex.path}/exports").json()["exports"]
    [export] = [export for export in exports if export["filter"].get("q") == [QUERY]]
    facts = {
        "Asked for by": export["requested_by"]["name"],
        "Form": "JSON, an event a line, not compressed",
        "Events": str(len(expected)),
        "Size": f"{file.stat().st_size / 1_000:.0f} kB",
    }
    for name, value in facts.items():
        fact = made.locator("div").filter(has=visit.page.get_by_text(name, exact=True))
        expect(fact.get_by_role("definition")).to_contain_text(value)
    assert export["bytes"] == file.stat().st_size
    until = made.locator("div").filter(has_text="Kept until").locator("time").first
    expect(until).to_have_attribute("datetime", export["expires_at"])
    with visit.page.expect_download() as again:
        made.get_by_role("button", name="Download", exact=True).click()
    assert again.value.path().read_bytes() == file.read_bytes()

    made.get_by_role("button", name="Remove").click()
    asked = visit.page.get_by_role("dialog", name="Remove this file?")
    expect(asked).to_contain_text("Nobody can download it any more")
    asked.get_by_role("button", name="Cancel").click()
    expect(made.get_by_role("button", name="Remove")).to_be_focused()
    visit.keys("Enter")
    asked.get_by_role("button", name="Remove").click()
    expect(visit.page.get_by_role("status")).to_contain_text(["The file was removed."])
    expect(made).to_contain_text("Removed")
    expect(made.get_by_role("button")).to_have_count(0)
    with globex.http() as http:
        assert http.get(f"{globex.path}/exports/{export['id']}").json()["state"] == "expired"


def test_the_whole_log_is_counted_with_what_is_hidden(visit: Visit, globex: Org) -> None:
    ask(globex, q="country:JP")
    visit.bar.get_by_role("link", name="Downloads").click()
    visit.press("New download")
    dialog = visit.page.get_by_role("dialog", name="Download events")

    expect(dialog.get_by_label("The whole log")).to_be_checked()
    everything = len(globex.events(include_hidden=True))
    shown = len(globex.events())
    assert everything > shown, "that somebody downloaded is hidden"
    counted = dialog.get_by_role("status")
    expect(counted).to_have_text(re.compile(rf"^{everything:,} events$"))
    dialog.get_by_label("With hidden events").uncheck()
    expect(counted).to_have_text(re.compile(rf"^{shown:,} events$"))
    # What does not go together cannot be chosen together, and it is said why.
    dialog.get_by_label("CSV, a table").check()
    expect(dialog.get_by_label("As the Hugging Face Hub exports it")).to_be_disabled()
    expect(dialog).to_contain_text("The Hub's form is there as JSON only.")
    expect(dialog.get_by_label("Begin with a byte order mark")).to_be_visible()
    visit.keys("Escape")
    expect(dialog).to_have_count(0)
    expect(visit.page.get_by_role("button", name="New download")).to_be_focused()
