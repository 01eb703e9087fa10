"""The record and its id: order, determinism, and what an answer gives back."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import canonical, clock, event
from auditlog.answers import Answers
from auditlog.event import InvalidEventError, Rules, admit, first_id, id_time, is_id
from tests.unit.published import CATALOG, NOW, RULES, SECRET, record_of, stored
from tests.unit.published import event as an_event

times = st.integers(0, 2**60)
hashes = st.binary(min_size=32, max_size=32)
texts = st.text(max_size=20)
names = st.text(min_size=1, max_size=20)
metadata = st.dictionaries(
    texts,
    st.recursive(
        st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | texts,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
        max_leaves=6,
    ),
    max_size=4,
)
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["repo.create", "org.change_role", "aws.s3.GetObject"]),
        "occurred_at": st.integers(0, NOW).map(clock.text),
        "actor": st.fixed_dictionaries({"id": names}, optional={"name": texts}),
    },
    optional={
        "description": texts,
        "targets": st.lists(
            st.fixed_dictionaries({"type": names, "id": names}, optional={"name": texts}),
            max_size=4,
        ),
        "ip": st.ip_addresses().map(str),
        "location": st.fixed_dictionaries({}, optional={"country": st.just("PT"), "city": texts}),
        "metadata": metadata,
        "key": names,
    },
)


class TestIds:
    @given(times, times, hashes, hashes)
    def test_sort_by_time(self, one: int, other: int, first: bytes, second: bytes) -> None:
        if one != other:
            earlier = event.event_id(one, first) < event.event_id(other, second)
            assert earlier == (one < other)

    @given(times, hashes)
    def test_have_a_form_and_tell_their_time(self, moment: int, digest: bytes) -> None:
        made = event.event_id(moment, digest)
        assert len(made) == 39
        assert is_id(made)
        assert id_time(made) == moment

    @given(times, hashes)
    def test_first_id_bounds_its_microsecond(self, moment: int, digest: bytes) -> None:
        assert first_id(moment) <= event.event_id(moment, digest) < first_id(moment + 1)
        assert len(first_id(moment)) == 39
        assert is_id(first_id(moment))

    def test_first_id_of_a_time_before_all(self) -> None:
        assert first_id(-1) == first_id(0) == "0" * 39

    @given(times, hashes, st.integers(0, 38), st.sampled_from("0123456789abcdefghijklmnopqrstuv"))
    def test_every_character_counts(
        self, moment: int, digest: bytes, at: int, character: str
    ) -> None:
        made = event.event_id(moment, digest)
        changed = made[:at] + character + made[at + 1 :]
        if changed != made and is_id(changed):
            assert id_time(changed) != moment or at >= 12

    @pytest.mark.parametrize(
        "text",
        ["", "0" * 38, "0" * 40, "0" * 38 + "1", "0" * 38 + "v", "A" + "0" * 38, "w" + "0" * 38,
         "0" * 38 + "=", "0" * 38 + "\n", "é" + "0" * 38, "٠" * 39],
    )  # fmt: skip
    def test_what_is_no_id(self, text: str) -> None:
        assert not is_id(text)
        with pytest.raises(ValueError, match="expected 39 characters"):
            id_time(text)

    @pytest.mark.parametrize("last", "08go")
    def test_the_last_character_holds_two_bits(self, last: str) -> None:
        assert is_id("0" * 38 + last)


class TestRecord:
    @given(events)
    def test_is_the_event_normalised_and_three_fields(self, published: dict[str, Any]) -> None:
        record = record_of(published)
        read = json.loads(record.data)
        assert canonical.encode(read) == record.data
        assert (read.pop("org"), read.pop("v")) == ("acme", 1)
        assert len(read.pop("salt")) == 22
        if "ip" in published:
            assert read.pop("ip").endswith((".0", "::"))
            published = {name: value for name, value in published.items() if name != "ip"}
        assert read == published

    @given(events)
    def test_says_what_a_store_needs(self, published: dict[str, Any]) -> None:
        record = record_of(published)
        assert record.type == published["type"]
        assert clock.text(record.occurred_at) == published["occurred_at"]
        assert record.described == ("description" in published)

    @given(events, st.randoms(use_true_random=False))
    def test_equal_content_is_equal(self, published: dict[str, Any], random: Any) -> None:
        shuffled = list(published.items())
        random.shuffle(shuffled)
        spelled = json.dumps(dict(shuffled), indent=3).encode()
        again = admit(canonical.decode(spelled)[0], RULES, SECRET)
        assert again == record_of(published)

    @given(events, events)
    def test_different_content_is_different(self, one: dict[str, Any], other: Any) -> None:
        same = record_of(one).id == record_of(other).id
        normal = [json.loads(record_of(each).data) for each in (one, other)]
        assert same == (normal[0] == normal[1])

    def test_neither_clock_nor_retention_nor_catalog_changes_it(self) -> None:
        later = Rules(CATALOG, "acme", 365, NOW + 30 * clock.DAY)
        assert record_of(an_event(), later) == record_of(an_event())

    def test_addresses_of_one_block_are_the_same_content(self) -> None:
        one, other = (record_of(an_event(ip=ip)) for ip in ("192.0.2.1", "::ffff:192.0.2.254"))
        assert one == other

    @pytest.mark.parametrize("changed", [{"key": "1"}, {"description": ""}, {"targets": []}])
    def test_absent_is_not_empty(self, changed: dict[str, Any]) -> None:
        assert record_of(an_event(**changed)).id != record_of(an_event()).id

    def test_composed_and_decomposed_are_two(self) -> None:
        one, other = (record_of(an_event(description=text)) for text in ("\u00e9", "e\u0301"))
        assert one.id != other.id

    def test_the_salt_hangs_on_the_secret_and_the_org(self) -> None:
        published = an_event()
        salts = {
            json.loads(admit(published, Rules(CATALOG, org, None, NOW), secret).data)["salt"]
            for org, secret in [("acme", SECRET), ("acme", b"other"), ("other", SECRET)]
        }
        assert len(salts) == 3

    def test_what_is_admitted_is_left_as_it_was(self) -> None:
        published = an_event(ip="192.0.2.77", occurred_at="2026-05-01T00:00:00Z")
        before = json.dumps(published)
        record_of(published)
        admit(published, RULES, SECRET)
        assert json.dumps(published) == before


class TestAnswer:
    @given(events)
    def test_taking_the_added_fields_away_gives_the_record(self, published: Any) -> None:
        record = record_of(published)
        answered = json.loads(Answers(CATALOG).of(stored(record), record.data))
        identity = answered["id"]
        for name in event.ADDED_FIELDS:
            answered.pop(name, None)
        again = canonical.encode(answered)
        assert again == record.data
        occurred_at = clock.parse(answered["occurred_at"])
        digest = hashlib.sha256(again).digest()
        assert event.event_id(occurred_at, digest) == identity == record.id

    def test_no_event_can_bring_an_added_field_along(self) -> None:
        for name in [*event.ADDED_FIELDS, "org", "v", "salt"]:
            with pytest.raises(InvalidEventError) as refused:
                record_of(an_event(**{name: "x"}))
            assert [fault.pointer for fault in refused.value.faults] == [f"/{name}"]
