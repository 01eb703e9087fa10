"""Erasures: whose an event is, what is left of it, and what is left of a message."""

import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock
from auditlog.erasures import (
    Erased,
    Erasure,
    Subject,
    is_intact,
    is_tombstone,
    subjects,
    tombstone,
)
from auditlog.event import id_time
from auditlog.store.backlog import Waiting
from erase.leftovers import is_of_org, without_subject
from erase.step import later
from erase.task import Task
from tests.unit.published import NOW, SECRET, event, record_of

ADA = Subject("actor", "usr_1")


class TestSubject:
    def test_an_actor_is_one_by_its_id_alone(self) -> None:
        assert ADA.is_of(event())
        assert ADA.is_of(event(actor={"id": "usr_1", "name": "x", "type": "system"}))
        assert not ADA.is_of(event(actor={"id": "usr_2", "name": "usr_1"}))
        assert not ADA.is_of(event(actor={"id": "USR_1"}))

    def test_a_target_is_one_of_its_type_or_of_any(self) -> None:
        on = event(targets=[{"type": "repo", "id": "a"}, {"type": "user", "id": "b"}])
        assert Subject("target", "b").is_of(on)
        assert Subject("target", "b", "user").is_of(on)
        assert not Subject("target", "b", "repo").is_of(on)
        assert not Subject("target", "usr_1").is_of(on)
        assert not Subject("actor", "b").is_of(on)

    @pytest.mark.parametrize(
        ("kind", "of_id"),
        [("settings", "hold"), ("key", "k"), ("erasure", "e"), ("org", "acme"), ("export", "x")],
    )
    def test_what_is_governed_is_no_target_of_the_log_itself(self, kind: str, of_id: str) -> None:
        on = event(targets=[{"type": kind, "id": of_id}])
        own = on | {"type": "org.audit_log.settings.update"}
        for subject in (Subject("target", of_id), Subject("target", of_id, kind)):
            assert subject.is_of(on)
            assert not subject.is_of(own)
        person = own | {"targets": [{"type": "user", "id": of_id}]}
        assert Subject("target", of_id).is_of(person)

    @pytest.mark.parametrize(
        ("actor", "credential", "is_theirs"),
        [
            ({"id": "auditlog", "type": "system"}, None, False),
            ({"id": "auditlog", "type": "user"}, None, True),
            ({"id": "k", "type": "service_account"}, {"type": "api_key", "id": "k"}, False),
            ({"id": "k", "type": "service_account"}, {"type": "api_key", "id": "x"}, True),
            ({"id": "k", "type": "user"}, {"type": "api_key", "id": "k"}, True),
            ({"id": "k", "type": "user"}, {"type": "access_token", "id": "k"}, True),
        ],
    )
    def test_a_key_and_the_service_are_nobody_in_the_log_itself(
        self, actor: dict[str, str], credential: dict[str, str] | None, *, is_theirs: bool
    ) -> None:
        by = event(actor=actor) | ({"credential": credential} if credential else {})
        subject = Subject("actor", actor["id"])
        assert subject.is_of(by | {"type": "org.audit_log.key.create"}) == is_theirs
        assert subject.is_of(by)

    def test_nothing_is_left_of_whom_a_tombstone_was(self) -> None:
        record = record_of(event(targets=[{"type": "repo", "id": "a"}]))
        left = json.loads(tombstone("acme", record, NOW).data)
        assert list(subjects(left)) == []
        assert not ADA.is_of(left)

    @pytest.mark.parametrize(
        ("metadata", "is_theirs"),
        [
            ({"for": {"id": "usr_1"}}, True),
            ({"filter": {"actor": ["usr_2", "usr_1"]}}, True),
            ({"filter": {"q": ['-actor:"usr_1" x']}}, True),
            ({"filter": {"q": ["USR_1"]}}, True),
            ({"filter": {"target": ["usr_1"]}}, False),
            ({"filter": {"type": ["usr_1"]}}, False),
            ({"format": "usr_1"}, False),
            ({}, False),
        ],
    )
    def test_what_the_log_says_of_itself_may_be_of_them(
        self, metadata: dict[str, Any], *, is_theirs: bool
    ) -> None:
        by_another = event(type="org.audit_log.export", actor={"id": "x"}, metadata=metadata)
        assert ADA.is_of(by_another) == is_theirs
        assert not ADA.is_of(by_another | {"type": "repo.create"})

    @pytest.mark.parametrize("written", ['a"b\\c', "Éa", "x y"])
    def test_a_query_that_quotes_it(self, written: str) -> None:
        quoted = written.replace("\\", "\\\\").replace('"', '\\"')
        assert Subject("actor", written).is_named_in({"q": [f'actor:"{quoted}"']})

    def test_a_typed_target_has_two_names(self) -> None:
        target = Subject("target", "x", "repo")
        assert target.is_named_in({"target": ["repo/x"]})
        assert target.is_named_in({"target": ["x"]})
        assert not target.is_named_in({"target": ["user/x"]})

    def test_an_untyped_target_may_have_any_type_before_it(self) -> None:
        target = Subject("target", "a/x")
        for named in ("a/x", "repo/a/x", "user/a/x"):
            assert target.is_named_in({"filter": {"target": ["y", named]}})
        for named in ("x", "ba/x", "repo/a/x/", "a/xy"):
            assert not target.is_named_in({"target": [named]})
        assert not Subject("actor", "x").is_named_in({"actor": ["repo/x"]})

    def test_its_digest_says_nothing_and_is_of_one_org(self) -> None:
        assert ADA.digest("acme", SECRET) == ADA.digest("acme", SECRET)
        others = [
            ADA.digest("other", SECRET),
            ADA.digest("acme", b"another"),
            Subject("target", "usr_1").digest("acme", SECRET),
            Subject("target", "usr_1", "user").digest("acme", SECRET),
            Subject("target", "r_1", "us").digest("acme", SECRET),
        ]
        assert len({*others, ADA.digest("acme", SECRET)}) == 6
        assert "usr_1" not in ADA.digest("acme", SECRET)


