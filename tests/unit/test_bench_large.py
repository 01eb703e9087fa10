"""The benchmarks' large org: real records, always the same, with needles that are counted."""

import json
from collections import Counter
from collections.abc import Mapping
from functools import cache
from itertools import pairwise
from typing import Any

import pytest

from auditlog import clock, filters
from auditlog.catalog import Catalog
from auditlog.event import Rules, admit
from auditlog.units import item_size, write_units
from infra import samples
from tests.bench import large
from tests.bench.large import Entry

COUNT = 20_000
CATALOG = Catalog.default()
RULES = Rules(CATALOG, large.ORG, None, large.NOW)


@cache
def entries() -> list[Entry]:
    return list(large.events(COUNT))


@cache
def contents() -> list[dict[str, Any]]:
    return [json.loads(entry.record.data) for entry in entries()]


def found(parameters: Mapping[str, str]) -> list[Entry]:
    """What the API's own filter takes."""
    wanted = filters.parse(
        {name: [text] for name, text in parameters.items()}, CATALOG, hidden_by_default=True
    )
    return [
        entry
        for entry, content in zip(entries(), contents(), strict=True)
        if wanted.takes_type(entry.record.type) and wanted.takes_record(content)
    ]


def share(counted: int) -> float:
    return counted / COUNT


def test_each_is_the_record_of_what_would_have_been_published() -> None:
    # All needles, and every seventh of the rest.
    marked = [one for needle in large.NEEDLES.values() for one in found(needle.parameters)]
    for entry in [*marked, *entries()[::7]]:
        published = json.loads(json.dumps(large.published(entry.record)))
        assert admit(published, RULES, large.SECRET) == entry.record


def test_their_times_ascend_within_the_range() -> None:
    times = [entry.record.occurred_at for entry in entries()]
    assert all(one < two for one, two in pairwise(times))
    ids = [entry.record.id for entry in entries()]
    assert ids == sorted(set(ids))
    assert large.SINCE <= times[0] < large.SINCE + 3 * clock.HOUR
    assert large.NOW - 3 * clock.HOUR < times[-1] < large.NOW
    assert all(0 < e.recorded_at - e.record.occurred_at < clock.SECOND for e in entries())


def test_the_same_arguments_give_the_same_events_and_parts_those_of_the_whole() -> None:
    assert len(entries()) == COUNT
    assert list(large.events(COUNT, start=9_990, stop=10_010)) == entries()[9_990:10_010]
    assert list(large.events(COUNT, start=COUNT - 5, stop=COUNT + 5)) == entries()[-5:]
    assert list(large.events(COUNT, start=COUNT)) == []
    another = list(large.events(COUNT, seed=1, stop=100))
    assert not {e.record.id for e in another} & {e.record.id for e in entries()}


def test_too_few_have_no_room_for_the_needles() -> None:
    with pytest.raises(ValueError, match="need 10000"):
        next(large.events(large.MIN_EVENTS - 1))


@pytest.mark.parametrize("name", large.NEEDLES)
def test_a_needle_is_found_so_often_and_no_more(name: str) -> None:
    needle = large.NEEDLES[name]
    hits = found(needle.parameters)
    assert len(hits) == needle.hits
    data = [entry.record.data for entry in entries()]
    assert sum(all(mark in one for mark in needle.marks) for one in data) == needle.hits


@pytest.mark.parametrize("count", [large.MIN_EVENTS, 15_001])
@pytest.mark.parametrize("seed", [0, 1])
def test_needles_are_there_for_every_count_and_seed(count: int, seed: int) -> None:
    seen = Counter(
        name
        for entry in large.events(count, seed=seed)
        for name, needle in large.NEEDLES.items()
        if all(mark in entry.record.data for mark in needle.marks)
    )
    assert seen == {name: needle.hits for name, needle in large.NEEDLES.items()}


