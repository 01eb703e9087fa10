"""What may be said of an issuer, which of its keys count, and what its tokens stand for."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock, jwks, tokens
from auditlog.errors import UnauthenticatedError
from auditlog.issuer import ALGORITHMS, ClaimNames, Client, Issuer, is_safe, origin
from auditlog.keys import ALL_GRANTS, Grant
from tests.signers import Signer, encoded, signer

URL = "https://id.example.com/realms/one"
AUDIENCE = "https://audit.example.com"
NAMED = {"issuer": URL, "audience": AUDIENCE}
NOW = 1_800_000_000
CLIENT = {"client_id": "c"}
GOOD = {"iss": URL, "aud": AUDIENCE, "exp": NOW + 60, "sub": "usr_1", "org": "acme"}


def issuer(**more: Any) -> Issuer:
    return Issuer.parse(NAMED | more)


def verified(token: str, *keys: Signer, of: Issuer | None = None, now: int = NOW) -> Any:
    """What `Trust` does, without its store of keys."""
    of = of or issuer(algorithms=list(ALGORITHMS))
    read = tokens.read(token, of)
    known = jwks.read(json.dumps({"keys": [key.public_jwk for key in keys]}).encode())
    [key] = jwks.named(known, read.key_id)
    return tokens.verified(read, key, of, now * clock.SECOND)


def refusal(token: str, *keys: Signer, **more: Any) -> str:
    with pytest.raises(UnauthenticatedError) as refused:
        verified(token, *(keys or (signer(),)), **more)
    return refused.value.detail


# -- the issuer ---------------------------------------------------------------------------------


def test_all_but_two_members_have_a_default() -> None:
    made = issuer()
    assert made == Issuer(URL, AUDIENCE, ClaimNames("org", "grants", "sub", "name"))
    assert made.algorithms == ("RS256",)
    assert made.discovery == URL + "/.well-known/openid-configuration"
    assert made.host == "id.example.com"


def test_it_may_be_json_text() -> None:
    said = NAMED | {"algorithms": ["ES256", "EdDSA", "ES256"], "claims": {"org": "https://x/org"}}
    made = Issuer.parse(json.dumps(said))
    assert made == Issuer.parse(said)
    assert made.algorithms == ("ES256", "EdDSA")
    assert made.claims == ClaimNames(org="https://x/org")


def test_how_the_console_signs_people_in() -> None:
    assert issuer().console is None
    assert issuer(console=CLIENT).console == Client("c", "openid profile", None, None, {})
    said = {
        "client_id": "c",
        "scope": "openid",
        "authorization_endpoint": "https://a.b/authorize?x=y",
        "token_endpoint": "https://a.b/token",
        "parameters": {"resource": AUDIENCE, "prompt": "login"},
    }
    assert issuer(console=said).console == Client(*said.values())


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://a.b", "https://a.b"),
        ("https://A.b/x/y?z", "https://a.b"),
        ("https://a.b:8443/", "https://a.b:8443"),
        ("http://[::1]:80/x", "http://[::1]:80"),
    ],
)
def test_the_origin_of_an_address(url: str, expected: str) -> None:
    assert origin(url) == expected


def test_an_issuer_with_a_slash_at_its_end_is_asked_at_the_same_place() -> None:
    assert Issuer.parse(NAMED | {"issuer": "https://a.b/"}).discovery == (
        "https://a.b/.well-known/openid-configuration"
    )


@pytest.mark.parametrize(
    ("said", "part"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not an object"),
        (7, "it is not an object"),
        ({"audience": "a"}, "`issuer`"),
        ({"issuer": URL}, "`audience`"),
        (NAMED | {"audience": ""}, "`audience`"),
        (NAMED | {"audience": ["a"]}, "`audience`"),
        (NAMED | {"issuer": "http://id.example.com"}, "`issuer` is not an https address"),
        (NAMED | {"issuer": "id.example.com"}, "`issuer` is not an https address"),
        (NAMED | {"issuer": URL + "?a=b"}, "`issuer` has a query"),
        (NAMED | {"jwks_uri": "http://id.example.com/keys"}, "`jwks_uri` is not an https address"),
        (NAMED | {"client_id": "x"}, "'client_id' is not a member"),
        (NAMED | {"claims": ["org"]}, "`claims` is not an object"),
        (NAMED | {"claims": {"email": "x"}}, "'email' is not a member of `claims`"),
        (NAMED | {"claims": {"org": ""}}, "`claims.org`"),
        (NAMED | {"grants": ["events:read"]}, "`grants` is not an object"),
        (NAMED | {"grants": {"a": "events:read"}}, "`grants.a` is not a list"),
        (NAMED | {"grants": {"a": ["events:delete"]}}, "`grants.a` has 'events:delete'"),
        (NAMED | {"grants": {"a": ["orgs:manage"]}}, "`grants.a` has 'orgs:manage'"),
        (NAMED | {"grants": None}, "`grants` is not an object"),
        (NAMED | {"algorithms": []}, "`algorithms` is empty"),
        (NAMED | {"algorithms": "RS256"}, "`algorithms` is not a list"),
        (NAMED | {"algorithms": ["RS256", "none"]}, "`algorithms` has 'none'"),
        (NAMED | {"algorithms": ["HS256"]}, "`algorithms` has 'HS256'"),
        (NAMED | {"algorithms": [["RS256"]]}, "`algorithms` has ['RS256']"),
        (NAMED | {"issuer": "https://a.b;script-src"}, "`issuer` is not an https address"),
        (NAMED | {"issuer": "https://a,b"}, "`issuer` is not an https address"),
        (NAMED | {"issuer": "https://'unsafe-inline'"}, "`issuer` is not an https address"),
        (NAMED | {"console": None}, "`console` is not an object"),
        (NAMED | {"console": {}}, "`console.client_id`"),
        (NAMED | {"console": {"client_id": 7}}, "`console.client_id`"),
        (NAMED | {"console": CLIENT | {"client_secret": "x"}}, "'client_secret' is not a member"),
        (NAMED | {"console": CLIENT | {"scope": ""}}, "`console.scope`"),
        (NAMED | {"console": CLIENT | {"scope": ["openid"]}}, "`console.scope`"),
        (NAMED | {"console": CLIENT | {"token_endpoint": "/t"}}, "`console.token_endpoint` is not"),
        (
            NAMED | {"console": CLIENT | {"authorization_endpoint": "http://a.b/"}},
            "`console.authorization_endpoint` is not an https address",
        ),
        (NAMED | {"console": CLIENT | {"parameters": ["a"]}}, "`console.parameters` is not"),
        (NAMED | {"console": CLIENT | {"parameters": {"a": 1}}}, "`console.parameters.a`"),
        (
            NAMED | {"console": CLIENT | {"parameters": {"redirect_uri": "https://a.b/"}}},
            "'redirect_uri', which the console says itself",
        ),
    ],
)
def test_what_cannot_be_an_issuer_is_refused_with_the_member(said: Any, part: str) -> None:
    with pytest.raises(ValueError, match=re.escape(part)):
        Issuer.parse(said)


@pytest.mark.parametrize(
    ("url", "loopback", "safe"),
    [
        ("https://a.example.com/x?y=z", False, True),
        ("http://127.0.0.1:80/x", True, True),
        ("http://localhost:8080", True, True),
        ("http://[::1]:8080", True, True),
        ("http://127.0.0.1/x", False, False),
        ("http://127.0.0.1.example.com/x", True, False),
        ("http://localhost@example.com/x", True, False),
        ("https://user@a.example.com", True, False),
        ("https://a.example.com/#x", True, False),
        ("https://a.example.com:port", True, False),
        ("https://a.example.com/a b", True, False),
        ("https://a.example.com/\r\nX: y", True, False),
        ("https://ä.example.com/", True, False),
        ("https:///x", True, False),
        ("ftp://a.example.com", True, False),
        ("file:///etc/passwd", True, False),
    ],
)
def test_an_address_is_https_or_of_this_machine(url: str, loopback: bool, safe: bool) -> None:
    assert is_safe(url, loopback=loopback) is safe


def test_no_algorithm_that_a_secret_verifies() -> None:
    assert set(ALGORITHMS) == {
        "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
    }  # fmt: skip


@given(st.lists(st.one_of(st.sampled_from([*Grant]), st.text())))
def test_values_are_the_names_of_grants_and_never_the_platforms(values: list[str]) -> None:
    assert set(issuer().granted(values)) == set(values) & set(ALL_GRANTS)


def test_values_stand_for_what_the_deployment_says_and_for_nothing_else() -> None:
    made = issuer(grants={"reader": ["events:read"], "all": ["org:admin", "events:read"], "x": []})
    assert made.granted(["reader", "x", "other"]) == (Grant.EVENTS_READ,)
    assert made.granted(["all", "reader"]) == (Grant.EVENTS_READ, Grant.ORG_ADMIN)
    assert made.granted(["events:write", "org:admin"]) == ()


# -- its keys -----------------------------------------------------------------------------------


def keys_of(*said: Any) -> tuple[jwks.PublicKey, ...]:
    return jwks.read(json.dumps({"keys": said}).encode())


def test_what_cannot_verify_is_passed_over() -> None:
    good = signer().public_jwk
    others = [
        7,
        {},
        {"kty": "oct", "k": "c2VjcmV0", "kid": "one"},
        good | {"kty": ["RSA"]},
        good | {"use": "enc"},
        good | {"key_ops": ["sign"]},
        good | {"key_ops": "verify"},
        good | {"kid": 7},
        good | {"alg": 7},
        good | {"n": 7},
        good | {"n": "*"},
        signer().private_jwk,
        signer("weak", bits=1_024).public_jwk,
        signer(algorithm="ES256").public_jwk | {"crv": None},
    ]
    assert keys_of(*others) == ()
    [key] = keys_of(*others, good)
    assert (key.id, key.algorithm) == ("one", "RS256")


@pytest.mark.parametrize(("bits", "count"), [(2_047, 0), (2_048, 1), (8_192, 1), (8_193, 0)])
def test_an_rsa_key_has_2048_to_8192_bits(bits: int, count: int) -> None:
    number = encoded((1 << bits - 1).to_bytes((bits + 7) // 8, "big"))
    assert len(keys_of(signer().public_jwk | {"n": number})) == count


def test_without_an_id_there_has_to_be_just_one_key() -> None:
    one, two = keys_of(signer().public_jwk, signer("two").public_jwk)
    assert jwks.named([one, two], "two") == [two]
    assert jwks.named([one, two], None) == ()
    assert jwks.named([one], None) == [one]
    assert jwks.named([one], "two") == []


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_key_is_good_for_the_algorithms_of_its_type(algorithm: str) -> None:
    told = signer("of " + algorithm, algorithm).public_jwk
    [key] = keys_of(told)
    assert [each for each in ALGORITHMS if key.fits(each)] == [algorithm]
    [open_key] = keys_of({name: value for name, value in told.items() if name != "alg"})
    fitting = {each for each in ALGORITHMS if open_key.fits(each)}
    assert fitting == {each for each in ALGORITHMS if ALGORITHMS[each] == ALGORITHMS[algorithm]}
    assert not open_key.fits("HS256")
    assert not open_key.fits("none")


# -- what a token is believed -------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_token_of_every_algorithm(algorithm: str) -> None:
    key = signer("of " + algorithm, algorithm)
    assert verified(key.sign(GOOD), key) == GOOD
    assert verified(key.sign(GOOD, kid=None), key) == GOOD
    assert "algorithm" in refusal(key.sign(GOOD), key, of=issuer(algorithms=[
        each for each in ALGORITHMS if each != algorithm
    ]))  # fmt: skip


def test_an_algorithm_has_to_be_the_keys() -> None:
    key = signer("of PS256", "PS256")
    other = Signer(key.id, "RS256", key.private)
    assert "does not fit" in refusal(other.sign(GOOD), key)
    curve = signer("of ES384", "ES384")
    forged = f"{encoded(json.dumps({'alg': 'ES256', 'kid': curve.id}).encode())}.x.x"
    assert "not a JWT" in refusal(forged, curve)


@pytest.mark.parametrize("kind", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
def test_kinds_of_token_that_are_taken(kind: str | None) -> None:
    assert verified(signer().sign(GOOD, typ=kind), signer()) == GOOD


@pytest.mark.parametrize(
    ("header", "part"),
    [
        ({"typ": "dpop+jwt"}, "`typ`"),
        ({"typ": 7}, "`typ`"),
        ({"crit": []}, "`crit`"),
        ({"crit": ["b64"], "b64": False}, "`crit`"),
        ({"b64": False}, "signature"),
        ({"kid": 7}, "`kid`"),
        ({"kid": ["one"]}, "`kid`"),
        ({"alg": "none"}, "algorithm"),
        ({"alg": ["RS256"]}, "algorithm"),
        ({"alg": "RS384"}, "does not fit"),
    ],
)
def test_headers_that_are_refused(header: dict[str, Any], part: str) -> None:
    assert part in refusal(signer().sign(GOOD, **header))


def test_a_token_has_at_most_8_kib() -> None:
    def padded(count: int) -> str:
        return signer().sign(GOOD | {"more": "x" * count})

    fitting = next(
        padded(count) for count in range(5_760, 5_600, -1) if len(padded(count)) <= 8_192
    )
    assert len(fitting) >= 8_190
    assert verified(fitting, signer())
    assert refusal(fitting + "A" * (8_193 - len(fitting))) == "The token has more than 8192 bytes."


def test_a_key_that_comes_with_the_token_is_not_looked_at() -> None:
    other = signer("another")
    token = other.sign(GOOD, kid="one", jwk=other.public_jwk, jku="https://x", x5u="https://x")
    assert "signature" in refusal(token)


@pytest.mark.parametrize(
    ("header", "claims"),
    [
        (b"", b""),
        (b"[]", b"{}"),
        (b"{", b"{}"),
        (b"{}", b"[" * 5_000),
        (b"{}", b'{"exp": NaN}'),
        (b"{}", b"\xff"),
        (b"{}", rb'{"sub": "\ud800"}'),
    ],
)
def test_what_is_no_json_object_is_no_token(header: bytes, claims: bytes) -> None:
    assert refusal(f"{encoded(header)}.{encoded(claims)}.") == tokens._MALFORMED


@pytest.mark.parametrize("token", ["..", "a.b.c", "a.b", "a.b.c.d.e", "e30=.e30.", "e30.e3 0.", ""])
def test_what_is_no_token(token: str) -> None:
    assert refusal(token) == tokens._MALFORMED


@given(st.text(alphabet=st.characters(min_codepoint=33, max_codepoint=126), max_size=200))
def test_whatever_is_sent_is_refused_in_words_that_do_not_repeat_it(text: str) -> None:
    with pytest.raises(UnauthenticatedError):
        tokens.read(text, issuer())


@given(st.data())
def test_a_token_with_one_character_changed_is_not_good(data: st.DataObject) -> None:
    token = signer().sign(GOOD)
    place = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126))
    changed = token[:place] + other + token[place + 1 :]
    try:
        assert verified(changed, signer()) == GOOD
    except (UnauthenticatedError, ValueError):
        return
    # The last character of each part has bits that say nothing.
    assert place + 1 == len(token) or token[place + 1] == "." or changed == token


@pytest.mark.parametrize(
    ("claims", "part"),
    [
        ({"iss": URL + "/"}, "another issuer"),
        ({"iss": [URL]}, "another issuer"),
        ({"iss": None}, "another issuer"),
        ({"aud": AUDIENCE + "/"}, "another audience"),
        ({"aud": []}, "another audience"),
        ({"aud": {AUDIENCE: 1}}, "another audience"),
        ({"aud": None}, "another audience"),
        ({"exp": None}, "never expires"),
        ({"exp": "1800000060"}, "`exp` is not a number"),
        ({"exp": True}, "`exp` is not a number"),
        ({"exp": NOW}, "has expired"),
        ({"exp": -1e300}, "has expired"),
        ({"nbf": NOW + 31}, "not good yet"),
        ({"nbf": "now"}, "`nbf` is not a number"),
        ({"iat": NOW + 31}, "issued in the future"),
        ({"iat": []}, "`iat` is not a number"),
    ],
)
def test_claims_that_are_refused(claims: dict[str, Any], part: str) -> None:
    assert part in refusal(signer().sign(GOOD | claims))


@pytest.mark.parametrize(
    "claims",
    [
        {"aud": ["https://else.example.com", AUDIENCE]},
        {"exp": NOW + 0.5},
        {"exp": 10**30},
        {"nbf": NOW + 30, "iat": NOW + 29.5},
        {"nbf": NOW - 10**9, "iat": 0},
    ],
)
def test_claims_that_are_taken(claims: dict[str, Any]) -> None:
    assert verified(signer().sign(GOOD | claims), signer()) == GOOD | claims


# -- whom it stands for -------------------------------------------------------------------------


def test_the_caller_of_a_token() -> None:
    claims = GOOD | {"grants": "events:read  events:write other", "name": "Ada", "jti": "t1"}
    made = tokens.caller(claims, issuer(), "acme")
    assert made.org == "acme"
    assert made.grants == (Grant.EVENTS_WRITE, Grant.EVENTS_READ)
    assert made.credential == {"type": "access_token", "id": "t1", "name": "id.example.com"}
    assert made.actor == {"id": "usr_1", "name": "Ada", "type": "user"}
    assert not made.may_name
    assert not made.is_remote


@pytest.mark.parametrize(
    ("said", "path", "org"),
    [
        ("acme", "acme", "acme"),
        ("acme", "globex", "acme"),
        ("acme", None, "acme"),
        (["globex", "acme"], "acme", "acme"),
        (["globex", "acme"], None, "globex"),
        (["*", "not a name", "acme"], "*", "acme"),
    ],
)
def test_the_org_of_a_token(said: Any, path: str | None, org: str) -> None:
    assert tokens.caller(GOOD | {"org": said}, issuer(), path).org == org


@pytest.mark.parametrize("said", ["*", "", "a b", "acme globex", [], ["*"], {"a": 1}, 7, [7], None])
def test_what_names_no_org(said: Any) -> None:
    with pytest.raises(UnauthenticatedError, match="`org`"):
        tokens.caller(GOOD | {"org": said}, issuer(), "acme")


@pytest.mark.parametrize("said", [7, {"events:read": True}, [["events:read"]], [None], False])
def test_what_are_no_grants(said: Any) -> None:
    with pytest.raises(UnauthenticatedError, match="`grants`"):
        tokens.caller(GOOD | {"grants": said}, issuer(), "acme")


def test_no_grants_are_none() -> None:
    for said in (None, "", [], "none of ours"):
        assert tokens.caller(GOOD | {"grants": said}, issuer(), "acme").grants == ()


@pytest.mark.parametrize("said", [None, "", 7, ["usr_1"], "x" * 257])
def test_a_token_of_nobody_is_refused(said: Any) -> None:
    with pytest.raises(UnauthenticatedError, match="`sub`"):
        tokens.caller(GOOD | {"sub": said}, issuer(), "acme")


@pytest.mark.parametrize("said", [None, "", 7, "x" * 257])
def test_a_name_that_is_none_is_left_out(said: Any) -> None:
    made = tokens.caller(GOOD | {"name": said}, issuer(), "acme")
    assert made.actor == {"id": "usr_1", "type": "user"}


def test_the_id_of_a_token_without_one_is_its_persons() -> None:
    for said in (None, "", 7):
        assert tokens.caller(GOOD | {"jti": said}, issuer(), None).credential["id"] == "usr_1"
    long = tokens.caller(GOOD | {"jti": "x" * 300}, issuer(), None).credential["id"]
    assert long == "x" * 256


def test_claims_are_found_where_the_deployment_says() -> None:
    made = issuer(
        claims={"org": "https://acme.example.com/org", "grants": "realm_access.roles", "id": "oid"}
    )
    claims = {
        "https://acme.example.com/org": "acme",
        "realm_access": {"roles": ["events:read"]},
        "realm_access.other": "x",
        "oid": "o1",
    }
    caller = tokens.caller(claims, made, "acme")
    assert (caller.org, caller.grants, caller.actor["id"]) == ("acme", (Grant.EVENTS_READ,), "o1")
    assert tokens.claim(claims, "realm_access.other") == "x"
    assert tokens.claim(claims, "realm_access.roles.more") is None
    assert tokens.claim(claims, "absent.more") is None
