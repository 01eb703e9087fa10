"""How many events of which type, by hour, by actor and by country: what a timeline is made of.

Every digest has the counts of its stretch beside it, exact, with the actors' own ids:
a timeline that asks for types and whole hours is answered from them alone.
"""

import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self, cast

from auditlog import clock
from auditlog.event import StoredEvent, id_time

Tally = Counter[str]


@dataclass(slots=True)
class Counts:
    """Counts by type, and within a type by hour since 1970, by actor's id and by country.

    `names` has the newest name of each actor that has one.
    """

    hours: dict[str, Counter[int]] = field(default_factory=dict[str, Counter[int]])
    actors: dict[str, Tally] = field(default_factory=dict[str, Tally])
    countries: dict[str, Tally] = field(default_factory=dict[str, Tally])
    names: dict[str, str] = field(default_factory=dict[str, str])

    @classmethod
    def of(cls, events: Iterable[tuple[StoredEvent, Mapping[str, Any]]]) -> Self:
        """The counts of events with their records; names are the last ones in this order."""
        counts = cls()
        for event, record in events:
            counts.add(event, record)
        return counts

    @property
    def total(self) -> int:
        """How many events."""
        return sum(hours.total() for hours in self.hours.values())

    def add(self, event: StoredEvent, record: Mapping[str, Any]) -> None:
        """Counts one event; its record names who and where."""
        kind = event.type
        self.hours.setdefault(kind, Counter())[id_time(event.id) // clock.HOUR] += 1
        if (actor := record.get("actor")) is not None:
            self.actors.setdefault(kind, Counter())[actor["id"]] += 1
            if "name" in actor:
                self.names[actor["id"]] = actor["name"]
        if (country := record.get("location", {}).get("country")) is not None:
            self.countries.setdefault(kind, Counter())[country] += 1

    def take(self, other: "Counts", takes_type: Callable[[str], bool] = lambda _: True) -> None:
        """Adds what `other` has of the types that are taken; names that are here already stay."""
        for kind in filter(takes_type, other.hours):
            self.hours.setdefault(kind, Counter()).update(other.hours[kind])
            if kind in other.actors:
                self.actors.setdefault(kind, Counter()).update(other.actors[kind])
            if kind in other.countries:
                self.countries.setdefault(kind, Counter()).update(other.countries[kind])
        self.names = other.names | self.names

    def pack(self) -> bytes:
        """A short form; `unpack` reads it."""
        ids = sorted({actor for tally in self.actors.values() for actor in tally})
        at = {actor: number for number, actor in enumerate(ids)}
        nobody, nowhere = Tally(), Tally()
        value = {
            "ids": ids,
            "names": [self.names.get(actor, 0) for actor in ids],
            "types": [
                [
                    kind,
                    _flat(hours),
                    _flat({at[actor]: n for actor, n in self.actors.get(kind, nobody).items()}),
                    _flat(self.countries.get(kind, nowhere)),
                ]
                for kind, hours in sorted(self.hours.items())
            ],
        }
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return zlib.compress(text.encode("utf-8", "surrogatepass"), 9)

    @classmethod
    def unpack(cls, data: bytes) -> Self | None:
        """What `pack` wrote; None where it is damaged, which costs reads alone."""
        try:
            value = cast("dict[str, Any]", json.loads(zlib.decompress(data)))
            counts, ids = cls(), cast("list[str]", value["ids"])
            for kind, hours, actors, countries in value["types"]:
                counts.hours[kind] = Counter(_pairs(hours))
                if actors:
                    counts.actors[kind] = Counter({ids[at]: n for at, n in _pairs(actors).items()})
                if countries:
                    counts.countries[kind] = Counter(_pairs(countries))
            named = zip(ids, value["names"], strict=True)
            counts.names = {actor: name for actor, name in named if name != 0}
        except (zlib.error, ValueError, LookupError, TypeError):
            return None
        return counts


def _flat(tally: Mapping[Any, int]) -> list[Any]:
    return [value for pair in sorted(tally.items()) for value in pair]


def _pairs(flat: list[Any]) -> dict[Any, int]:
    return dict(zip(flat[::2], flat[1::2], strict=True))
