"""What a search or an export asks for: parameters and `q` -> typed filter -> predicate.

A repeated parameter means OR, different ones mean AND, and `q` is one of them.
Within `q` the same qualifier twice means OR, different ones mean AND, words
must all be found, and what is negated must not hold. Whatever is not known or
not valid is refused with its place; nothing is ignored in silence.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from auditlog import clock, grammar, privacy, qualifiers
from auditlog.catalog import Catalog
from auditlog.errors import Fault, MalformedError
from auditlog.grammar import Term
from auditlog.qualifiers import ALWAYS, Range, Subject, Value

MAX_VALUES = 100
MAX_VALUE_LENGTH = 1_024

_T = TypeVar("_T")

#: The parameters that make a filter, as search takes them in its query and an
#: export in its body, with the words that the specification has for each.
PARAMETERS: Mapping[str, str] = {
    "q": "A query, as `type:repo -actor:bot created:>=2026-01-01 engine`.",
    "type": "A type, a scope, a dotted prefix, or `x.*`.",
    "actor": "An actor's id or name, exactly.",
    "target": "A target's id, or `type/id`, exactly.",
    "ip": "An address or a CIDR block; matches where it overlaps the stored block.",
    "country": "ISO 3166-1 alpha-2.",
    "since": "RFC 3339, or a date: events from then on.",
    "until": "RFC 3339, or a date: events before then.",
    "include_hidden": "Whether types that the default view leaves out are shown.",
}
#: Those that may stand there more than once.
REPEATABLE = ("type", "actor", "target", "ip", "country")


@dataclass(frozen=True, slots=True)
class Clause:
    """One qualifier: one of `wanted` must hold (where there is any), none of `unwanted` may."""

    qualifier: str
    wanted: tuple[Value, ...] = ()
    unwanted: tuple[Value, ...] = ()

    def takes_type(self, name: str) -> bool:
        """Whether the type of an event alone does not rule it out."""
        wanted = [v.by_type(name) for v in self.wanted if v.by_type is not None]
        unwanted = [v.by_type(name) for v in self.unwanted if v.by_type is not None]
        return (not wanted or any(wanted)) and not any(unwanted)

    def takes_record(self, subject: Subject) -> bool:
        """Whether the rest of an event does not rule it out."""
        wanted = [v.by_record for v in self.wanted if v.by_record is not None]
        return (not wanted or any(test(subject) for test in wanted)) and not any(
            v.by_record(subject) for v in self.unwanted if v.by_record is not None
        )

    @property
    def terms(self) -> tuple[str, ...]:
        """Terms of which an event that is taken has one; none where that is not known."""
        if not all(value.terms for value in self.wanted):
            return ()
        return tuple(term for value in self.wanted for term in value.terms)

    @property
    def reads_records(self) -> bool:
        """Whether the type alone does not decide it."""
        return any(v.by_record is not None for v in (*self.wanted, *self.unwanted))


@dataclass(frozen=True, slots=True)
class Filter:
    """A conjunction of clauses, over a range of time.

    `parameters` is the filter in the words of the API, in one normal form: what
    an export shows, and to what a cursor is bound.
    """

    parameters: Mapping[str, list[str]]
    clauses: tuple[Clause, ...]
    since: int
    until: int
    hidden: frozenset[str]
    """The types that this filter does not show although nothing else excludes them."""
    catalog: Catalog

    @property
    def reads_records(self) -> bool:
        """Whether the type alone does not decide."""
        return any(clause.reads_records for clause in self.clauses)

    @property
    def terms(self) -> tuple[tuple[str, ...], ...]:
        """Groups of terms: an event that matches has at least one of each group."""
        return tuple(group for clause in self.clauses if (group := clause.terms))

    @property
    def names_types(self) -> bool:
        """Whether it asks for some types, and not for all but some."""
        return any(v.by_type is not None for clause in self.clauses for v in clause.wanted)

    def takes_type(self, name: str) -> bool:
        """Whether an event of this type may match."""
        return name not in self.hidden and all(c.takes_type(name) for c in self.clauses)

    def takes_record(self, record: Mapping[str, Any]) -> bool:
        """Whether a record matches all that is not its type or its bounds in time."""
        subject = Subject(record, self.catalog)
        return all(clause.takes_record(subject) for clause in self.clauses)


def parse(
    given: Mapping[str, Sequence[str]], catalog: Catalog, *, hidden_by_default: bool
) -> Filter:
    """The filter that `given` asks for.

    `hidden_by_default` says what an absent `include_hidden` means. Raises
    `MalformedError` with one fault for each value that is not valid; unknown
    names are the caller's business, which knows what else may stand there.
    """
    reader = _Reader(given)
    clauses = [
        Clause(name, tuple(values))
        for name in REPEATABLE
        if (values := reader.each(name, lambda text, n=name: qualifiers.parse(n, text, catalog)))
    ]
    since = reader.one("since", clock.parse_bound)
    until = reader.one("until", clock.parse_bound)
    include_hidden = reader.one("include_hidden", boolean)
    query = reader.one("q", str, most=grammar.MAX_LENGTH)
    terms = reader.terms(query or "", catalog)
    if reader.faults:
        raise MalformedError("The filter is not valid.", reader.faults)
    if include_hidden is None:
        include_hidden = not hidden_by_default
    times, of_query = _clauses(terms)
    parameters = {clause.qualifier: sorted({v.text for v in clause.wanted}) for clause in clauses}
    singles = {
        "q": _without_addresses(query, terms) if query else None,
        "since": None if since is None else clock.text(since),
        "until": None if until is None else clock.text(until),
        "include_hidden": "true" if include_hidden else "false",
    }
    parameters |= {name: [text] for name, text in singles.items() if text is not None}
    clauses += of_query
    named = {name for clause in clauses for value in clause.wanted for name in value.shows}
    return Filter(
        parameters=parameters,
        clauses=tuple(clauses),
        since=max(since or 0, times.start),
        until=times.end if until is None else min(until, times.end),
        hidden=frozenset() if include_hidden else catalog.hidden_names - named,
        catalog=catalog,
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
        return [
            found
            for value in values
            for found in self._parsed(name, value, parse, MAX_VALUE_LENGTH)
        ]

    def one(
        self, name: str, parse: Callable[[str], _T], *, most: int = MAX_VALUE_LENGTH
    ) -> _T | None:
        values = self._given.get(name, ())
        if len(values) > 1:
            self.faults.append(Fault("expected one value", parameter=name))
            return None
        return next((found for v in values for found in self._parsed(name, v, parse, most)), None)

    def terms(self, query: str, catalog: Catalog) -> list[tuple[Term, Value]]:
        """The terms of `q`, each with the value that it names."""
        try:
            terms = grammar.parse(query)
        except MalformedError as error:
            self.faults += error.faults
            return []
        return [(term, value) for term in terms for value in self._value(term, catalog)]

    def _value(self, term: Term, catalog: Catalog) -> Iterable[Value]:
        try:
            return [qualifiers.parse(term.qualifier, term.value, catalog)]
        except ValueError as error:
            self.faults.append(grammar.fault(term.at, f'"{term.value}"', str(error)))
            return []

    def _parsed(self, name: str, value: str, parse: Callable[[str], _T], most: int) -> Iterable[_T]:
        try:
            if len(value) > most:
                raise ValueError(f"expected at most {most} characters")
            return [parse(value)]
        except ValueError as error:
            self.faults.append(Fault(str(error), parameter=name))
            return []


def _without_addresses(query: str, terms: Iterable[tuple[Term, Value]]) -> str:
    """A query that finds the same and names no full address: this is kept, and shown."""
    for term, _ in sorted(terms, key=lambda each: each[0].at, reverse=True):
        if term.qualifier == "ip":
            address, _, length = term.value.partition("/")
            if not length or privacy.network(term.value).prefixlen >= privacy.kept_bits(address):
                query = query[: term.at] + privacy.truncate(address) + query[term.end :]
    return query


def _clauses(terms: Iterable[tuple[Term, Value]]) -> tuple[Range, list[Clause]]:
    """The clauses of a query, and the range of time beyond which none of it can match."""
    by_qualifier: dict[str, list[tuple[Term, Value]]] = {}
    for number, (term, value) in enumerate(terms):
        # Every word must be found; every other qualifier may be any of its values.
        apart = f"{grammar.TEXT} {number}" if term.qualifier == grammar.TEXT else term.qualifier
        by_qualifier.setdefault(apart, []).append((term, value))
    clauses = [
        Clause(
            found[0][0].qualifier,
            wanted=tuple(value for term, value in found if not term.negated),
            unwanted=tuple(value for term, value in found if term.negated),
        )
        for found in by_qualifier.values()
    ]
    dated = [clause for clause in clauses if clause.qualifier == "created"]
    ranges = [qualifiers.created(v.text) for clause in dated for v in clause.wanted] or [ALWAYS]
    whole = Range(min(r.start for r in ranges), max(r.end for r in ranges))
    # One range alone is read by its bounds, and need not be asked of each record.
    settled = [clause for clause in dated if len(clause.wanted) == 1 and not clause.unwanted]
    return whole, [clause for clause in clauses if clause not in settled]
