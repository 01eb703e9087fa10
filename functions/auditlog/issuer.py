"""An issuer of tokens (OpenID Connect), as a deployment names it.

    {
      "issuer": "https://id.example.com",             exactly what `iss` has
      "audience": "https://audit.example.com",        what `aud` is, or contains
      "claims": {"org": "org", "grants": "grants", "id": "sub", "name": "name"},
      "grants": {"audit-reader": ["events:read"]},    what a value of that claim stands for
      "algorithms": ["RS256"],
      "jwks_uri": "https://id.example.com/keys",      asked of the issuer where it is left out
      "console": {                                    how people sign in to the console
        "client_id": "auditlog-console",              a public client: code with PKCE, no secret
        "scope": "openid profile",
        "authorization_endpoint": "https://id.example.com/authorize",
        "token_endpoint": "https://id.example.com/token",
        "parameters": {"resource": "https://audit.example.com"}  of the authorization request
      }
    }

All but the first two may be left out; `claims` is shown as it then is, and without
`grants` a value of the claim is a grant's own name. Without `console` nobody signs in to
the console with the issuer. Of that, all but `client_id` may be left out: `scope` is shown
as it then is, and the page asks the issuer where its endpoints are. A token endpoint on
another origin than the issuer's has to be named, since the page may talk to no other.
This is read where the stack is synthesised and where a function starts: what one takes,
the other does.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from auditlog.keys import ALL_GRANTS, Grant

#: Those with a public key, and the type and curve of it: none that a secret verifies.
ALGORITHMS: Mapping[str, tuple[str, str | None]] = {
    "RS256": ("RSA", None),
    "RS384": ("RSA", None),
    "RS512": ("RSA", None),
    "PS256": ("RSA", None),
    "PS384": ("RSA", None),
    "PS512": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "ES384": ("EC", "P-384"),
    "EdDSA": ("OKP", "Ed25519"),
}
_USUAL = ("RS256",)
_MEMBERS = ("issuer", "audience", "claims", "grants", "algorithms", "jwks_uri", "console")
_CLIENT = ("client_id", "scope", "authorization_endpoint", "token_endpoint", "parameters")
#: What the page itself puts into the request, and no deployment can choose.
_OF_THE_FLOW = frozenset({
    "client_id", "code_challenge", "code_challenge_method", "redirect_uri", "response_mode",
    "response_type", "scope", "state",
})  # fmt: skip
_SCOPE = "openid profile"
# What a policy of a page can name: so no character of a host ends the policy.
_HOST = re.compile(r"[A-Za-z0-9._-]+|[0-9A-Fa-f:.]+")
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_DISCOVERY = "/.well-known/openid-configuration"


@dataclass(frozen=True, slots=True)
class ClaimNames:
    """Which claim says what. A name that is no member itself is a path, with dots."""

    org: str = "org"
    grants: str = "grants"
    id: str = "sub"
    name: str = "name"


@dataclass(frozen=True, slots=True)
class Client:
    """What the console is to the issuer; None of an endpoint: the issuer is asked for it."""

    id: str
    scope: str = _SCOPE
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    parameters: Mapping[str, str] = field(default_factory=dict[str, str])


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer that is trusted, for whom its tokens have to be, and what they say where.

    `grants` None: a value of the claim is a grant's own name.
    """

    url: str
    audience: str
    claims: ClaimNames = field(default_factory=ClaimNames)
    grants: Mapping[str, tuple[Grant, ...]] | None = None
    algorithms: tuple[str, ...] = _USUAL
    jwks_uri: str | None = None
    console: Client | None = None

    @classmethod
    def parse(cls, said: object) -> "Issuer":
        """The issuer that an object, or the JSON text of one, names.

        Raises `ValueError` with the member that is wrong, and what was expected.
        """
        value = _object(_unpacked(said), "it")
        for member in value:
            if member not in _MEMBERS:
                raise ValueError(f"{member!r} is not a member; they are {', '.join(_MEMBERS)}")
        url = _address(value.get("issuer"), "issuer")
        if urlsplit(url).query:
            raise ValueError("`issuer` has a query")
        return cls(
            url,
            _text(value.get("audience"), "audience"),
            _claims(_object(value.get("claims", {}), "`claims`")),
            _grants(value["grants"]) if "grants" in value else None,
            _algorithms(value.get("algorithms", list(_USUAL))),
            _optional(value, "jwks_uri"),
            _client(_object(value["console"], "`console`")) if "console" in value else None,
        )

    @property
    def host(self) -> str:
        """The issuer's host, which is what a log calls it."""
        return urlsplit(self.url).netloc

    @property
    def discovery(self) -> str:
        """Where the issuer says where its keys are (OpenID Connect Discovery, section 4)."""
        return self.url.rstrip("/") + _DISCOVERY

    def granted(self, values: Iterable[str]) -> tuple[Grant, ...]:
        """What values of the claim `grants` stand for; one that is not known stands for nothing.

        Never `orgs:manage`, which no org's credential has.
        """
        if self.grants is None:
            names = set(values)
            return tuple(grant for grant in ALL_GRANTS if grant.value in names)
        found = {grant for value in values for grant in self.grants.get(value, ())}
        return tuple(grant for grant in ALL_GRANTS if grant in found)