class TestTombstone:
    @given(st.integers(0, 2**50), st.text(min_size=1).filter(lambda t: t.isprintable()))
    def test_the_id_fits_and_nothing_else_is_there(self, occurred_at: int, name: str) -> None:
        published = event(occurred_at=clock.text(occurred_at), actor={"id": "x", "name": name})
        record = record_of(published)
        left = tombstone("acme", record, NOW)
        said = json.loads(left.data)
        assert (left.id, left.type, left.occurred_at) == (record.id, record.type, occurred_at)
        assert left.described
        assert is_tombstone(said)
        assert is_intact(left.id, said)
        assert id_time(left.id) == occurred_at
        assert said == {
            "erased_at": clock.text(NOW),
            "occurred_at": clock.text(occurred_at),
            "org": "acme",
            "record_hash": hashlib.sha256(record.data).hexdigest(),
            "type": "repo.create",
            "v": 1,
        }

    @pytest.mark.parametrize(
        "changes",
        [
            {"record_hash": "00" * 32},
            {"record_hash": "x"},
            {"record_hash": None},
            {"occurred_at": "2026-05-01T09:30:00.000002Z"},
            {"occurred_at": 5},
            {"occurred_at": "1960-01-01T00:00:00Z"},
        ],
    )
    def test_a_changed_one_is_not_intact(self, changes: dict[str, Any]) -> None:
        left = tombstone("acme", record_of(event()), NOW)
        assert is_intact(left.id, json.loads(left.data))
        assert not is_intact(left.id, json.loads(left.data) | changes)

    def test_a_record_is_none(self) -> None:
        assert not is_tombstone(json.loads(record_of(event()).data))


class TestErased:
    def test_what_occurred_before_goes_and_what_occurs_later_stays(self) -> None:
        record = record_of(event())
        digest = ADA.digest("acme", SECRET)
        for before, is_gone in ((record.occurred_at, False), (record.occurred_at + 1, True)):
            erased = Erased("acme", {digest: before, "another": NOW}, {}, SECRET)
            applied = erased.applied_to(record, NOW, NOW)
            assert applied.id == record.id
            assert (applied != record) == is_gone
            assert is_tombstone(json.loads(applied.data)) == is_gone

    def test_by_target_of_one_type_or_any(self) -> None:
        record = record_of(event(targets=[{"type": "repo", "id": "a"}]))
        for subject, is_gone in (
            (Subject("target", "a"), True),
            (Subject("target", "a", "repo"), True),
            (Subject("target", "a", "user"), False),
            (Subject("actor", "a"), False),
        ):
            erased = Erased("acme", {subject.digest("acme", SECRET): NOW}, {}, SECRET)
            assert is_tombstone(json.loads(erased.applied_to(record, NOW, NOW).data)) == is_gone

    def test_it_reads_no_record_where_nothing_was_erased(self) -> None:
        record = record_of(event())
        assert Erased("acme", {}, {}, SECRET).applied_to(record, NOW, NOW) is record

    def test_one_dated_ahead_goes_where_it_had_reached_us_before(self) -> None:
        record, digest = record_of(event()), ADA.digest("acme", SECRET)
        asked = record.occurred_at - clock.MINUTE
        erased = Erased("acme", {digest: asked + 1}, {}, SECRET)
        for recorded_at, is_gone in ((asked, True), (asked + 1, False)):
            left = erased.applied_to(record, recorded_at, NOW)
            assert is_tombstone(json.loads(left.data)) == is_gone

    def test_an_id_is_known_without_its_type_and_whatever_it_is_asked(self) -> None:
        digest = Subject("target", "x").digest("acme", SECRET)
        erased = Erased("acme", {"other": 5}, {digest: 5}, SECRET)
        assert erased.has_id("x", 4)
        assert not erased.has_id("x", 5)
        assert not erased.has_id("y", 4)
        assert not erased.has_id("\ud800", 4)
        deep: Any = "x"
        for _ in range(20_000):
            deep = [deep]
        assert not erased.has(Subject("actor", deep), 4)

    def test_an_erasure_takes_what_had_occurred_or_was_recorded(self) -> None:
        erasure = Erasure("e", "acme", "actor", "why", asked_at=100, asked_by="x")
        assert erasure.takes(100, 200)
        assert erasure.takes(200, 100)
        assert not erasure.takes(101, 101)


