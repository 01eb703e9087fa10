"""API keys and sessions: how they are made, written, recognised and what they allow.

A key reads `alk_<id>_<secret><check>`, all base62: 12 characters of id, 43 of
secret (256 bits), 6 of CRC-32 over all that stands before. A session is the same
behind `als_`. The prefix and the check let a scanner find what has leaked, and a
typo is refused without a look-up. Only the SHA-256 of the whole credential is
ever stored: with 256 bits of randomness in it, a slow hash would add nothing.
"""

import hashlib
import hmac
import re
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from auditlog import clock

PREFIX = "alk_"
SESSION_PREFIX = "als_"
ID_LENGTH = 12
_SECRET_LENGTH = 43
_CHECK_LENGTH = 6
_ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CREDENTIAL = re.compile(
    rf"(?:{PREFIX}|{SESSION_PREFIX})([0-9A-Za-z]{{12}})_[0-9A-Za-z]{{43}}([0-9A-Za-z]{{6}})"
)
MAX_NAME_LENGTH = 128
#: Stands where a key's org does: no org can be called so.
PLATFORM = "*"

#: How long a key that was replaced is still good, if nobody says otherwise, and at most.
OVERLAP = 24 * clock.HOUR
MAX_OVERLAP = 30 * clock.DAY

#: A session is good for so many minutes.
SESSION_MINUTES = range(15, 12 * 60 + 1)
DEFAULT_SESSION_MINUTES = 60


class Grant(StrEnum):
    """What a key may do: in its org, or, the last one, with the orgs of the platform."""

    EVENTS_WRITE = "events:write"
    EVENTS_READ = "events:read"
    EXPORTS_CREATE = "exports:create"
    ORG_ADMIN = "org:admin"
    ORGS_MANAGE = "orgs:manage"


PLATFORM_GRANTS = (Grant.ORGS_MANAGE,)
#: All that a key of an org may have.
ALL_GRANTS = tuple(grant for grant in Grant if grant not in PLATFORM_GRANTS)
#: A session reads, and does nothing else.
SESSION_GRANTS = (Grant.EVENTS_READ,)


@dataclass(frozen=True, slots=True)
class Person:
    """Whom a session is for."""

    id: str
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """A key or a session as it is stored: all but the secret. Times in microseconds.

    `person` is there where it is a session. `replaced_by` is the key that took this
    one's place, which then expires. `used_at` is the hour in which it was used last.
    """

    id: str
    org: str
    name: str
    grants: tuple[Grant, ...]
    created_at: int
    expires_at: int | None
    hash: bytes
    person: Person | None = None
    replaced_by: str | None = None
    used_at: int | None = None

    def is_live(self, now: int) -> bool:
        """Whether the key has not expired yet."""
        return self.expires_at is None or now < self.expires_at

    def opens(self, credential: str) -> bool:
        """Whether `credential` is this key's; takes the same time whatever differs."""
        return hmac.compare_digest(self.hash, digest(credential))


@dataclass(frozen=True, slots=True)
class MintedKey:
    """A new key with its secret, which exists here and with whoever asked for it."""

    key: Key
    secret: str

    @property
    def id(self) -> str:
        """The key's id."""
        return self.key.id


def mint(
    org: str,
    name: str,
    grants: tuple[Grant, ...],
    *,
    now: int,
    expires_at: int | None,
    random: Callable[[int], bytes],
    person: Person | None = None,
) -> MintedKey:
    """A new key for `org`, or a session for `person`. `random(n)` gives n unguessable bytes."""
    key_id = _base62(random(9), ID_LENGTH)
    prefix = PREFIX if person is None else SESSION_PREFIX
    unchecked = f"{prefix}{key_id}_{_base62(random(32), _SECRET_LENGTH)}"
    credential = unchecked + _check(unchecked)
    key = Key(key_id, org, name, grants, now, expires_at, digest(credential), person)
    return MintedKey(key, credential)


def key_id(credential: str) -> str | None:
    """The id in a credential, or None where it is none: wrong form or wrong check."""
    match = _CREDENTIAL.fullmatch(credential)
    if match is None or _check(credential[:-_CHECK_LENGTH]) != match[2]:
        return None
    return match[1]


def digest(credential: str) -> bytes:
    """What is stored of a credential."""
    return hashlib.sha256(credential.encode()).digest()


def _check(text: str) -> str:
    return _base62(zlib.crc32(text.encode()).to_bytes(4, "big"), _CHECK_LENGTH)


def _base62(data: bytes, length: int) -> str:
    """`data` as a number in base 62, cut or filled to exactly `length` digits."""
    number, digits = int.from_bytes(data, "big"), ""
    for _ in range(length):
        number, rest = divmod(number, 62)
        digits = _ALPHABET[rest] + digits
    return digits