def is_safe(url: str, *, loopback: bool) -> bool:
    """Whether what comes from `url` is from whom it names: https, or http of this machine."""
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError:
        return False
    if parts.username is not None or parts.fragment or not url.isascii():
        return False
    if not _HOST.fullmatch(parts.hostname or ""):
        return False
    if any(character <= " " or character == "\x7f" for character in url):
        return False
    return parts.scheme == "https" or (loopback and _is_on_loopback(parts))


def origin(url: str) -> str:
    """The origin of an address that is safe (RFC 6454 section 6.2)."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower()}"


def is_on_loopback(url: str) -> bool:
    """Whether `url` is http of this machine."""
    return _is_on_loopback(urlsplit(url))


def _is_on_loopback(parts: SplitResult) -> bool:
    return parts.scheme == "http" and parts.hostname in _LOOPBACK


def _unpacked(said: object) -> object:
    if not isinstance(said, str):
        return said
    try:
        return json.loads(said)
    except ValueError:
        raise ValueError("it is not JSON") from None


def _object(value: object, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise ValueError(f"{name} is not an object")  # noqa: TRY004 -- one error for every fault
    return cast("Mapping[str, Any]", value)


def _text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError(f"`{name}` is not a text, or empty")
    return value


def _address(value: object, name: str) -> str:
    url = _text(value, name)
    if not is_safe(url, loopback=True):
        raise ValueError(f"`{name}` is not an https address (or http, of this machine)")
    return url


def _optional(value: Mapping[str, Any], member: str, within: str = "") -> str | None:
    found = value.get(member)
    return None if found is None else _address(found, within + member)


def _client(value: Mapping[str, Any]) -> Client:
    for member in value:
        if member not in _CLIENT:
            raise ValueError(
                f"{member!r} is not a member of `console`; they are {', '.join(_CLIENT)}"
            )
    parameters = _object(value.get("parameters", {}), "`console.parameters`")
    for name in parameters:
        if name in _OF_THE_FLOW:
            raise ValueError(f"`console.parameters` has {name!r}, which the console says itself")
    return Client(
        _text(value.get("client_id"), "console.client_id"),
        _text(value.get("scope", _SCOPE), "console.scope"),
        _optional(value, "authorization_endpoint", "console."),
        _optional(value, "token_endpoint", "console."),
        {name: _text(said, f"console.parameters.{name}") for name, said in parameters.items()},
    )


def _claims(value: Mapping[str, Any]) -> ClaimNames:
    known = ClaimNames.__dataclass_fields__
    for member in value:
        if member not in known:
            raise ValueError(f"{member!r} is not a member of `claims`; they are {', '.join(known)}")
    return ClaimNames(**{member: _text(said, f"claims.{member}") for member, said in value.items()})


def _grants(value: object) -> Mapping[str, tuple[Grant, ...]]:
    return {
        said: tuple(_grant(name, said) for name in _list(names, f"grants.{said}"))
        for said, names in _object(value, "`grants`").items()
    }


def _grant(name: object, said: str) -> Grant:
    for grant in ALL_GRANTS:
        if grant.value == name:
            return grant
    known = ", ".join(grant.value for grant in ALL_GRANTS)
    raise ValueError(f"`grants.{said}` has {name!r}; a token can have {known}")


def _algorithms(value: object) -> tuple[str, ...]:
    algorithms = _list(value, "algorithms")
    for algorithm in algorithms:
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise ValueError(f"`algorithms` has {algorithm!r}; taken are {', '.join(ALGORITHMS)}")
    if not algorithms:
        raise ValueError("`algorithms` is empty")
    return tuple(dict.fromkeys(algorithms))


def _list(value: object, name: str) -> list[Any]:
    if not isinstance(value, list):
        raise ValueError(f"`{name}` is not a list")  # noqa: TRY004 -- as in _object
    return cast("list[Any]", value)
