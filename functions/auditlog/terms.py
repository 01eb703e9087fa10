"""What a filter may look for in an event: the terms of a record.

A term is a short text such as `actor:usr_17`. A digest keeps the fingerprints of
all terms of the events that it summarises; a filter's value names the terms of
which an event that matches has at least one. So a digest without any of them
has no event that matches. Which events match is always decided on the events.

Compatibility: digests are built from `terms_of`, and filters ask with the
functions below. A change to either needs a new `digest.VERSION`.
"""

import hashlib
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import ip_network
from typing import Any

from auditlog.privacy import Network, block

#: Bits of a fingerprint: of 2,000 terms in a digest, one in 8,000 others is taken for one of them.
FINGERPRINT_BITS = 24
#: A text with more slashes is not likely to be meant; then no end of it is looked for.
_MOST_ENDS = 16
#: How much of an address a term has: the stored block, and the block around it.
_BLOCK_BITS = {4: 24, 6: 48}
_WIDER_BITS = {4: 16, 6: 32}


def terms_of(record: Mapping[str, Any]) -> set[str]:
    """Every term of a record."""
    found: set[str] = set()
    if (actor := record.get("actor")) is not None:
        found |= {actor_term(actor["id"]), actor_type_term(actor.get("type", "user"))}
        if "name" in actor:
            found.add(actor_term(actor["name"]))
    for target in record.get("targets", ()):
        found.add(target_term(target["id"]))
    if "ip" in record:
        found.update(_address_terms(record["ip"]))
    location = record.get("location", {})
    if "country" in location:
        found.add(country_term(location["country"]))
    if "city" in location:
        found.add(city_term(location["city"]))
    credential = record.get("credential", {})
    found.update(credential_term(credential[n]) for n in ("id", "name", "type") if n in credential)
    return found


def actor_term(id_or_name: str) -> str:
    """Of an actor's id, and of its name."""
    return "actor:" + id_or_name


def actor_type_term(kind: str) -> str:
    """Of an actor's type."""
    return "actor_type:" + kind


def target_term(target_id: str) -> str:
    """Of a target's id."""
    return "target:" + target_id


def target_terms(text: str) -> tuple[str, ...]:
    """Of every id that a text may mean, which is an id or `type/id`.

    Both may have a slash: each end of the text behind one may be the id. The types
    have no terms, since nearly every event would have one more of its own.
    """
    ends = [0, *(at + 1 for at, character in enumerate(text[:-1]) if character == "/")]
    return tuple(target_term(text[at:]) for at in ends) if len(ends) <= _MOST_ENDS else ()


def country_term(code: str) -> str:
    """Of a country's code, in capitals."""
    return "country:" + code


def city_term(name: str) -> str:
    """Of a city's name; without case."""
    return "city:" + name.casefold()


def credential_term(text: str) -> str:
    """Of a credential's id, name or type."""
    return "credential:" + text


def network_terms(network: Network) -> tuple[str, ...]:
    """Of a block that a filter names; none where it is so wide that no one term is in all of it."""
    version = network.version
    kept = min(network.prefixlen, _BLOCK_BITS[version])
    if kept < _WIDER_BITS[version]:
        return ()
    bits = _BLOCK_BITS[version] if kept == _BLOCK_BITS[version] else _WIDER_BITS[version]
    return ("ip:" + str(ip_network(f"{network.network_address}/{bits}", strict=False)),)


@lru_cache(maxsize=4_096)
def fingerprint(term: str) -> int:
    """A number of 24 bits, spread evenly; the same for ever."""
    digest = hashlib.blake2b(
        term.encode("utf-8", "surrogatepass"), digest_size=FINGERPRINT_BITS // 8
    )
    return int.from_bytes(digest.digest(), "big")


@lru_cache(maxsize=1_024)
def _address_terms(truncated: str) -> tuple[str, str]:
    stored = block(truncated)
    wider = stored.supernet(new_prefix=_WIDER_BITS[stored.version])
    return f"ip:{stored}", f"ip:{wider}"
