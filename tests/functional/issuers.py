"""An issuer that a deployment trusts: good tokens for whom a test likes, and bad ones by name.

with trusted_issuer(monkeypatch) as issuer:
    world.search(key=issuer.token(ORG, ["events:read"]))
    for name in issuers.BAD:
        world.search(key=issuer.bad(name, ORG)).is_problem(401)
"""

import json
import threading
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from auditlog.settings import SETTINGS
from auditlog.trust import trust
from infra.emulator import HOST
from tests.signers import Signer, by_secret, encoded, signer

AUDIENCE = "https://audit.example.com"
DISCOVERY = "/.well-known/openid-configuration"
KEYS = "/keys"

#: Tokens that are never let in, and a part of what is said of each.
BAD: Mapping[str, str] = {
    "not signed": "algorithm is not one that is taken",
    "signed with the public key as a secret": "algorithm is not one that is taken",
    "signed with another key": "signature is not the issuer's",
    "garbled signature": "signature is not the issuer's",
    "changed claims": "signature is not the issuer's",
    "unknown key": "signed with a key that its issuer has not",
    "expired": "has expired",
    "no expiry": "never expires",
    "not good yet": "not good yet",
    "issued in the future": "issued in the future",
    "another audience": "for another audience",
    "another issuer": "of another issuer",
    "no org": "`org` names no org",
    "org of the wrong type": "`org` is not a text, nor a list of texts",
    "grants of the wrong type": "`grants` is not a text, nor a list of texts",
    "nobody": "`sub` is not a text",
    "of another kind": "`typ` is not that of an access token",
    "critical extension": "`crit`",
    "too long": "more than 8192 bytes",
    "no JSON": "not a JWT",
}


@dataclass
class LocalIssuer:
    """An issuer on loopback, of whose answers a test is the master."""

    url: str
    keys: list[Signer] = field(default_factory=lambda: [signer()])
    #: Answers by their paths that are not what an issuer would say.
    instead: dict[str, Callable[[BaseHTTPRequestHandler], None]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def context(self, **more: Any) -> str:
        """What a deployment that trusts it has in its environment."""
        return json.dumps({"issuer": self.url, "audience": AUDIENCE, **more})

    def claims(self, org: Any, grants: Any, sub: str = "usr_9", **more: Any) -> dict[str, Any]:
        """The claims of a good token; one that is None is left out."""
        now = int(time.time())
        told = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": sub,
            "jti": "tok_1",
            "iat": now,
            "exp": now + 600,
            "org": org,
            "grants": grants,
            "name": "Grace",
        } | more
        return {name: value for name, value in told.items() if value is not None}

    def token(
        self,
        org: str | Sequence[str],
        grants: Sequence[str] | None,
        sub: str = "usr_9",
        **more: Any,
    ) -> str:
        """A good token; `grants` None: without that claim."""
        return self.keys[0].sign(self.claims(org, grants, sub, **more))

    def bad(self, name: str, org: str, grants: Sequence[str] = ("events:read",)) -> str:
        """The bad token of this name, which would be good for `org` otherwise."""
        return _MAKERS[name](self, self.claims(org, list(grants)))

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked.append(request.path)
        if request.path in self.instead:
            self.instead[request.path](request)
        elif request.path == DISCOVERY:
            document = {"issuer": self.url, "jwks_uri": self.url + KEYS}
            answer(request, json.dumps(document).encode())
        elif request.path == KEYS:
            keys = {"keys": [key.public_jwk for key in self.keys]}
            answer(request, json.dumps(keys).encode())
        else:
            answer(request, b"", status=404)


def answer(
    request: BaseHTTPRequestHandler,
    body: bytes,
    *,
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Answers a request whole."""
    request.send_response(status)
    for name, value in (headers or {}).items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


@contextmanager
def local_issuer() -> Generator[LocalIssuer]:
    """Run an issuer on a free port."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            made._answer(self)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 -- as the library names it
            pass

    server = ThreadingHTTPServer((HOST, 0), Handler)
    made = LocalIssuer(f"http://{HOST}:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield made
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def trusted_issuer(monkeypatch: pytest.MonkeyPatch, **context: Any) -> Generator[LocalIssuer]:
    """Run an issuer, and have the deployment trust it; after the fixture `world`."""
    trust.cache_clear()  # Another one may have been at the same port.
    with local_issuer() as made:
        monkeypatch.setitem(SETTINGS._environment, "OIDC_ISSUER", made.context(**context))
        yield made


def _unsigned(_issuer: LocalIssuer, claims: dict[str, Any]) -> str:
    head = {"alg": "none", "typ": "at+jwt"}
    return f"{encoded(json.dumps(head).encode())}.{encoded(json.dumps(claims).encode())}."


def _by_public_key(issuer: LocalIssuer, claims: dict[str, Any]) -> str:
    key = issuer.keys[0]
    pem = key.private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return by_secret(claims, pem, str(key.id))


def _garbled(issuer: LocalIssuer, claims: dict[str, Any]) -> str:
    head, body, signature = issuer.keys[0].sign(claims).split(".")
    # Not the last character: some of its bits say nothing.
    return f"{head}.{body}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"


def _changed(issuer: LocalIssuer, claims: dict[str, Any]) -> str:
    head, _, signature = issuer.keys[0].sign(claims).split(".")
    more = claims | {"grants": ["org:admin"]}
    return f"{head}.{encoded(json.dumps(more).encode())}.{signature}"


def _with(**changes: Any) -> Callable[[LocalIssuer, dict[str, Any]], str]:
    """A token with other claims; one that is None is left out."""

    def make(issuer: LocalIssuer, claims: dict[str, Any]) -> str:
        changed = claims | changes
        return issuer.keys[0].sign({n: value for n, value in changed.items() if value is not None})

    return make


def _moved(name: str, seconds: int) -> Callable[[LocalIssuer, dict[str, Any]], str]:
    """A token with a time so far from now."""

    def make(issuer: LocalIssuer, claims: dict[str, Any]) -> str:
        return issuer.keys[0].sign(claims | {name: int(time.time()) + seconds})

    return make


_MAKERS: Mapping[str, Callable[[LocalIssuer, dict[str, Any]], str]] = {
    "not signed": _unsigned,
    "signed with the public key as a secret": _by_public_key,
    "signed with another key": lambda issuer, claims: signer("another").sign(
        claims, kid=issuer.keys[0].id
    ),
    "garbled signature": _garbled,
    "changed claims": _changed,
    "unknown key": lambda _, claims: signer("another").sign(claims),
    "expired": _moved("exp", -1),
    "no expiry": _with(exp=None),
    "not good yet": _moved("nbf", 60),
    "issued in the future": _moved("iat", 60),
    "another audience": _with(aud=["https://elsewhere.example.com"]),
    "another issuer": _with(iss="https://elsewhere.example.com"),
    "no org": _with(org=None),
    "org of the wrong type": _with(org=7),
    "grants of the wrong type": _with(grants={"events:read": True}),
    "nobody": _with(sub=None),
    "of another kind": lambda issuer, claims: issuer.keys[0].sign(claims, typ="logout+jwt"),
    "critical extension": lambda issuer, claims: issuer.keys[0].sign(claims, crit=["exp"]),
    "too long": _with(more="x" * 6_500),
    "no JSON": lambda issuer, _: issuer.keys[0].sign(b"events:read"),
}
