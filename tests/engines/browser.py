"""The browser that the console is tested in: the machine's own Chromium, without a window."""

import os
import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
# What a browser asks of its makers is no request of the page.
OPTIONS = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--enable-precise-memory-info",
    "--no-first-run",
)


@contextmanager
def chromium() -> Generator[Browser]:
    """Run the browser; it ends with this."""
    path = find(os.environ)
    with sync_playwright() as driver:
        # Root cannot run its sandbox.
        browser = driver.chromium.launch(
            executable_path=path, args=OPTIONS, chromium_sandbox=os.geteuid() != 0
        )
        try:
            yield browser
        finally:
            browser.close()


def find(environment: Mapping[str, str]) -> str:
    """The program; raises with what to do where there is none."""
    named = environment.get("CHROMIUM")
    search = environment.get("PATH")
    for name in (named,) if named else NAMES:
        found = shutil.which(name, path=search)
        if found:
            return found
    message = (
        f"there is no browser ({named or ', '.join(NAMES)}), and the console is tested in one: "
        "install Chromium (Debian: `apt-get install chromium`), "
        "or name one with CHROMIUM=/path/to/chromium"
    )
    raise FileNotFoundError(message)
