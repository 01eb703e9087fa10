"""Truncation of addresses: IPv4 keeps /24, IPv6 keeps /48, the rest is zero.

A truncated address is written like an address whose tail is zero, and stands
for its whole block. The rule is part of the record's form: it never changes
for `v` 1, or the same event sent again would get another id.
"""

from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import TypeAlias

Network: TypeAlias = IPv4Network | IPv6Network

_KEPT_BITS = {4: 24, 6: 48}
_MAPPED = IPv6Network("::ffff:0:0/96")  # RFC 4291 section 2.5.5.2


def truncate(address: str) -> str:
    """The address with its tail zeroed, in the standard text form (RFC 5952 for IPv6).

    An IPv4-mapped IPv6 address becomes the IPv4 address that it carries.
    Raises `ValueError`, whose text never repeats the address.
    """
    found = _parse(address)
    if isinstance(found, IPv4Address):
        return str(found).rpartition(".")[0] + ".0"
    return str(_block(found).network_address)


def block(truncated: str) -> Network:
    """The block for which a stored, truncated address stands."""
    return _block(_parse(truncated))


def kept_bits(address: str) -> int:
    """How many bits of an address are kept when it is truncated."""
    return _KEPT_BITS[_parse(address).version]


def network(text: str) -> Network:
    """The block that a filter names: one address, or a CIDR block.

    Bits behind the prefix length are ignored, and a block of IPv4-mapped
    addresses is the IPv4 block that it carries. What is narrower than a stored
    block becomes that block: it finds the same, and says no more than is stored.
    Raises `ValueError`.
    """
    if "%" in text:
        raise ValueError("expected an address without a zone")
    try:
        found = ip_network(text, strict=False)
    except ValueError:
        raise ValueError("expected an IPv4 or IPv6 address, or a CIDR block") from None
    if isinstance(found, IPv6Network) and found.subnet_of(_MAPPED):
        carried = found.network_address.ipv4_mapped
        found = ip_network(f"{carried}/{found.prefixlen - 96}")
    kept = _KEPT_BITS[found.version]
    return found if found.prefixlen <= kept else found.supernet(new_prefix=kept)


def _parse(address: str) -> IPv4Address | IPv6Address:
    try:
        found = ip_address(address)
    except ValueError:
        raise ValueError("expected an IPv4 or IPv6 address") from None
    if isinstance(found, IPv6Address):
        if found.scope_id is not None:
            raise ValueError("expected an address without a zone")
        return found.ipv4_mapped or found
    return found


def _block(address: IPv4Address | IPv6Address) -> Network:
    return ip_network(f"{address}/{_KEPT_BITS[address.version]}", strict=False)
