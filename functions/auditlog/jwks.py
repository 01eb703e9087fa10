"""The keys that an issuer publishes (RFC 7517), and which of them a token may be signed with.

A key is good for an algorithm where its type and curve are that algorithm's and nothing
that it says of itself (`alg`, `use`, `key_ops`) speaks against it. What cannot be such a
key is passed over, as section 5 has it: other types, keys to encrypt with, RSA below
2,048 bits, and private keys, which prove nothing once they are published.
"""

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from auditlog.issuer import ALGORITHMS

_LEAST_RSA_BITS = 2_048
_MOST_RSA_BITS = 8_192
_BASE64URL = re.compile(r"[A-Za-z0-9_-]+")
_NUMBERS = {"RSA": ("n", "e"), "EC": ("x", "y"), "OKP": ("x",)}
_PRIVATE = "d"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """One key: its id, its type and numbers as RFC 7518 has them, and what it is for.

    `algorithm` None: any that its type and curve allow.
    """

    id: str | None
    numbers: Mapping[str, str]
    algorithm: str | None

    def fits(self, algorithm: str) -> bool:
        """Whether it may verify what is signed with `algorithm`."""
        needed = ALGORITHMS.get(algorithm)
        own = (self.numbers["kty"], self.numbers.get("crv"))
        return own == needed and self.algorithm in {None, algorithm}


def read(document: bytes) -> tuple[PublicKey, ...]:
    """The keys of a JWK set. Raises `ValueError` where it is none."""
    value = as_object(document)
    keys: object = value.get("keys")
    if not isinstance(keys, list):
        raise ValueError("no list `keys`")  # noqa: TRY004 -- as in as_object
    found = map(_key, cast("list[object]", keys))
    return tuple(key for key in found if key is not None)


def named(keys: Sequence[PublicKey], key_id: str | None) -> Sequence[PublicKey]:
    """The keys of this id; without one, the only key that there is, or none."""
    if key_id is not None:
        return [key for key in keys if key.id == key_id]
    return keys if len(keys) == 1 else ()


def as_object(text: bytes) -> Mapping[str, Any]:
    """A JSON object. Raises `ValueError` where it is anything else, or not fit to be passed on."""
    try:
        value: object = json.loads(text.decode(), parse_constant=_refuse)
        # What has half a character in it could be neither stored nor answered.
        json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 -- one error for all that is not as it must
    return cast("dict[str, Any]", value)


def from_base64url(text: str) -> bytes:
    """The bytes of base64url without padding. Raises `ValueError` where it is not that."""
    if _BASE64URL.fullmatch(text) is None:
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _key(said: object) -> PublicKey | None:
    if not isinstance(said, Mapping):
        return None
    value = cast("Mapping[str, Any]", said)
    kind, key_id, algorithm = value.get("kty"), value.get("kid"), value.get("alg")
    operations: object = value.get("key_ops", ["verify"])
    if (
        not isinstance(kind, str)
        or kind not in _NUMBERS
        or _PRIVATE in value
        or value.get("use", "sig") != "sig"
        or not (isinstance(operations, list) and "verify" in operations)
        or not isinstance(key_id, str | None)
        or not isinstance(algorithm, str | None)
    ):
        return None
    members = ("kty", *(() if kind == "RSA" else ("crv",)), *_NUMBERS[kind])
    numbers = {name: value.get(name) for name in members}
    if not all(isinstance(number, str) for number in numbers.values()):
        return None
    texts = cast("dict[str, str]", numbers)
    if kind == "RSA" and not _LEAST_RSA_BITS <= _bits(texts["n"]) <= _MOST_RSA_BITS:
        return None
    return PublicKey(key_id, texts, algorithm)


def _bits(number: str) -> int:
    try:
        return int.from_bytes(from_base64url(number), "big").bit_length()
    except ValueError:
        return 0


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")