def waiting(body: str, org: str = "acme") -> Waiting:
    return Waiting("m", "r", body, "group", org, 0, {})


EVENTS = st.sampled_from(
    [
        ('{"actor": {"id": "usr_1"}}', True),
        ('{ "actor":{"id":"usr_1"},"n":1e999 }', True),
        ('{"actor": {"id": "usr_2"}}', False),
        ('{"actor": {"id": "usr_2"}, "metadata": {"a": ["usr_1"]}}', False),
        ('{"actor": {"id": "usr_2"}, "targets": [{"type":"u","id":"usr_1"}]}', False),
        ('{"actor": {"id": "usr_2"}, "targets": {"type":"u","id":"usr_1"}}', True),
        ('{"actor": ["usr_1"]}', True),
        ('{"actor": null, "who": "usr_1"}', True),
        ('"usr_1"', True),
        ('["usr_1"]', True),
        ('{"actor": null, "who": "usr_10"}', False),
        ("17", False),
        ("NaN", False),
        ("9" * 5_000, False),
        ("null", False),
    ]
)


class TestMessages:
    @given(st.lists(EVENTS, max_size=6), st.sampled_from(["", ',"more": [1.50]']))
    def test_exactly_their_events_go_and_the_others_stay_to_the_byte(
        self, events: list[tuple[str, bool]], more: str
    ) -> None:
        body = '{"org":"acme", "events": [' + ", ".join(text for text, _ in events) + f"]{more}}}"
        left = without_subject(waiting(body), "acme", ADA)
        kept = [text for text, is_theirs in events if not is_theirs]
        if len(kept) == len(events):
            assert left == body
        elif not kept:
            assert left is None
        else:
            assert left == f'{{"org":"acme"{more},"events":[{",".join(kept)}]}}'
            assert without_subject(waiting(left or ""), "acme", ADA) == left

    @given(st.text(), st.sampled_from(["acme", "other", "unknown"]))
    def test_any_text_is_kept_or_goes_as_a_whole(self, text: str, org: str) -> None:
        assert without_subject(waiting(text, org), "acme", ADA) == text
        broken = text.replace("{", "(") + " usr_1 {"
        left = without_subject(waiting(broken, org), "acme", ADA)
        assert left == (broken if org == "other" else None)

    def test_numbers_are_not_ids_but_may_be_meant_for_them(self) -> None:
        number = Subject("actor", "17")
        body = '{"org":"acme","events":[{"actor":{"id":17}}]}'
        assert without_subject(waiting(body), "acme", number) is None
        body = '{"org":"acme","events":[{"actor":{"id":"x"},"n":17}]}'
        assert without_subject(waiting(body), "acme", number) == body

    @pytest.mark.parametrize(
        ("body", "beside", "is_ours"),
        [
            ('{"org": "acme"}', "other", True),
            ('{"org": "other"}', "acme", False),
            ('{"org": 7}', "acme", True),
            ("{}", "acme", True),
            ("broken", "acme", True),
            ("broken", "unknown", False),
            ('{"org": "acme", "org": "other"}', "unknown", False),
        ],
    )
    def test_whose_a_message_is(self, body: str, beside: str, *, is_ours: bool) -> None:
        assert is_of_org(waiting(body, beside), "acme") == is_ours


def test_a_task_is_what_its_message_says() -> None:
    for task in (Task("acme", "e_1"), Task("acme")):
        assert Task.of(task.message()) == task
    with pytest.raises(KeyError):
        Task.of('{"org": "acme"}')


@pytest.mark.parametrize(
    ("seconds", "delay"), [(-5, 1), (0, 1), (0.1, 1), (59.2, 60), (10_000, 900)]
)
def test_a_message_waits_whole_seconds_and_no_longer_than_sqs_lets_it(
    seconds: float, delay: int
) -> None:
    assert later(seconds) == delay
