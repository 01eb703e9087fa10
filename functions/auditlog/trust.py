"""The issuer whose tokens are good here beside keys, with its keys as this container knows them.

They are asked for when the first token comes, so a deployment without an issuer, or a
request with a key, has nothing of this. They are asked for again after ten minutes, and
when a token names a key that is not known: within 30 seconds only once, however many such
tokens come. An issuer that does not answer changes nothing for a day; then, or where no
keys were ever got, a token is neither good nor bad: the answer is 503. A key that an issuer
withdraws is therefore good for up to ten minutes more, or a day where it does not answer.
"""

from collections.abc import Callable
from functools import cache
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Any
from urllib.parse import urlsplit

from auditlog import clock, jwks, tokens
from auditlog.callers import Caller
from auditlog.errors import ConfigurationError, UnauthenticatedError, UnavailableError
from auditlog.issuer import Issuer, is_on_loopback, is_safe
from auditlog.jwks import PublicKey
from auditlog.telemetry import logger
from auditlog.tokens import Token

FRESH_FOR = 600.0
GOOD_FOR = 86_400.0
#: Between two questions; the second is for when there is nothing to answer with meanwhile.
PAUSE = 30.0
SHORT_PAUSE = 5.0
TIMEOUT = 3.0
MAX_BYTES = 256 * 1024
_CHUNK = 16 * 1024
_OK = 200


class NoAnswerError(Exception):
    """An issuer did not answer, or not with what was asked for; says so in our words."""


class Trust:
    """An issuer and its keys. `fetch` gives the bytes that are at an address, or `NoAnswerError`.

    Not for threads: a Lambda function has one request at a time.
    """

    def __init__(
        self,
        issuer: Issuer,
        *,
        fetch: Callable[[str], bytes],
        monotonic: Callable[[], float] = clock.monotonic,
    ) -> None:
        self._issuer = issuer
        self._fetch = fetch
        self._monotonic = monotonic
        self._keys: tuple[PublicKey, ...] | None = None
        self._answers = False
        self._ask_at = self._fresh_until = self._good_until = float("-inf")

    def caller(self, text: str, *, org: str | None, now: int) -> Caller:
        """Whom a token stands for, in `org` where it is one of the token's; else in its first.

        Raises `UnauthenticatedError` where the token is not good, `UnavailableError` where
        that cannot be known now.
        """
        token = tokens.read(text, self._issuer)
        claims = tokens.verified(token, self._key_of(token), self._issuer, now)
        return tokens.caller(claims, self._issuer, org)

    def _key_of(self, token: Token) -> PublicKey:
        if self._monotonic() >= self._fresh_until:
            self._ask()
        found = self._found(token)
        if not found and token.key_id is not None:
            self._ask()
            found = self._found(token)
            if not found and not self._answers:
                raise self._unavailable()
        if not found and token.key_id is None:
            raise UnauthenticatedError("The token has no `kid`, and its issuer not just one key.")
        if not found:
            raise UnauthenticatedError("The token is signed with a key that its issuer has not.")
        # An id is of several keys only where their types differ (RFC 7517 section 4.5).
        return next((key for key in found if key.fits(token.algorithm)), found[0])

    def _found(self, token: Token) -> list[PublicKey]:
        if self._keys is None or self._monotonic() >= self._good_until:
            raise self._unavailable()
        return list(jwks.named(self._keys, token.key_id))

    def _ask(self) -> None:
        """Asks the issuer for its keys, unless it was asked just before."""
        now = self._monotonic()
        if now < self._ask_at:
            return
        try:
            self._keys = self._published()
        except NoAnswerError as error:
            logger.warning("no keys from the issuer", reason=str(error))
            self._answers = False
            self._ask_at = self._monotonic() + (PAUSE if now < self._good_until else SHORT_PAUSE)
            return
        self._answers = True
        self._ask_at, self._fresh_until = now + PAUSE, now + FRESH_FOR
        self._good_until = now + GOOD_FOR

    def _published(self) -> tuple[PublicKey, ...]:
        uri = self._issuer.jwks_uri or self._discovered()
        try:
            return jwks.read(self._fetch(uri))
        except ValueError:
            raise NoAnswerError("its keys are not a JWK set") from None

    def _discovered(self) -> str:
        try:
            document = jwks.as_object(self._fetch(self._issuer.discovery))
        except ValueError:
            raise NoAnswerError("its discovery document is not a JSON object") from None
        if document.get("issuer") != self._issuer.url:
            raise NoAnswerError("its discovery document is another issuer's")
        uri: Any = document.get("jwks_uri")
        here = is_on_loopback(self._issuer.url)
        if not isinstance(uri, str) or not is_safe(uri, loopback=here):
            raise NoAnswerError("its discovery document has no `jwks_uri` that can be trusted")
        return uri

    def _unavailable(self) -> UnavailableError:
        left = max(1, round(self._ask_at - self._monotonic()))
        return UnavailableError("The issuer of tokens does not answer; send the same again.", left)


@cache
def trust(said: str) -> Trust:
    """The issuer that the environment names; one in a container, which keeps its keys."""
    try:
        return Trust(Issuer.parse(said), fetch=fetch)
    except ValueError as error:
        raise ConfigurationError(f"the environment variable OIDC_ISSUER: {error}") from None


def fetch(url: str, *, monotonic: Callable[[], float] = clock.monotonic) -> bytes:
    """What is at `url`: at most 256 KiB, in some 3 seconds, with status 200.

    Follows no redirect: keys are taken from where the issuer says they are. Raises
    `NoAnswerError`.
    """
    parts = urlsplit(url)
    kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT)
    deadline = monotonic() + TIMEOUT
    try:
        connection.request(
            "GET",
            (parts.path or "/") + (f"?{parts.query}" if parts.query else ""),
            headers={"Accept": "application/json", "User-Agent": "auditlog"},
        )
        response = connection.getresponse()
        if response.status != _OK:
            raise NoAnswerError(f"status {response.status}")
        body = b""
        while chunk := response.read1(_CHUNK):
            body += chunk
            if len(body) > MAX_BYTES:
                raise NoAnswerError("more bytes than are taken")
            if monotonic() > deadline:
                raise NoAnswerError("too slow")
    except (OSError, HTTPException) as error:
        raise NoAnswerError(type(error).__name__) from None
    finally:
        connection.close()
    return body
