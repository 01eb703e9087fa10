"""Opaque page tokens: where the last page ended, bound to what was asked.

A token is base64url of: one byte of version, the 24 bytes of the id at which
the page stopped, and 8 bytes of SHA-256 over those, the org, the filter and
the order. The digest is a checksum and a binding, not a signature: a cursor
gives no rights, so a forged one gains nothing.
"""

import base64
import hashlib
import re

from auditlog import canonical
from auditlog.errors import Fault, MalformedError
from auditlog.filters import Filter

MAX_LENGTH = 500
_VERSION = b"\x01"
_BASE64URL = re.compile(r"[0-9A-Za-z_-]*")
_POSITION_BYTES = 24
_DIGEST_BYTES = 8


def write(position: str, *, org: str, wanted: Filter, order: str) -> str:
    """The token of a page that stopped after the event with the id `position`."""
    body = _VERSION + base64.b32hexdecode(position.upper() + "=")
    token = body + _digest(body, org, wanted, order)
    return base64.urlsafe_b64encode(token).decode().rstrip("=")


def read(token: str, *, org: str, wanted: Filter, order: str) -> str:
    """The id after which the next page starts.

    Raises `MalformedError` for anything but a token that `write` made for the
    same org, filter and order.
    """
    try:
        if len(token) > MAX_LENGTH or not _BASE64URL.fullmatch(token):
            raise ValueError("no token")
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_")
    except ValueError:
        raise _refusal("not a cursor that this service gave") from None
    body, digest = raw[:-_DIGEST_BYTES], raw[-_DIGEST_BYTES:]
    if len(body) != 1 + _POSITION_BYTES or body[:1] != _VERSION:
        raise _refusal("not a cursor that this service gave")
    if digest != _digest(body, org, wanted, order):
        raise _refusal("a cursor of another org, filter or order; start again without it")
    return base64.b32hexencode(body[1:]).decode().rstrip("=").lower()


def _digest(body: bytes, org: str, wanted: Filter, order: str) -> bytes:
    bound = canonical.encode([org, dict(wanted.parameters), order])
    return hashlib.sha256(body + bound).digest()[:_DIGEST_BYTES]


def _refusal(reason: str) -> MalformedError:
    return MalformedError("The cursor is not valid.", [Fault(reason, parameter="cursor")])
