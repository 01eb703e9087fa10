"""What a search or an export asks for: parameters -> typed filter -> predicate.

A repeated parameter means OR, different ones mean AND. Whatever is not known
or not valid is refused with its place; nothing is ignored in silence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from auditlog import clock, privacy
from auditlog.catalog import Catalog, TypeMatch
from auditlog.errors import Fault, MalformedError

MAX_VALUES = 100
MAX_VALUE_LENGTH = 1_024

_T = TypeVar("_T")

#: The parameters that make a filter, as search takes them in its query and an
#: export in its body, with the words that the specification has for each.
PARAMETERS: Mapping[str, str] = {
    "type": "A type, a scope, a dotted prefix, or `x.*`.",
    "actor": "An actor's id or name, exactly.",
    "target": "A target's id, or `type/id`, exactly.",
    "ip": "An address or a CIDR block; matches where it overlaps the stored block.",
    "country": "ISO 3166-1 alpha-2.",
    "since": "RFC 3339, or a date: events from then on.",
    "until": "RFC 3339, or a date: events before then.",
    "include_hidden": "Whether types that the default view leaves out are shown.",
}


@dataclass(frozen=True, slots=True)
class Filter:
    """A conjunction of disjunctions. An empty tuple means that anything goes.

    `parameters` is the filter in the words of the API, in one normal form: what
    an export shows, and to what a cursor is bound.
    """

    parameters: Mapping[str, list[str]]
    types: tuple[TypeMatch, ...]
    actors: frozenset[str]
    targets: frozenset[str]
    networks: tuple[privacy.Network, ...]
    countries: frozenset[str]
    since: int | None
    until: int | None
    hidden: frozenset[str]
    """The types that this filter does not show although nothing else excludes them."""

    @property
    def reads_records(self) -> bool:
        """Whether the type alone does not decide."""
        return bool(self.actors or self.targets or self.networks or self.countries)

    def takes_type(self, name: str) -> bool:
        """Whether an event of this type may match."""
        if name in self.hidden:
            return False
        return not self.types or any(match.matches(name) for match in self.types)

    def takes_record(self, record: Mapping[str, Any]) -> bool:
        """Whether a record matches all that is not its type or its time."""
        return (
            (not self.actors or not self.actors.isdisjoint(_actor_names(record)))
            and (not self.targets or not self.targets.isdisjoint(_target_names(record)))
            and (not self.networks or self._overlaps(record.get("ip")))
            and (not self.countries or record.get("location", {}).get("country") in self.countries)
        )

    def _overlaps(self, ip: str | None) -> bool:
        if ip is None:
            return False
        stored = privacy.block(ip)
        return any(n.version == stored.version and n.overlaps(stored) for n in self.networks)


def parse(
    given: Mapping[str, Sequence[str]], catalog: Catalog, *, hidden_by_default: bool
) -> Filter:
    """The filter that `given` asks for.

    `hidden_by_default` says what an absent `include_hidden` means. Raises
    `MalformedError` with one fault for each value that is not valid; unknown
    names are the caller's business, which knows what else may stand there.
    """
    reader = _Reader(given)
    types = reader.each("type", lambda value: _type(value, catalog))
    actors = reader.each("actor", _exact)
    targets = reader.each("target", _exact)
    networks = reader.each("ip", privacy.network)
    countries = reader.each("country", _country)
    since = reader.one("since", clock.parse_bound)
    until = reader.one("until", clock.parse_bound)
    include_hidden = reader.one("include_hidden", boolean)
    if reader.faults:
        raise MalformedError("The filter is not valid.", reader.faults)
    if include_hidden is None:
        include_hidden = not hidden_by_default
    named = frozenset[str]().union(*(match.names_hidden for match in types))
    normal: dict[str, list[str]] = {
        "type": sorted(set(given.get("type", ()))),
        "actor": sorted(set(actors)),
        "target": sorted(set(targets)),
        "ip": sorted({str(n) for n in networks}),
        "country": sorted(set(countries)),
        "since": [] if since is None else [clock.text(since)],
        "until": [] if until is None else [clock.text(until)],
        "include_hidden": ["true" if include_hidden else "false"],
    }
    return Filter(
        parameters={name: values for name, values in normal.items() if values},
        types=tuple(types),
        actors=frozenset(actors),
        targets=frozenset(targets),
        networks=tuple(networks),
        countries=frozenset(countries),
        since=since,
        until=until,
        hidden=frozenset() if include_hidden else catalog.hidden_names - named,
    )


def boolean(text: str) -> bool:
    """`true` or `false`; raises `ValueError` on anything else."""
    if text not in {"true", "false"}:
        raise ValueError("expected true or false")
    return text == "true"


class _Reader:
    """Reads parameters, and gathers a fault for each that does not parse."""

    def __init__(self, given: Mapping[str, Sequence[str]]) -> None:
        self._given = given
        self.faults: list[Fault] = []

    def each(self, name: str, parse: Callable[[str], _T]) -> list[_T]:
        values = self._given.get(name, ())
        if len(values) > MAX_VALUES:
            self.faults.append(Fault(f"expected at most {MAX_VALUES} values", parameter=name))
            return []
        return [found for value in values for found in self._parsed(name, value, parse)]

    def one(self, name: str, parse: Callable[[str], _T]) -> _T | None:
        values = self._given.get(name, ())
        if len(values) > 1:
            self.faults.append(Fault("expected one value", parameter=name))
            return None
        return next((found for v in values for found in self._parsed(name, v, parse)), None)

    def _parsed(self, name: str, value: str, parse: Callable[[str], _T]) -> Iterable[_T]:
        try:
            if len(value) > MAX_VALUE_LENGTH:
                raise ValueError(f"expected at most {MAX_VALUE_LENGTH} characters")
            return [parse(value)]
        except ValueError as error:
            self.faults.append(Fault(str(error), parameter=name))
            return []


def _type(value: str, catalog: Catalog) -> TypeMatch:
    match = catalog.names_matching(value)
    if match is None:
        near = ", ".join(catalog.nearest(value))
        raise ValueError(
            f"not a type, scope or prefix of the catalog; the nearest are {near}"
            if near
            else "not a type, scope or prefix of the catalog; GET /v1/event-types lists them"
        )
    return match


def _exact(value: str) -> str:
    if not value:
        raise ValueError("expected at least one character")
    return value


def _country(value: str) -> str:
    if len(value) != 2 or not value.isascii() or not value.isalpha():  # noqa: PLR2004 -- alpha-2
        raise ValueError("expected two letters of ISO 3166-1 alpha-2")
    return value.upper()


def _actor_names(record: Mapping[str, Any]) -> Iterable[str]:
    actor = record.get("actor", {})
    return [actor[name] for name in ("id", "name") if name in actor]


def _target_names(record: Mapping[str, Any]) -> Iterable[str]:
    for target in record.get("targets", ()):
        yield target["id"]
        yield f"{target['type']}/{target['id']}"
