"""Errors as RFC 9457 documents: what a caller is told, in a size that Lambda can answer with."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from aws_lambda_powertools.event_handler import Response

from auditlog.errors import (
    Fault,
    LimitReachedError,
    MethodNotAllowedError,
    ProblemError,
    UnauthenticatedError,
    UnavailableError,
)

#: What the faults of one answer may take; a Lambda answer has 6 MB, and quotes count twice.
_MOST_FAULT_BYTES = 2_500_000


def problem(error: ProblemError, request_id: str) -> Response[Any]:
    """The RFC 9457 document of an error that the caller is told."""
    headers: dict[str, str] = {}
    if isinstance(error, UnavailableError):
        headers["Retry-After"] = str(error.retry_after)
    elif isinstance(error, LimitReachedError):
        headers |= {"Retry-After": str(error.retry_after), **error.standing.fields()}
    elif isinstance(error, UnauthenticatedError):
        headers["WWW-Authenticate"] = 'Bearer realm="auditlog"'
    elif isinstance(error, MethodNotAllowedError):
        headers["Allow"] = ", ".join(sorted(set(error.allowed)))
    slug = re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__.removesuffix("Error")).lower()
    listed = list(_listed(error.faults))
    left_out = len(error.faults) - len(listed)
    document: dict[str, Any] = {
        "type": f"urn:auditlog:problem:{slug}",
        "title": error.title,
        "status": error.status,
        "detail": error.detail + (f" {left_out} more faults are not listed." if left_out else ""),
        "request_id": request_id,
    }
    if listed:
        document["errors"] = listed
    return _document(document, headers)


def internal(request_id: str) -> Response[Any]:
    """The document of what no caller can be told: a fault of ours, which is logged."""
    return _document(
        {
            "type": "urn:auditlog:problem:internal",
            "title": "Internal error",
            "status": 500,
            "detail": "Something failed here; it is in our log.",
            "request_id": request_id,
        },
        {},
    )


def _listed(faults: Sequence[Fault]) -> Iterator[dict[str, str]]:
    """The faults, as far as Lambda can answer with them."""
    left = _MOST_FAULT_BYTES
    for fault in faults:
        shown = fault.as_dict()
        left -= len(json.dumps(shown))
        if left < 0:
            return
        yield shown


def _document(document: Mapping[str, Any], headers: Mapping[str, str]) -> Response[Any]:
    return Response(
        status_code=document["status"],
        content_type="application/problem+json",
        body=json.dumps(document, ensure_ascii=False),
        headers={"Cache-Control": "no-store", **headers},
    )
