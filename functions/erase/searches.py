"""Where the subject's events are: the searches that together find all of them.

A search is a filter over one partition, from its first event to its last, by the digests
as any other search (`auditlog/walk.py`), and with strong consistency. Every partition that
the org ever had is looked through from end to end, so that an event is found wherever it
was put.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from auditlog import filters, terms
from auditlog.catalog import Catalog
from auditlog.erasures import OF_THE_LOG, Subject, subjects
from auditlog.filters import Clause, Filter
from auditlog.qualifiers import Value
from auditlog.sieve import Found, Spent
from auditlog.span import Span
from auditlog.store.reader import Reader
from auditlog.walk import Walk


def searches(subject: Subject, catalog: Catalog) -> list[Filter]:
    """The filters: what is the subject's by its actor or target, and what the log says of itself.

    Each finds more than that, and nothing is missing in all of them together.
    """
    everything = filters.parse({}, catalog, hidden_by_default=False)
    # By its terms alone, of which the id may have any length and be of any characters.
    clause = Clause(subject.kind, (_named(subject),))
    by_name = replace(everything, clauses=(clause,))
    of_the_log = filters.parse(
        {"type": [OF_THE_LOG.removesuffix(".")]}, catalog, hidden_by_default=False
    )
    return [by_name, of_the_log]


def _named(subject: Subject) -> Value:
    """What an event has where it is the subject's."""
    own = Subject(subject.kind, subject.id)
    term = terms.actor_term if subject.kind == "actor" else terms.target_term
    return Value(
        subject.id,
        by_record=lambda about: any(own == each for each in subjects(about.record)),
        terms=(term(subject.id),),
    )


@dataclass(frozen=True, slots=True)
class Stretch:
    """What was found below the bound `reached`, and how many bytes were read for it."""

    found: list[Found]
    reached: str
    bytes: int


def stretches(partition: str, wanted: Filter, span: Span, reader: Reader) -> Iterator[Stretch]:
    """What matches in a span of a partition, oldest first, some read at a time."""
    spent, before = Spent(), 0
    walk = Walk(partition, span, "asc", wanted, spent)
    while not walk.is_done:
        reader.run(walk.advance(_AT_ONCE))
        found = list(walk.found)
        walk.found.clear()
        yield Stretch(found, walk.bound, spent.bytes - before)
        before = spent.bytes


_AT_ONCE = 250
