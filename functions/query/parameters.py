"""What a search and a timeline take in their query, beside the filter."""

from typing import cast

from auditlog import filters
from auditlog.errors import Fault, MalformedError
from auditlog.http import Request
from auditlog.span import Order
from auditlog.timeline import INTERVALS, Interval

DEFAULT_LIMIT = 100
MAX_LIMIT = 1_000


def one(request: Request, name: str) -> str | None:
    """The value of a parameter that may stand there once."""
    values = request.query.get(name, ())
    if len(values) > 1:
        raise refusal(name, "expected one value")
    return values[0] if values else None


def order(request: Request) -> Order:
    """Newest first, unless something else is asked for."""
    asked = one(request, "order")
    if asked is None:
        return "desc"
    if asked not in {"asc", "desc"}:
        raise refusal("order", "expected asc or desc")
    return cast("Order", asked)


def limit(request: Request) -> int:
    """How many events a page may have."""
    text = one(request, "limit")
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and 1 <= int(text) <= MAX_LIMIT):  # noqa: PLR2004 -- digits of 1,000
        raise refusal("limit", f"expected a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def explain(request: Request) -> bool:
    """Whether the answer should say what was read."""
    text = one(request, "explain")
    try:
        return text is not None and filters.boolean(text)
    except ValueError as error:
        raise refusal("explain", str(error)) from None


def interval(request: Request) -> Interval:
    """How long the buckets of a timeline are."""
    asked = one(request, "interval")
    if asked not in INTERVALS:
        raise refusal("interval", f"expected one of {', '.join(INTERVALS)}")
    return asked


def refusal(parameter: str, reason: str) -> MalformedError:
    """What a caller is told of a parameter that is not valid."""
    return MalformedError("The query is not valid.", [Fault(reason, parameter=parameter)])
