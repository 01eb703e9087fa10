"""What each qualifier of the query language, and each search parameter, takes.

A value is parsed once, when the filter is made, into something that can be
asked of an event. Where the type of an event decides, its record is not read.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from auditlog import clock, privacy, terms
from auditlog.answers import summary
from auditlog.catalog import OPERATIONS, Catalog

ACTOR_TYPES = ("user", "service_account", "system")

_RANGE = re.compile(r"(.*?)\.\.(.*)", re.DOTALL)
_COMPARISON = re.compile(r"(>=|<=|>|<)(.*)", re.DOTALL)
_COUNTRY = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True, slots=True)
class Subject:
    """An event that is asked about: its record, and the catalog for its summary."""

    record: Mapping[str, Any]
    catalog: Catalog


@dataclass(frozen=True, slots=True)
class Value:
    """One value of a condition: how it reads, and the test that it stands for.

    `by_type` is asked with the name of a type, `by_record` with a `Subject`;
    exactly one of them is set. `shows` are hidden types that it names exactly.
    Where there are `terms`, every event that passes `by_record` has one of them
    (`terms.terms_of`), and maybe others do.
    """

    text: str
    by_type: Callable[[str], bool] | None = None
    by_record: Callable[[Subject], bool] | None = None
    shows: frozenset[str] = frozenset()
    terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Range:
    """Times from `start` on and before `end`, in microseconds."""

    start: int
    end: int


ALWAYS = Range(0, clock.parse("9999-12-31T23:59:59.999999Z") + 1)


def parse(name: str, text: str, catalog: Catalog) -> Value:
    """The value of the qualifier `name`. Raises `ValueError` with what was expected."""
    return _PARSERS[name](text, catalog)


def created(text: str) -> Range:
    """The range that a value of `created:` names.

    A date is the whole UTC day; a range includes both ends; `*` leaves one
    open. Raises `ValueError`.
    """
    if match := _COMPARISON.fullmatch(text):
        start, end = _moment(match[2])
        bounds = {">=": (start, None), ">": (end, None), "<": (None, start), "<=": (None, end)}
        low, high = bounds[match[1]]
    elif match := _RANGE.fullmatch(text):
        low = None if match[1] == "*" else _moment(match[1])[0]
        high = None if match[2] == "*" else _moment(match[2])[1]
    else:
        low, high = _moment(text)
    return Range(
        ALWAYS.start if low is None else max(ALWAYS.start, low),
        ALWAYS.end if high is None else max(ALWAYS.start, high),
    )


def _moment(text: str) -> tuple[int, int]:
    start = clock.parse_bound(text)
    return start, start + (clock.DAY if "T" not in text.upper() else 1)


def _type(text: str, catalog: Catalog) -> Value:
    match = catalog.names_matching(text)
    if match is None:
        scopes = difflib.get_close_matches(text, catalog.scopes, n=1)
        near = ", ".join([*scopes, *catalog.nearest(text)][:3])
        raise ValueError(f"expected a type, scope or prefix of the catalog; the nearest are {near}")
    return Value(text, by_type=match.matches, shows=match.names_hidden)


def _operation(text: str, catalog: Catalog) -> Value:
    if text not in OPERATIONS:
        raise ValueError(f"expected one of {', '.join(sorted(OPERATIONS))}")

    def test(name: str) -> bool:
        known = catalog.get(name)
        return known is not None and known.operation == text

    return Value(text, by_type=test)


def _actor(text: str, _catalog: Catalog) -> Value:
    exact = _filled(text)

    def test(subject: Subject) -> bool:
        actor = subject.record.get("actor", {})
        return exact in {actor.get("id"), actor.get("name")}

    return Value(exact, by_record=test, terms=(terms.actor_term(exact),))


def _actor_type(text: str, _catalog: Catalog) -> Value:
    if text not in ACTOR_TYPES:
        raise ValueError(f"expected one of {', '.join(ACTOR_TYPES)}")
    return Value(
        text,
        by_record=lambda s: "actor" in s.record and s.record["actor"].get("type", "user") == text,
        terms=(terms.actor_type_term(text),),
    )


def _target(text: str, _catalog: Catalog) -> Value:
    exact = _filled(text)

    def test(subject: Subject) -> bool:
        targets = subject.record.get("targets", ())
        return any(exact in {t["id"], f"{t['type']}/{t['id']}"} for t in targets)

    return Value(exact, by_record=test, terms=terms.target_terms(exact))


def _ip(text: str, _catalog: Catalog) -> Value:
    network = privacy.network(text)

    def test(subject: Subject) -> bool:
        ip = subject.record.get("ip")
        if ip is None:
            return False
        stored = privacy.block(ip)
        return network.version == stored.version and network.overlaps(stored)

    return Value(str(network), by_record=test, terms=terms.network_terms(network))


def _country(text: str, _catalog: Catalog) -> Value:
    if not _COUNTRY.fullmatch(text):
        raise ValueError("expected two letters of ISO 3166-1 alpha-2")
    code = text.upper()
    return Value(
        code,
        by_record=lambda s: s.record.get("location", {}).get("country") == code,
        terms=(terms.country_term(code),),
    )


def _city(text: str, _catalog: Catalog) -> Value:
    name = _filled(text).casefold()
    return Value(
        text,
        by_record=lambda s: s.record.get("location", {}).get("city", "").casefold() == name,
        terms=(terms.city_term(text),),
    )


def _credential(text: str, _catalog: Catalog) -> Value:
    exact = _filled(text)

    def test(subject: Subject) -> bool:
        used = subject.record.get("credential", {})
        return exact in {used.get("id"), used.get("name"), used.get("type")}

    return Value(exact, by_record=test, terms=(terms.credential_term(exact),))


def _created(text: str, _catalog: Catalog) -> Value:
    times = created(text)

    def test(subject: Subject) -> bool:
        return times.start <= clock.parse(subject.record["occurred_at"]) < times.end

    return Value(text, by_record=test)


def _text(text: str, _catalog: Catalog) -> Value:
    sought = _filled(text).casefold()
    return Value(text, by_record=lambda s: any(sought in t.casefold() for t in _texts(s)))


def _texts(subject: Subject) -> Iterator[str]:
    """Where words are looked for."""
    record = subject.record
    if "actor" not in record:
        return
    yield record["description"] if "description" in record else summary(record, subject.catalog)
    yield record["actor"].get("name", "")
    for target in record.get("targets", ()):
        yield target["id"]
        yield target.get("name", "")


def _filled(text: str) -> str:
    if not text:
        raise ValueError("expected at least one character")
    return text


_PARSERS: Mapping[str, Callable[[str, Catalog], Value]] = {
    "type": _type,
    "operation": _operation,
    "actor": _actor,
    "actor_type": _actor_type,
    "target": _target,
    "ip": _ip,
    "country": _country,
    "city": _city,
    "credential": _credential,
    "created": _created,
    "text": _text,
}
