"""Bodies: which are taken, what is said of the others, and the excerpt of one."""

import json
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditlog import clock, intake
from auditlog.errors import InvalidError, MalformedError, ProblemError, TooLargeError
from auditlog.orgs import Org
from tests.unit.published import NOW, RULES, SECRET, body, event, faults, judged, places


def refusal(sent: bytes, *, names_org: bool = False) -> tuple[int, list[str | None]]:
    """The status with which a whole body is refused, and the places that it names."""
    with pytest.raises(ProblemError) as error:
        intake.read(sent, names_org=names_org)
    assert isinstance(error.value, MalformedError | InvalidError | TooLargeError)
    return error.value.status, [fault.pointer for fault in error.value.faults]


class TestRead:
    def test_one_event(self) -> None:
        submission = intake.read(body(event()))
        assert submission.events == [event()]
        assert (submission.org, submission.pointers, submission.faults) == (None, [""], {})

    def test_several(self) -> None:
        submission = intake.read(body({"events": [event(), 5, None]}))
        assert submission.events == [event(), 5, None]
        assert submission.pointers == ["/events/0", "/events/1", "/events/2"]

    @pytest.mark.parametrize("sent", [event(), {"events": [event()]}])
    def test_a_message_names_its_org(self, sent: dict[str, Any]) -> None:
        submission = intake.read(body(sent | {"org": "acme"}), names_org=True)
        assert submission.org == "acme"
        assert submission.events == [event()]

    @pytest.mark.parametrize("sent", [event(), {"events": [event()]}])
    @pytest.mark.parametrize("org", [{}, {"org": None}, {"org": 5}, {"org": float("nan")}])
    def test_a_message_without_an_org(self, sent: dict[str, Any], org: dict[str, Any]) -> None:
        assert refusal(body(sent | org), names_org=True) == (422, ["/org"])

    def test_an_org_over_http_is_no_field(self) -> None:
        assert refusal(body({"events": [event()], "org": "acme"})) == (422, ["/org"])

    @pytest.mark.parametrize(
        ("sent", "status", "places"),
        [
            (b"", 400, []),
            (b"{", 400, []),
            (b"\xff{}", 400, []),
            (b"\xef\xbb\xbf{}", 400, []),
            (b"[]", 422, [""]),
            (b'"x"', 422, [""]),
            (b"null", 422, [""]),
            (b"NaN", 422, [""]),
            (b'[{"type":"repo.create"}]', 422, [""]),
            (b'{"events":[]}', 422, ["/events"]),
            (b'{"events":{}}', 422, ["/events"]),
            (b'{"events":null}', 422, ["/events"]),
            (b'{"events":1e999}', 422, ["/events"]),
            (b'{"events":[{}],"type":"repo.create"}', 422, ["/type"]),
            (b'{"events":[],"a":1,"b":2}', 422, ["/a", "/b", "/events"]),
            (b'{"events":[{}],"events":[{}]}', 422, ["/events"]),
            (b'{"events":[{"a":1,"a":2}],"events":[{}]}', 422, ["/events"]),
        ],
    )
    def test_a_body_of_no_form(self, sent: bytes, status: int, places: list[str]) -> None:
        assert refusal(sent) == (status, places)

    def test_a_duplicate_org(self) -> None:
        sent = b'{"org":"a","org":"acme","events":[{}]}'
        assert refusal(sent, names_org=True) == (422, ["/org"])

    def test_a_thousand_events_and_no_more(self) -> None:
        assert len(intake.read(body({"events": [1] * 1_000})).events) == 1_000
        assert refusal(body({"events": [1] * 1_001})) == (413, ["/events"])

    def test_too_many_comes_before_what_else_is_wrong(self) -> None:
        assert refusal(body({"events": [1] * 1_001, "more": float("nan")}))[0] == 413


