"""Tokens of an issuer (JWT, RFC 7519): from the text that was sent to the caller it stands for.

A token is read, verified with a key of the issuer, and only then believed; RFC 8725 says
what there is to look at. Every refusal is an `UnauthenticatedError` with a sentence that
says which of these it was, and never repeats anything of the token.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from auditlog import clock, jwks, orgs
from auditlog.callers import Caller, person
from auditlog.errors import UnauthenticatedError
from auditlog.issuer import Issuer
from auditlog.jwks import PublicKey

if TYPE_CHECKING:
    from jwt import PyJWK

MAX_BYTES = 8_192
#: How far the issuer's clock may be ahead of ours.
LEEWAY = 30 * clock.SECOND
MAX_PERSON_LENGTH = 256
_PARTS = 3
#: Of the year 9999.
_LAST_SECOND = 253_402_300_799
#: What `typ` may be, where it is there: RFC 7519 section 5.1, RFC 9068 section 2.1. Others
#: mark what an issuer signs for another purpose, such as the end of a session.
_KINDS = frozenset({"jwt", "application/jwt", "at+jwt", "application/at+jwt"})
_MALFORMED = "The token is not a JWT: three parts in base64url, the first two JSON objects."


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it was sent, of which nothing is to be believed yet."""

    text: str = field(repr=False)
    algorithm: str
    key_id: str | None


def read(text: str, issuer: Issuer) -> Token:
    """Reads what says which key has signed it.

    Raises `UnauthenticatedError` where it is too long, no token, not signed as the
    deployment has it, or says itself that it is another issuer's: no key is looked for then.
    """
    if len(text) > MAX_BYTES:
        raise UnauthenticatedError(f"The token has more than {MAX_BYTES} bytes.")
    parts = text.split(".")
    if len(parts) != _PARTS:
        raise UnauthenticatedError(_MALFORMED)
    header, claims = _part(parts[0]), _part(parts[1])
    algorithm, key_id = header.get("alg"), header.get("kid")
    if algorithm not in issuer.algorithms:
        taken = ", ".join(issuer.algorithms)
        raise UnauthenticatedError(f"The token's algorithm is not one that is taken here: {taken}.")
    if "crit" in header:
        raise UnauthenticatedError("The token's header has `crit`, of which nothing is known here.")
    kind = header.get("typ", "jwt")
    if not isinstance(kind, str) or kind.lower() not in _KINDS:
        raise UnauthenticatedError("The token's `typ` is not that of an access token.")
    if not isinstance(key_id, str | None):
        raise UnauthenticatedError("The token's `kid` is not a text.")
    _of_issuer(claims, issuer)
    return Token(text, str(algorithm), key_id)


def verified(token: Token, key: PublicKey, issuer: Issuer, now: int) -> Mapping[str, Any]:
    """The claims of a token that `key` has signed and that is good now, for us.

    Raises `UnauthenticatedError` with the first thing that is wrong, in this order:
    signature, issuer, audience, times.
    """
    claims = _signed(token, key)
    _of_issuer(claims, issuer)
    audience = claims.get("aud")
    if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
        raise UnauthenticatedError("The token is for another audience.")
    ends, starts, made = (_time(claims, name) for name in ("exp", "nbf", "iat"))
    if ends is None:
        raise UnauthenticatedError("The token never expires: it has no `exp`.")
    if ends <= now / clock.SECOND:
        raise UnauthenticatedError("The token has expired.")
    latest = (now + LEEWAY) / clock.SECOND
    if starts is not None and starts > latest:
        raise UnauthenticatedError("The token is not good yet, as its `nbf` says.")
    if made is not None and made > latest:
        raise UnauthenticatedError("The token was issued in the future, as its `iat` says.")
    return claims


