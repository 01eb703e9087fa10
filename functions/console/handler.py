"""The page and its files; no table, no key, nothing of any org."""

import re
from functools import cache
from pathlib import Path
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import routes
from auditlog.errors import ConfigurationError, NotFoundError
from auditlog.http import Answer, Api, Request
from auditlog.issuer import Issuer
from auditlog.settings import SETTINGS
from auditlog.telemetry import metered
from console.files import File, Files
from console.front import Front

#: Under an address that has their version in it, files never change.
KEPT = "public, max-age=31536000, immutable"
_REFUSED = re.compile(r"q=0(\.0{0,3})?")

api = Api()
files = Files(Path(__file__).parent / "page")


@api.route(routes.CONSOLE)
def page(request: Request) -> Answer:
    """The page; a browser that has it asks whether it still is the same."""
    front = _front(files, SETTINGS.oidc_issuer, SETTINGS.console_avatars)
    headers = {"Cache-Control": "no-cache", "ETag": front.tag, **front.headers}
    known = request.headers.get("if-none-match", "")
    if front.tag in (tag.strip() for tag in known.split(",")):
        return Answer(304, headers={"Vary": "Accept-Encoding", **headers})
    return _answer(request, front.page, headers)


@api.route(routes.CONSOLE_FILE)
def file(request: Request) -> Answer:
    """A file of the page, of the version that is here."""
    found = files.get(request.path["version"], request.path["file"])
    if found is None:
        raise NotFoundError("No such file of the console; load the page again.")
    return _answer(
        request,
        found,
        {
            "Cache-Control": KEPT,
            "Cross-Origin-Resource-Policy": "same-origin",
            "X-Content-Type-Options": "nosniff",
        },
    )


def takes_gzip(accepted: str) -> bool:
    """Whether a header Accept-Encoding (RFC 9110 section 12.5.3) names gzip, and not to refuse it.

    One that would take anything is given what everything can read.
    """
    for item in accepted.lower().split(","):
        coding, *weights = (part.strip() for part in item.split(";"))
        if coding in {"gzip", "x-gzip"}:
            return not any(_REFUSED.fullmatch(weight) for weight in weights)
    return False


def _answer(request: Request, found: File, headers: dict[str, str]) -> Answer:
    headers = {"Vary": "Accept-Encoding", **headers}
    if takes_gzip(request.headers.get("accept-encoding", "")):
        packed = {"Content-Encoding": "gzip", **headers}
        return Answer(200, found.packed, packed, content_type=found.type)
    return Answer(200, found.data, headers, content_type=found.type)


@cache
def _front(shown: Files, issuer: str | None, avatars: tuple[str, ...]) -> Front:
    try:
        return Front(shown, None if issuer is None else Issuer.parse(issuer), avatars)
    except ValueError as error:
        raise ConfigurationError(f"the environment variable OIDC_ISSUER: {error}") from None


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
