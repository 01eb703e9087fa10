"""Everything that ends a command early, and what is printed of it.

CommandError              1  it did not work; says what to do next
├── RefusedError          1  the service answered with a problem
├── UnreachableError      1  the service did not answer
└── UsageError            2  the command was not given what it needs
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, cast

if TYPE_CHECKING:
    import httpx


class CommandError(Exception):
    """Ends the command with `exit_code`; `places` are one line each, `hint` is what to do next."""

    exit_code = 1

    def __init__(self, message: str, *, places: Sequence[str] = (), hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.places = tuple(places)
        self.hint = hint


class UsageError(CommandError):
    """The command line, the environment or `stack.json` lacks something, or holds nonsense."""

    exit_code = 2


class UnreachableError(CommandError):
    """No answer, after every attempt that was safe to make."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of a problem's `errors`. `place` is a JSON pointer or a parameter's name."""

    place: str
    detail: str

    def __str__(self) -> str:
        return f"{self.place}: {self.detail}" if self.place else self.detail


class RefusedError(CommandError):
    """A problem document (RFC 9457), or what stood in its place, with its status."""

    def __init__(self, status: int, title: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(
            f"{title} ({status})", places=[*map(str, faults)], hint=_HINTS.get(status, "")
        )
        self.status = status
        self.title = title
        self.faults = tuple(faults)


_HINTS = {
    401: "Give a key that is good: --key, or AUDITLOG_KEY. `auditlog keys create` makes one.",
    403: "The key lacks the grant for this. An admin makes another with "
    "`auditlog keys create NAME --grant ...`.",
    404: "Check --org and the id. To a key, every org but its own is as if it were not there.",
    410: "Its file was removed. Make a new one with `auditlog export`.",
    412: "Somebody has changed it meanwhile. Look again, and repeat what you still want.",
    413: "Send less at once: --batch sets how many events go into one request.",
    429: "Too much for now. Try again later: nothing that was recorded is recorded twice.",
    500: "The fault is the service's. Its log has the cause under this request id.",
    503: "Try again later: nothing that was recorded is recorded twice.",
}


def refusal(response: "httpx.Response") -> RefusedError:
    """The error that an answer of 400 or more stands for. Its body must have been read."""
    try:
        problem: object = response.json()
    except ValueError:
        problem = None
    if not isinstance(problem, dict):
        return RefusedError(response.status_code, _reason(response))
    document = cast("dict[str, Any]", problem)
    title = str(document.get("detail") or document.get("title") or document.get("message") or "")
    request_id = document.get("request_id")
    return RefusedError(
        response.status_code,
        (title or _reason(response)).rstrip(".")
        + (
            f", request {request_id}"
            if request_id and response.status_code >= HTTPStatus.INTERNAL_SERVER_ERROR
            else ""
        ),
        [*map(_fault, cast("list[Any]", document.get("errors") or []))],
    )


def _fault(entry: Any) -> Fault:
    fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {"detail": entry}
    place = fields.get("pointer", fields.get("parameter", ""))
    return Fault(str(place), str(fields.get("detail", "")))


def _reason(response: "httpx.Response") -> str:
    try:
        return HTTPStatus(response.status_code).phrase
    except ValueError:
        return "The service refused"
