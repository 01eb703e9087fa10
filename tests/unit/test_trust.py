"""When an issuer is asked for its keys, and what is done while it does not answer."""

import json
from dataclasses import dataclass, field

import pytest

from auditlog import clock
from auditlog.errors import UnauthenticatedError, UnavailableError
from auditlog.issuer import Issuer
from auditlog.trust import FRESH_FOR, GOOD_FOR, PAUSE, SHORT_PAUSE, NoAnswerError, Trust
from tests.signers import Signer, signer

URL = "https://id.example.com"
KEYS = URL + "/keys"
ISSUER = Issuer.parse({"issuer": URL, "audience": "a", "jwks_uri": KEYS})
NOW = 1_800_000_000
CLAIMS = {"iss": URL, "aud": "a", "exp": NOW + 60, "sub": "usr_1", "org": "acme"}


@dataclass
class Issuing:
    """An issuer, the clock, and what knows the issuer."""

    keys: list[Signer] = field(default_factory=lambda: [signer()])
    now: float = 0.0
    answers: bool = True
    asked: list[float] = field(default_factory=list)
    trust: Trust = field(init=False)

    def __post_init__(self) -> None:
        self.trust = Trust(ISSUER, fetch=self.fetch, monotonic=lambda: self.now)

    def fetch(self, url: str) -> bytes:
        assert url == KEYS
        self.asked.append(self.now)
        if not self.answers:
            raise NoAnswerError("down")
        return json.dumps({"keys": [key.public_jwk for key in self.keys]}).encode()

    def send(self, key: Signer | None = None, **header: str | None) -> None:
        token = (key or signer()).sign(CLAIMS, **header)
        caller = self.trust.caller(token, org="acme", now=NOW * clock.SECOND)
        assert caller.actor["id"] == "usr_1"


def test_keys_are_asked_for_once_in_ten_minutes() -> None:
    issuing = Issuing()
    assert issuing.asked == []
    for now in (0, 1, FRESH_FOR - 1, FRESH_FOR, FRESH_FOR + 1):
        issuing.now = now
        issuing.send()
    assert issuing.asked == [0, FRESH_FOR]


def test_a_new_key_is_asked_for_at_once() -> None:
    issuing = Issuing()
    issuing.send()
    issuing.keys = [signer("two"), signer()]
    issuing.now = PAUSE
    issuing.send(signer("two"))
    issuing.send()
    assert issuing.asked == [0, PAUSE]


def test_unknown_keys_are_asked_for_once_in_half_a_minute() -> None:
    issuing = Issuing()
    for number in range(100):
        issuing.now = number
        with pytest.raises(UnauthenticatedError, match="its issuer has not"):
            issuing.send(kid=f"k{number}")
    assert issuing.asked == [0, 30, 60, 90]


def test_a_key_that_is_withdrawn_is_good_until_the_issuer_is_asked_again() -> None:
    issuing = Issuing()
    issuing.send()
    issuing.keys = []
    issuing.now = FRESH_FOR - 1
    issuing.send()
    issuing.now = FRESH_FOR
    with pytest.raises(UnauthenticatedError, match="its issuer has not"):
        issuing.send()


def test_keys_stay_good_for_a_day_while_the_issuer_does_not_answer() -> None:
    issuing = Issuing()
    issuing.send()
    issuing.answers = False
    for now in (FRESH_FOR, FRESH_FOR + PAUSE - 1, FRESH_FOR + PAUSE, GOOD_FOR - 1):
        issuing.now = now
        issuing.send()
    assert issuing.asked == [0, FRESH_FOR, FRESH_FOR + PAUSE, GOOD_FOR - 1]
    issuing.now = GOOD_FOR
    with pytest.raises(UnavailableError):
        issuing.send()
    issuing.answers = True
    issuing.now = GOOD_FOR + PAUSE
    issuing.send()


def test_while_it_does_not_answer_an_unknown_key_may_be_good() -> None:
    issuing = Issuing()
    issuing.send()
    issuing.answers = False
    issuing.now = PAUSE
    with pytest.raises(UnavailableError) as unavailable:
        issuing.send(signer("two"))
    assert unavailable.value.retry_after == PAUSE
    issuing.now = 2 * PAUSE - 1
    with pytest.raises(UnavailableError) as unavailable:
        issuing.send(signer("two"))
    assert unavailable.value.retry_after == 1
    assert issuing.asked == [0, PAUSE]


def test_without_any_keys_it_is_asked_again_sooner() -> None:
    issuing = Issuing(answers=False)
    for now in (0, SHORT_PAUSE - 1, SHORT_PAUSE):
        issuing.now = now
        with pytest.raises(UnavailableError) as unavailable:
            issuing.send()
        assert 1 <= unavailable.value.retry_after <= SHORT_PAUSE
    assert issuing.asked == [0, SHORT_PAUSE]
    issuing.answers = True
    issuing.now = 2 * SHORT_PAUSE
    issuing.send()


def test_what_is_not_this_issuers_asks_nobody() -> None:
    issuing = Issuing()
    token = signer().sign(CLAIMS | {"iss": "https://else.example.com"})
    with pytest.raises(UnauthenticatedError, match="another issuer"):
        issuing.trust.caller(token, org="acme", now=NOW)
    assert issuing.asked == []


def test_without_an_id_there_has_to_be_just_one_key() -> None:
    Issuing().send(kid=None)
    with pytest.raises(UnauthenticatedError, match="no `kid`"):
        Issuing(keys=[signer(), signer("two")]).send(kid=None)


def test_an_id_that_two_types_share_is_the_one_that_fits() -> None:
    curve = Signer("one", "ES256", signer("x", "ES256").private)
    issuing = Issuing(keys=[curve, signer()])
    issuing.send()
