"""An event as the API shows it: the record's own bytes, behind what the service adds."""

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditlog import answers, canonical, clock, plan
from auditlog.answers import Answers, time_of
from auditlog.catalog import Catalog
from auditlog.event import Event, Record, build
from tests.unit.published import CATALOG, NOW, SECRET, event, record_of, stored

ANN = {"id": "usr_1", "name": "Ann \u201cA\u201d {actor} \\ \n 😀"}
LATEST = clock.parse("9999-12-31T23:59:59.999999Z")
#: Its sentences hold what `%`, `str.format` and a regular expression would take for their own.
ODD = Catalog.parse(
    r"""
    [scopes.odd]
    [scopes.wide]
    open = true
    group = "Wide"
    operation = "access"
    sentence = "{actor} \\1 %s 100% {type}[ \\g<0> %(x)s {targets} {type}] $&"
    [types.Odd]
    "odd.one" = { operation = "modify", sentence = "[{targets} ]{actor}{actor} \"'\\ é😀 {type}" }
    "odd.two" = { operation = "modify", sentence = "nobody %d", was = ["odd.too"] }
    """
)
names = st.text(max_size=200)
# Of everything that means something to a serializer or a formatter.
texts = st.one_of(
    names,
    st.text(
        "\"\\%{}[]()$\x00\x1f\x7f\x80\u2028\u2029\ufeff/<>&'\t\r\n\bé😀{actor}{0}%s", max_size=12
    ),
    st.sampled_from(
        ["", "{actor}", "{0}", "{", "}", "%b", "%(x)s", "\\u0041", "\U0010ffff", "a\x00"]
    ),
)


def line(record: Record, catalog: Catalog = CATALOG, recorded_at: int = NOW) -> bytes:
    """An event as it is shown."""
    return Answers(catalog).of(stored(record, recorded_at), record.data)


def slow_summary(record: dict[str, Any], catalog: Catalog) -> str:
    """As the design has it: names, or ids where there are none, in the catalog's sentence."""
    actor = record["actor"]
    targets = [target.get("name") or target["id"] for target in record.get("targets", [])]
    return catalog.sentence_for(record["type"], actor.get("name") or actor["id"], targets)


def slow(record: Record, catalog: Catalog, recorded_at: int) -> bytes:
    """What `line` gives, the plain way."""
    parsed = json.loads(record.data)
    added = {"id": record.id, "recorded_at": clock.text(recorded_at)}
    if "description" not in parsed:
        added["summary"] = slow_summary(parsed, catalog)
    text = json.dumps(added, ensure_ascii=False, separators=(",", ":"))
    return text.encode()[:-1] + b"," + record.data[1:]


def ends_with_the_record(answered: bytes, record: Record) -> bool:
    return answered.endswith(b"," + record.data[1:]) and answered[:1] == b"{"


class TestAnswer:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"description": ""},
            {"description": "Created it"},
            {"metadata": {"a": 1e-7, "b": 1e21, "\ufb33": "\x00", "😀": '"\\'}},
            {"actor": ANN, "targets": [{"type": "repo", "id": "x", "name": "\u2028"}]},
        ],
    )
    def test_carries_the_record_verbatim(self, fields: dict[str, Any]) -> None:
        record = record_of(event(**fields))
        answered = line(record)
        assert ends_with_the_record(answered, record)
        names_in_order = list(json.loads(answered))
        assert len(names_in_order) == len(set(names_in_order))
        assert names_in_order[:2] == ["id", "recorded_at"]
        assert json.loads(answered)["id"] == record.id
        assert json.loads(answered)["recorded_at"] == clock.text(NOW)

    @pytest.mark.parametrize("description", ["", "x"])
    def test_no_summary_beside_a_description(self, description: str) -> None:
        assert "summary" not in json.loads(line(record_of(event(description=description))))

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({}, "usr_1 created a repository"),
            ({"actor": {"id": "usr_1", "name": "Ann"}}, "Ann created a repository"),
            ({"actor": {"id": "usr_1", "name": ""}}, "usr_1 created a repository"),
            ({"targets": []}, "usr_1 created a repository"),
            (
                {
                    "targets": [
                        {"type": "repo", "id": "r1"},
                        {"type": "repo", "id": "r2", "name": "N"},
                    ]
                },
                "usr_1 created a repository: r1 and N",
            ),
        ],
    )
    def test_summary(self, fields: dict[str, Any], sentence: str) -> None:
        assert json.loads(line(record_of(event(**fields))))["summary"] == sentence

    def test_a_type_that_the_catalog_has_lost_is_still_shown(self) -> None:
        record = record_of(event(type="aws.s3.GetObject"))
        lost = record.data.replace(b"aws.s3.GetObject", b"gone.for.good")
        answered = Answers(CATALOG).of(stored(record), lost)
        assert json.loads(answered)["summary"] == "usr_1 performed gone.for.good"

    @given(
        st.sampled_from([each.name for each in CATALOG.types]), names, st.lists(names, max_size=3)
    )
    def test_is_never_larger_than_a_page_reckons(
        self, name: str, actor: str, targets: list[str]
    ) -> None:
        listed = [{"type": "t", "id": "i", "name": each} for each in targets]
        record = record_of(event(type=name, actor={"id": "u", "name": actor}, targets=listed))
        in_lambda = json.dumps(line(record).decode(), ensure_ascii=False).encode()
        assert len(in_lambda) <= plan.answer_bytes(stored(record), record.data)