def caller(claims: Mapping[str, Any], issuer: Issuer, org: str | None) -> Caller:
    """Whom verified claims stand for, in `org` where it is one of theirs; else in their first.

    Raises `UnauthenticatedError` where they name no org, or nobody, or their grants are
    neither a text (with spaces) nor a list of texts. No grants are none; a name that is not
    a text of 1 to 256 characters is left out.
    """
    names = issuer.claims
    known = [name for name in _texts(claims, names.org, split=False) if orgs.is_name(name)]
    if not known:
        raise UnauthenticatedError(f"The token's claim `{names.org}` names no org.")
    person_id, name = claim(claims, names.id), claim(claims, names.name)
    if not _is_name(person_id):
        raise UnauthenticatedError(
            f"The token's claim `{names.id}` is not a text of 1 to {MAX_PERSON_LENGTH} characters."
        )
    token_id = claims.get("jti")
    if not isinstance(token_id, str) or not token_id:
        token_id = str(person_id)
    return Caller(
        org=org if org in known else known[0],
        grants=issuer.granted(_texts(claims, names.grants, split=True)),
        credential={
            "type": "access_token",
            "id": token_id[:MAX_PERSON_LENGTH],
            "name": issuer.host,
        },
        actor=person(str(person_id), str(name) if _is_name(name) else None),
        expires_at=_expiry(claims),
    )


def _expiry(claims: Mapping[str, Any]) -> int | None:
    """When verified claims end; one that ends after all times that can be written, at the last."""
    ends = _time(claims, "exp")
    return None if ends is None else int(min(ends, _LAST_SECOND) * clock.SECOND)


def claim(claims: Mapping[str, Any], name: str) -> Any:
    """A claim by its name, or by a path of names with dots; None where it is not there."""
    if name in claims:
        return claims[name]
    found: Any = claims
    for step in name.split("."):
        if not isinstance(found, Mapping):
            return None
        found = cast("Mapping[str, Any]", found).get(step)
    return found


def _part(text: str) -> Mapping[str, Any]:
    try:
        return jwks.as_object(jwks.from_base64url(text))
    except ValueError:
        raise UnauthenticatedError(_MALFORMED) from None


def _signed(token: Token, key: PublicKey) -> Mapping[str, Any]:
    """The claims, from the bytes that were signed."""
    # Half of what a function loads is loaded in the time of this: a key need not wait for it.
    from jwt import PyJWS, PyJWTError  # noqa: PLC0415 -- as above

    if not key.fits(token.algorithm):
        raise UnauthenticatedError("The token's algorithm does not fit the issuer's key.")
    try:
        opened = PyJWS().decode_complete(
            token.text, _loaded(key, token.algorithm), algorithms=[token.algorithm]
        )
        return jwks.as_object(opened["payload"])
    except (PyJWTError, ValueError):
        raise UnauthenticatedError("The token's signature is not the issuer's.") from None


def _loaded(key: PublicKey, algorithm: str) -> "PyJWK":
    from jwt import PyJWK  # noqa: PLC0415 -- as in _signed

    return PyJWK(dict(key.numbers), algorithm)


def _of_issuer(claims: Mapping[str, Any], issuer: Issuer) -> None:
    if claims.get("iss") != issuer.url:
        raise UnauthenticatedError("The token is of another issuer.")


def _time(claims: Mapping[str, Any], name: str) -> float | None:
    """A time in seconds (RFC 7519 section 2, NumericDate)."""
    value = claims.get(name)
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
        raise UnauthenticatedError(f"The token's `{name}` is not a number of seconds.")
    return value


def _texts(claims: Mapping[str, Any], name: str, *, split: bool) -> list[str]:
    value = claim(claims, name)
    if value is None:
        return []
    if isinstance(value, str):
        return value.split() if split else [value]
    if isinstance(value, list):
        texts = cast("list[object]", value)
        if all(isinstance(text, str) for text in texts):
            return cast("list[str]", texts)
    raise UnauthenticatedError(f"The token's claim `{name}` is not a text, nor a list of texts.")


def _is_name(value: object) -> bool:
    return isinstance(value, str) and 1 <= len(value) <= MAX_PERSON_LENGTH
