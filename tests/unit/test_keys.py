"""API keys: their form, their check, and what is kept of them."""

import hashlib
import string
import zlib
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import keys
from auditlog.keys import ALL_GRANTS, Grant, MintedKey

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase


def mint(filling: bytes = b"\x5a", *, expires_at: int | None = None) -> MintedKey:
    return keys.mint(
        "acme",
        "siem",
        (Grant.EVENTS_READ,),
        now=5,
        expires_at=expires_at,
        random=lambda size: filling * size,
    )


class TestForm:
    @given(st.binary(min_size=41, max_size=41))
    def test_is_the_same_for_every_randomness(self, randomness: bytes) -> None:
        sizes: list[int] = []

        def random(size: int) -> bytes:
            start = sum(sizes)
            sizes.append(size)
            return randomness[start : start + size]

        minted = keys.mint("acme", "x", ALL_GRANTS, now=0, expires_at=None, random=random)
        prefix, key_id, rest = minted.secret.split("_")
        assert (prefix, len(key_id), len(rest)) == ("alk", 12, 43 + 6)
        assert set(key_id + rest) <= set(ALPHABET)
        assert sizes[1] == 32
        assert sizes[0] * 8 >= 64
        assert keys.key_id(minted.secret) == key_id == minted.id

    @given(st.binary(min_size=32, max_size=32))
    def test_all_256_bits_are_in_it(self, secret: bytes) -> None:
        minted = keys.mint(
            "a", "x", ALL_GRANTS, now=0, expires_at=None,
            random=lambda size: secret if size == 32 else bytes(size),
        )  # fmt: skip
        digits = minted.secret[17:60]
        number = 0
        for digit in digits:
            number = number * 62 + ALPHABET.index(digit)
        assert number.to_bytes(33, "big")[1:] == secret

    def test_the_check_is_the_crc_of_what_stands_before(self) -> None:
        secret = mint().secret
        number = 0
        for digit in secret[-6:]:
            number = number * 62 + ALPHABET.index(digit)
        assert number == zlib.crc32(secret[:-6].encode())

    def test_is_fixed_for_ever(self) -> None:
        assert mint(b"\x00").secret == "alk_" + "0" * 12 + "_" + "0" * 43 + "0aKGdR"


class TestRecognition:
    def test_every_substitution_is_caught(self) -> None:
        secret = mint().secret
        for at, original in enumerate(secret):
            for character in ALPHABET + "_-é ":
                if character != original:
                    assert keys.key_id(secret[:at] + character + secret[at + 1 :]) is None

    def test_every_swap_of_neighbours_is_caught(self) -> None:
        secret = keys.mint(
            "a", "x", ALL_GRANTS, now=0, expires_at=None,
            random=lambda size: bytes(range(7, 7 + size)),
        ).secret  # fmt: skip
        for at, (one, other) in enumerate(pairwise(secret)):
            if one != other:
                assert keys.key_id(secret[:at] + other + one + secret[at + 2 :]) is None

    @pytest.mark.parametrize("changed", ["", "alk_", "alk_x_y", "Bearer x", "alk__", "٠" * 66])
    def test_what_is_no_credential(self, changed: str) -> None:
        assert keys.key_id(changed) is None

    def test_nothing_may_stand_around_it(self) -> None:
        secret = mint().secret
        for changed in (f" {secret}", f"{secret} ", f"{secret}\n", secret[:-1], f"{secret}0"):
            assert keys.key_id(changed) is None


class TestKey:
    def test_keeps_the_hash_and_nothing_else_of_the_secret(self) -> None:
        minted = mint()
        assert minted.key.hash == hashlib.sha256(minted.secret.encode()).digest()
        assert minted.secret[17:60] not in repr(minted.key)

    def test_opens_for_its_own_credential_only(self) -> None:
        minted, other = mint(), mint(b"\x5b")
        assert minted.key.opens(minted.secret)
        assert not minted.key.opens(other.secret)
        assert not minted.key.opens(minted.secret + "0")
        assert not minted.key.opens("")

    @pytest.mark.parametrize(
        ("expires_at", "now", "live"), [(None, 10**18, True), (7, 6, True), (7, 7, False)]
    )
    def test_is_live_until_it_expires(self, expires_at: int | None, now: int, live: bool) -> None:
        assert mint(expires_at=expires_at).key.is_live(now) == live

    def test_says_what_it_was_made_with(self) -> None:
        key = mint(expires_at=9).key
        assert (key.org, key.name, key.grants) == ("acme", "siem", (Grant.EVENTS_READ,))
        assert (key.created_at, key.expires_at) == (5, 9)

    def test_an_admin_has_every_grant(self) -> None:
        assert set(ALL_GRANTS) == {"events:write", "events:read", "exports:create", "org:admin"}