class TestJudge:
    def test_records_in_order_and_refusals_by_number(self) -> None:
        sent = [event(key="a"), event(type="x"), event(key="b"), 5, event(key="c")]
        outcome = judged(body({"events": sent}))
        assert [json.loads(record.data)["key"] for record in outcome.records] == ["a", "b", "c"]
        assert [refusal.index for refusal in outcome.refusals] == [1, 3]

    @pytest.mark.parametrize("sent", [None, 5, "x", [], [event()], True])
    def test_what_is_no_object(self, sent: object) -> None:
        assert places(body({"events": [sent]})) == {"/events/0": "expected an object"}

    @pytest.mark.parametrize(
        ("fields", "pointer"),
        [
            ('"metadata":{"a":NaN}', "/metadata/a"),
            ('"metadata":{"a":[1,-Infinity]}', "/metadata/a/1"),
            ('"metadata":{"a":12345678901234567890}', "/metadata/a"),
            ('"metadata":{"a":1e400}', "/metadata/a"),
            ('"metadata":{"a":1,"a":1}', "/metadata/a"),
            ('"metadata":NaN', "/metadata"),
            ('"key":1e400', "/key"),
            ('"key":"a","key":"a"', "/key"),
            ('"metadata":{"a":"\\ud800"}', "/metadata/a"),
            ('"metadata":{"\\ud800":{"~/":"\\udc00"}}', "/metadata/?"),
            ('"description":"\\ud800"', "/description"),
            ('"\\ud800":1', "/?"),
            ('"targets":[{"type":"t","id":"\\udfff"}]', "/targets/0/id"),
        ],
    )
    def test_what_the_json_would_lose(self, fields: str, pointer: str) -> None:
        one = json.dumps(event())[:-1] + f",{fields}}}"
        found = places(one.encode())
        assert pointer in found
        listed = places(f'{{"events":[{json.dumps(event())},{one}]}}'.encode())
        assert listed == {f"/events/1{place}": detail for place, detail in found.items()}

    def test_such_an_event_names_its_other_faults_too(self) -> None:
        sent = b'{"type":"x","actor":{"id":"a","id":"b"},"metadata":{"n":NaN},"ip":NaN}'
        assert sorted(fault.pointer or "" for fault in faults(sent)) == [
            "/actor/id", "/ip", "/metadata/n", "/occurred_at", "/type",
        ]  # fmt: skip

    def test_the_good_ones_beside_it_are_records(self) -> None:
        sent = f'{{"events":[{json.dumps(event())},{{"metadata":NaN}}]}}'
        outcome = judged(sent.encode())
        assert len(outcome.records) == 1
        assert [refusal.index for refusal in outcome.refusals] == [1]

    def test_statuses(self) -> None:
        large = event(description="x" * 2**18)
        judged(body(event())).raise_refusals()
        with pytest.raises(InvalidError):
            judged(body({"events": [event(), event(type="x")]})).raise_refusals()
        with pytest.raises(TooLargeError) as error:
            judged(body({"events": [event(type="x"), large]})).raise_refusals()
        assert [fault.pointer for fault in error.value.faults] == ["/events/0/type", "/events/1"]

    @pytest.mark.parametrize(
        "hostile",
        [
            '{"metadata":[' + "NaN," * 200_000 + "1]}",
            '{"metadata":{' + '"":1,' * 150_000 + '"":1}}',
            "{" + ",".join(f'"{n}":1' for n in range(90_000)) + "}",
            '{"type":' + "1" * 1_000_000 + "}",
            '{"type":0.' + "1" * 1_000_000 + "}",
            '{"type":[' + "1e99999," * 110_000 + "1]}",
            '{"type":"' + "a." * 500_000 + '"}',
            '{"ip":"' + ":" * 1_000_000 + '"}',
            '{"occurred_at":"2026-05-01T00:00:00.' + "1" * 1_000_000 + '"}',
            '{"metadata":{"a":["\\ud800",' + "[]," * 300_000 + "1]}}",
            '{"targets":[' + "{}," * 300_000 + "1]}",
        ],
        ids=str.__len__,
    )
    def test_a_hostile_mebibyte_is_refused_in_passing(self, hostile: str) -> None:
        begun = clock.monotonic()
        assert judged(hostile.encode()).refusals
        # A second or less where it was written; whatever is not linear takes minutes.
        assert clock.monotonic() - begun < 20


