"""What is measured on: the laptop stack's own sample events."""

from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import count, islice
from typing import Any

from auditlog import clock, event, intake
from auditlog.catalog import Catalog
from auditlog.event import NewEvent, Record, Rules
from auditlog.orgs import Org
from auditlog.store.events import EventStore
from infra.samples import sample_events
from tests.engines import Dynoxide

ORG = "acme"
SECRET = b"not a secret"
CATALOG = Catalog.default()
NOW = datetime(2026, 6, 1, tzinfo=UTC)
RULES = Rules(CATALOG, ORG, None, clock.parse("2026-06-01T00:00:00Z"))
SETTINGS = Org(ORG, None, RULES.judged_at)

_FEW = 3_000


def published(number: int) -> list[dict[str, Any]]:
    """So many events as a publisher has them: varied, some 500 bytes each."""
    return list(sample_events(NOW, number, 1))


def records(number: int) -> Iterator[Record]:
    """So many different records, of 3,000 events whose times are moved apart."""
    few = published(min(number, _FEW))
    for number_of_round in count():
        for one in few:
            number -= 1
            if number < 0:
                return
            if number_of_round:
                moved = clock.parse(one["occurred_at"]) - number_of_round * 97
                one = {**one, "occurred_at": clock.text(moved)}  # noqa: PLW2901 -- a copy
            yield event.admit(one, RULES, SECRET)


def new_events(number: int) -> Iterator[list[NewEvent]]:
    """The same, ready to be inserted, 1,000 at a time."""
    left = records(number)
    while batch := list(islice(left, 1_000)):
        yield intake.new_events(batch, SETTINGS, RULES.judged_at)


def store(dynoxide: Dynoxide, name: str) -> tuple[EventStore, list[str]]:
    """A store with tables of its own, and their names: of the events and of the digests.

    It writes as when the events were new; late ones would cost marks.
    """
    tables = [dynoxide.create_table(name), dynoxide.create_table(f"{name}-digests")]
    return EventStore(dynoxide.client(), *tables, now=lambda: 0), tables