parties = st.fixed_dictionaries({"id": texts}, optional={"name": texts})
#: Events in their normal form, some of types that no catalog has.
events = st.fixed_dictionaries(
    {
        "type": st.sampled_from([each.name for each in (*CATALOG.types, *ODD.types)])
        | st.sampled_from(["odd.too", "wide.a.B", "aws.s3.Get_1", "gone.for.good", "{type}", "%"]),
        "occurred_at": st.just("2026-05-01T09:30:00.000001Z"),
        "actor": parties,
    },
    optional={
        "description": texts,
        "targets": st.lists(
            st.builds(lambda party, kind: {"type": kind, **party}, parties, texts), max_size=5
        ),
        # What has the names of what a summary reads, where it does not read it.
        "metadata": st.dictionaries(
            texts | st.sampled_from(["type", "actor", "targets", "description", "summary", "id"]),
            st.none() | st.floats(allow_nan=False, allow_infinity=False) | texts | parties,
            max_size=3,
        ),
        "key": texts,
    },
)


class TestLines:
    @given(events, st.integers(0, LATEST), st.sampled_from([CATALOG, ODD]))
    def test_are_what_the_plain_way_gives(
        self, published: Any, recorded_at: int, catalog: Catalog
    ) -> None:
        record = build(published, "acme", SECRET)
        answered = line(record, catalog, recorded_at)
        assert answered == slow(record, catalog, recorded_at)
        assert json.loads(answered)["id"] == record.id
        if not record.described:
            parsed = json.loads(record.data)
            assert answers.summary(parsed, catalog) == json.loads(answered)["summary"]

    @given(st.lists(st.tuples(events, st.integers(0, LATEST)), max_size=6))
    def test_of_many_are_those_of_each_in_order(self, made: list[tuple[Any, int]]) -> None:
        """One catalog's sentences are learned once: they must not run into one another."""
        records = [(build(published, "acme", SECRET), at) for published, at in made]
        entries = [(each.id, str(at), each.data, each.described) for each, at in records]
        shared = Answers(ODD)
        assert shared.lines(entries) == [slow(each, ODD, at) for each, at in records]
        assert shared.lines(iter(entries)) == [slow(each, ODD, at) for each, at in records]

    def test_with_targets_and_without_them_a_type_has_two_sentences(self) -> None:
        """Each way round, in one and the same catalog's words."""
        lists: list[list[dict[str, str]]] = [
            [],
            [{"type": "t", "id": "i1"}],
            [{"type": "t", "id": "i1", "name": ""}],
            [{"type": "t", "id": "i1", "name": "n1"}],
            [{"type": "t", "id": "i1"}, {"type": "t", "id": "i2", "name": "n2"}],
        ]
        for order in (lists, lists[::-1]):
            shared = Answers(ODD)
            for kind in ("odd.one", "wide.a", "gone.for.good"):
                for targets in order:
                    published: Any = event(type=kind, targets=targets)
                    record = build(published, "acme", SECRET)
                    told = shared.of(stored(record), record.data)
                    assert told == slow(record, ODD, NOW)

    def test_one_that_is_described_is_not_read(self) -> None:
        """Whatever a future version of the record looks like, its bytes are passed on."""
        [answered] = Answers(CATALOG).lines([("i", "0", b"{not JSON}", True)])
        assert answered == b'{"id":"i","recorded_at":"1970-01-01T00:00:00.000000Z",not JSON}'

    def test_an_open_scope_does_not_fill_the_memory(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(answers, "_MOST_SENTENCES", 5)
        shared = Answers(ODD)
        for number in range(40):
            given_type: Event = event(type=f"wide.t{number % 13}")  # type: ignore[assignment] -- in its normal form
            record = build(given_type, "acme", SECRET)
            entry = (record.id, "0", record.data, False)
            assert shared.lines([entry]) == [slow(record, ODD, 0)]
            assert len(shared._sentences) <= 5

    def test_two_catalogs_do_not_share_sentences(self) -> None:
        sentence = "{x} other {} {{0}} }{"  # which no file may hold, and means nothing
        other = dataclasses.replace(
            ODD,
            _by_name={
                name: dataclasses.replace(each, sentence=sentence)
                for name, each in ODD._by_name.items()
            },
        )
        given_type: Event = event(type="odd.two")  # type: ignore[assignment] -- in its normal form
        record = build(given_type, "acme", SECRET)
        told = [json.loads(line(record, catalog))["summary"] for catalog in (ODD, other, ODD)]
        assert told == ["nobody %d", sentence, "nobody %d"]

    def test_the_largest_event_with_all_its_names(self) -> None:
        """Five targets of which two are named; 256 KiB of names that need escaping."""
        listed = [{"type": "t", "id": f"i{n}", "name": '"\\\n' * 6_000} for n in range(5)]
        record = record_of(event(targets=listed))
        assert line(record) == slow(record, CATALOG, NOW)
        assert canonical.encode(json.loads(line(record))).count(b"and 3 more") == 1


class TestTimeOf:
    @given(st.integers(0, LATEST) | st.integers(0, 10**7))
    @example(0)
    @example(1)
    @example(999_999)
    @example(clock.SECOND)
    @example(clock.HOUR - 1)
    @example(clock.HOUR)
    @example(clock.DAY - 1)
    @example(clock.parse("2028-02-29T23:59:59.999999Z"))
    @example(LATEST)
    def test_is_the_text_of_the_clock(self, microseconds: int) -> None:
        assert time_of(str(microseconds)) == clock.text(microseconds)

    def test_remembers_hours_and_not_for_ever(self) -> None:
        for hour in range(0, 40_000, 3):
            assert time_of(str(hour * clock.HOUR + 7)) == clock.text(hour * clock.HOUR + 7)
        assert answers._hour.cache_info().currsize <= 10_000