class TestNewEvents:
    def test_carry_the_expiry_of_the_org(self) -> None:
        records = judged(body(event())).records
        [new] = intake.new_events(records, Org("acme", 90, 0), NOW + 5)
        assert new.record is records[0]
        assert (new.partition, new.recorded_at) == ("acme", NOW + 5)
        due = clock.parse("2026-05-01T09:30:00Z") + 97 * clock.DAY
        assert new.expires_at == due // clock.SECOND + 1

    def test_of_an_org_that_keeps_for_ever_never_expire(self) -> None:
        [new] = intake.new_events(judged(body(event())).records, Org("acme", None, 0), NOW)
        assert new.expires_at is None

    def test_go_where_the_shards_of_the_org_put_them(self) -> None:
        sent = body({"events": [event(key=str(n)) for n in range(40)]})
        org = Org("acme", None, 0, shards=((0, 4),))
        new = intake.new_events(judged(sent).records, org, NOW)
        assert {each.partition for each in new} == {f"acme#{n}" for n in range(4)}
        assert all(each.partition == org.layout.partition(each.record.id) for each in new)


# Texts of events as they may stand in a body that `read` takes, whatever is in them.
spaces = st.text(" \t\n\r", max_size=2)
literals = st.sampled_from(
    ["NaN", "-Infinity", "1e999", "9" * 5_000, "-0.0", "1E+2", '"\\ud800"', '"]},{\\""', "{}", "[]",
     '{"a":1,"a":[{"events":[1]}]}', "[[],[1, 2]]", '"é😀"', "null"]
)  # fmt: skip


@st.composite
def event_texts(draw: st.DrawFn) -> str:
    members = [
        f"{draw(spaces)}{json.dumps(draw(st.text(max_size=5)))}{draw(spaces)}:"
        f"{draw(spaces)}{draw(literals)}{draw(spaces)}"
        for _ in range(draw(st.integers(0, 3)))
    ]
    return draw(st.sampled_from(["{" + ",".join(members) + "}", draw(literals)]))


class TestExcerpt:
    @given(st.data())
    def test_holds_exactly_the_chosen_events_verbatim(self, data: st.DataObject) -> None:
        texts = data.draw(st.lists(event_texts(), min_size=1, max_size=5))
        chosen = sorted(data.draw(st.sets(st.integers(0, len(texts) - 1), min_size=1)))

        def gap() -> str:
            return data.draw(spaces)

        listed = ",".join(f"{gap()}{text}{gap()}" for text in texts)
        name = data.draw(st.sampled_from(['"events"', '"ev\\u0065nts"']))
        members = data.draw(
            st.permutations([f'"org"{gap()}:{gap()}"acme"', f"{name}{gap()}:{gap()}[{listed}]"])
        )
        sent = f"{gap()}{{" + ",".join(f"{gap()}{m}{gap()}" for m in members) + f"}}{gap()}"
        assert len(intake.read(sent.encode(), names_org=True).events) == len(texts)
        kept = intake.excerpt(sent, chosen)
        [org] = re.findall(r'"org"[ \t\n\r]*:[ \t\n\r]*"acme"', sent)[:1]
        assert kept == f'{{{org},"events":[{",".join(texts[n] for n in chosen)}]}}'

    @given(st.data())
    def test_is_refused_for_the_same_reasons(self, data: st.DataObject) -> None:
        texts = [json.dumps(event()), *data.draw(st.lists(event_texts(), min_size=1, max_size=4))]
        sent = f'{{"events":[{",".join(texts)}],"org":"acme"}}'
        before = intake.judge(intake.read(sent.encode(), names_org=True), RULES, SECRET)
        kept = intake.excerpt(sent, [refusal.index for refusal in before.refusals])
        after = intake.judge(intake.read(kept.encode(), names_org=True), RULES, SECRET)
        assert after.records == []
        assert [[f.detail for f in r.faults] for r in after.refusals] == [
            [f.detail for f in r.faults] for r in before.refusals
        ]
