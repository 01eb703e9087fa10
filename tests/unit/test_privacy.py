"""Truncation of addresses, and the blocks for which they stand."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import privacy

addresses = st.ip_addresses()
v4 = st.ip_addresses(v=4)


@pytest.mark.parametrize(
    ("address", "kept"),
    [
        ("198.51.100.77", "198.51.100.0"),
        ("0.0.9.1", "0.0.9.0"),
        ("255.255.255.255", "255.255.255.0"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1::"),
        ("2001:0DB8:0000:ffff::", "2001:db8::"),
        ("::1", "::"),
        ("::", "::"),
        ("fe80::1", "fe80::"),
        ("::ffff:198.51.100.77", "198.51.100.0"),
        ("::FFFF:c633:644d", "198.51.100.0"),
        ("0:0:0:0:0:ffff:198.51.100.77", "198.51.100.0"),
        ("::198.51.100.77", "::"),
        ("64:ff9b::198.51.100.77", "64:ff9b::"),
    ],
)
def test_truncated(address: str, kept: str) -> None:
    assert privacy.truncate(address) == kept


@given(addresses)
def test_the_tail_is_gone_and_the_head_is_kept(address: IPv4Address | IPv6Address) -> None:
    if isinstance(address, IPv6Address) and address.ipv4_mapped:
        return
    cut = 8 if address.version == 4 else 80
    kept = ip_address(privacy.truncate(str(address)))
    assert kept.version == address.version
    assert int(kept) == int(address) >> cut << cut


@given(v4)
def test_a_mapped_address_is_the_one_it_carries(address: IPv4Address) -> None:
    for mapped in (f"::ffff:{address}", IPv6Address(0xFFFF << 32 | int(address)).exploded):
        assert privacy.truncate(mapped) == privacy.truncate(str(address))


@given(addresses)
def test_what_is_truncated_stays_as_it_is(address: IPv4Address | IPv6Address) -> None:
    once = privacy.truncate(str(address))
    assert privacy.truncate(once) == once


@given(addresses)
def test_the_block_holds_the_address(address: IPv4Address | IPv6Address) -> None:
    block = privacy.block(privacy.truncate(str(address)))
    real = getattr(address, "ipv4_mapped", None) or address
    assert real in block
    assert block.prefixlen == {4: 24, 6: 48}[real.version]


NO_ADDRESS = [
    "", " ", "localhost", "s3.amazonaws.com", "198.51.100", "198.51.100.256", "198.51.100.077",
    "198.51.100.77 ", " 198.51.100.77", "198.51.100.77\n", "198.51.100.77:443", "0x7f.0.0.1",
    "3325256781", "198.51.100.7٧", "[2001:db8::1]", "2001:db8::1::", "2001:db8::12345", "2001:db8",
    "fe80::1%eth0", "::ffff:198.51.100.77%1", "unknown", "198.51.100.77, 198.51.100.78",
]  # fmt: skip


@pytest.mark.parametrize("text", [*NO_ADDRESS, "198.51.100.0/24", "2001:db8::/48"])
def test_what_is_not_an_address_is_refused_and_not_repeated(text: str) -> None:
    with pytest.raises(ValueError, match="expected an") as refused:
        privacy.truncate(text)
    assert str(refused.value) in {
        "expected an IPv4 or IPv6 address",
        "expected an address without a zone",
    }


@pytest.mark.parametrize(
    ("text", "block"),
    [
        ("198.51.100.77", "198.51.100.0/24"),
        ("198.51.100.77/24", "198.51.100.0/24"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:db8::1", "2001:db8::/48"),
        ("2001:DB8:1:2::/47", "2001:db8::/47"),
        ("::ffff:198.51.100.77", "198.51.100.0/24"),
        ("::ffff:198.51.100.77/120", "198.51.100.0/24"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
    ],
)
def test_the_block_that_a_filter_names(text: str, block: str) -> None:
    assert privacy.network(text) == ip_network(block)


@pytest.mark.parametrize("text", [*NO_ADDRESS, "198.51.100.0/33", "2001:db8::/129", "/24", "::/x"])
def test_a_filter_that_names_no_block(text: str) -> None:
    with pytest.raises(ValueError, match="expected an"):
        privacy.network(text)