@pytest.mark.parametrize(("name", "apart"), [("actor", 0.4), ("target", 0.4)])
def test_some_needles_lie_far_apart(name: str, apart: float) -> None:
    needle = large.NEEDLES[name]
    hits = [entry.record.occurred_at for entry in found(needle.parameters)]
    step = (large.NOW - large.SINCE) / needle.hits
    # By number they are at least so far apart; by time a weekend may lie between.
    assert min(two - one for one, two in pairwise(hits)) > apart * step - 2 * clock.DAY
    assert hits[-1] - hits[0] > 0.6 * (large.NOW - large.SINCE)


def test_the_word_is_said_on_one_day() -> None:
    days = {
        clock.text(entry.record.occurred_at)[:10]
        for entry in found(large.NEEDLES["word"].parameters)
    }
    assert days == {"2026-04-24"}


def test_the_common_are_common_each_by_itself() -> None:
    by_id = len(found({"actor": large.COMMON_ACTOR}))
    assert 0.04 < share(by_id) < 0.06
    assert by_id == len(found({"actor": large.COMMON_ACTOR_NAME}))
    actors = Counter(content["actor"]["id"] for content in contents())
    assert actors.most_common(1)[0][0] == large.COMMON_ACTOR
    assert len(actors) > 2_500
    assert 0.08 < share(len(found({"type": large.COMMON_TYPE}))) < 0.11


def test_types_are_those_of_the_catalog_by_their_weights() -> None:
    types = Counter(entry.record.type for entry in entries())
    listed = {one.name for one in CATALOG.types}
    assert listed - set(types) <= set(large._RARE_TYPES)
    assert all(name.startswith("aws.") for name in set(types) - listed)
    total = sum(samples._WEIGHTS.values()) + len(listed) - len(samples._WEIGHTS) + 1
    for name, weight in samples._WEIGHTS.items():
        seen = sum(n for kind, n in types.items() if kind == name or kind.startswith(f"{name}."))
        if weight > 40:
            assert abs(share(seen) - weight / total) < 0.015
    assert sum(types[name] for name in large._RARE_TYPES) < 10


def test_they_are_as_varied_as_a_real_log() -> None:
    def having(name: str) -> float:
        return share(sum(name in content for content in contents()))

    assert 0.35 < having("credential") < 0.45
    assert 0.25 < having("description") < 0.35
    assert 0.6 < having("metadata") < 0.9
    assert 0.9 < having("ip") < 1
    assert len({content["key"] for content in contents()}) == COUNT
    targets = {one["id"] for content in contents() for one in content.get("targets", ())}
    # Of a million events there are some 240,000.
    assert len(targets) > COUNT / 4
    blocks = Counter(content["ip"] for content in contents() if "ip" in content)
    assert len(blocks) > 1_000
    assert any(block.startswith("2001:db8:") for block in blocks)
    countries = Counter(
        content["location"]["country"] for content in contents() if "location" in content
    )
    assert len(countries) > 10
    described = [e.record.described for e in entries()]
    assert described == ["description" in content for content in contents()]


def test_people_act_by_day_and_on_weekdays_from_where_they_are() -> None:
    hours = Counter(entry.record.occurred_at // clock.HOUR % 24 for entry in entries())
    assert hours[10] > 5 * hours[3]
    days = Counter((entry.record.occurred_at // clock.DAY + 3) % 7 for entry in entries())
    assert min(days[day] for day in range(5)) > 2 * max(days[5], days[6])
    places: dict[str, Counter[str]] = {}
    for content in contents():
        if "ip" in content:
            places.setdefault(content["actor"]["id"], Counter())[content["ip"]] += 1
    busy = [seen for seen in places.values() if seen.total() > 20]
    assert all(seen.most_common(1)[0][1] > 0.5 * seen.total() for seen in busy)


def test_an_item_is_as_large_as_a_real_one_and_costs_one_unit() -> None:
    sizes = [item_size(large.item(entry, large.ORG)) for entry in entries()[::5]]
    units = sum(map(write_units, sizes)) / len(sizes)
    assert 310 < sum(sizes) / len(sizes) < 420
    assert 1 < units <= 1.01
