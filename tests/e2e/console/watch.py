"""What no page may do: each is told to a test afterwards, which fails."""

import re
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Dialog, Page, Request

# Told by the page itself, before anything of it runs. `ran` is what hostile events set.
_WITNESS = """
addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI, sourceFile }) =>
  console.error(`the policy refused: ${effectiveDirective} ${blockedURI} ${sourceFile}`));
Object.defineProperty(window, "ran", { set: () => console.error("a script of an event ran") });
"""
_STATUS = re.compile(r"the server responded with a status of (\d+)")


class Watch:
    """Requests that leave the stack, errors of scripts, refusals of the policy, dialogs.

    `allowed` are origins that a test wants to be asked beside the stack's own.
    `expected` are statuses that a test wants to be answered, and `ignored` is an error
    that it makes itself; a browser tells of both.
    """

    def __init__(self, context: BrowserContext, origin: str) -> None:
        self.found: list[str] = []
        self.expected: set[int] = set()
        self.ignored = ""
        self.requests: list[str] = []
        self.allowed = {origin}
        context.add_init_script(_WITNESS)
        context.on("request", self._request)
        context.on("console", self._console)
        context.on("weberror", lambda error: self.found.append(f"error: {error.error}"))
        context.on("dialog", self._dialog)

    def page(self, page: Page) -> None:
        """Looks after a page, too."""
        page.on("crash", lambda _: self.found.append("the page crashed"))

    def _request(self, request: Request) -> None:
        self.requests.append(request.url)
        address = urlsplit(request.url)
        # What is written in the page itself asks nobody.
        is_asked = address.scheme not in {"data", "blob", "about"}
        if is_asked and f"{address.scheme}://{address.netloc}" not in self.allowed:
            self.found.append(f"a request to {request.url}")

    def _dialog(self, dialog: Dialog) -> None:
        self.found.append(f"a dialog: {dialog.message}")
        dialog.dismiss()

    def _console(self, message: ConsoleMessage) -> None:
        if message.type not in {"error", "warning", "assert"}:
            return
        if self.ignored and self.ignored in message.text:
            return
        status = _STATUS.search(message.text)
        if status is None or int(status[1]) not in self.expected:
            self.found.append(f"{message.type}: {message.text} ({message.location['url']})")
