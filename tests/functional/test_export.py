"""Exports over HTTP: asked for, shown, linked to, cancelled; and what is in the files."""

import dataclasses
import gzip
import json
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import pytest
from botocore.exceptions import ClientError

import export.handler
from auditlog import canonical, clock, exports, keys
from auditlog.event import MAX_EVENT_BYTES
from auditlog.keys import Grant
from auditlog.orgs import Limits
from auditlog.store.exports import LISTED
from tests.functional.conftest import ORG, Watched, World, an_event, events_at, pages, sample

PATH = f"/v1/orgs/{ORG}/exports"
TYPE = "org.audit_log.export"


def parsed(data: bytes, form: str, compression: str) -> list[dict[str, Any]]:
    if compression == "gzip":
        data = gzip.decompress(data)
    if form == "json":
        return json.loads(data)
    assert data == b"" or data.endswith(b"\n")
    return [json.loads(line) for line in data.splitlines()]


def everything(world: World) -> list[dict[str, Any]]:
    """The whole log of the org as the search shows it, oldest first."""
    found = pages(world, order="asc", limit=1_000, include_hidden="true")
    return [event for page in found for event in page]


def test_the_sample_of_the_trigger(world: World) -> None:
    event = sample("triggers/http-export-create")
    event["headers"]["authorization"] = f"Bearer {world.admin_key}"
    answer = world.answer(export.handler, event)
    assert answer.status == 202
    shown = answer.json
    assert set(shown) == {
        "id", "state", "format", "compression", "profile", "bom", "filter", "requested_by",
        "created_at", "completed_at", "expires_at", "progress", "events", "left_out", "bytes",
        "download_url", "manifest_url", "error",
    }  # fmt: skip
    assert shown["state"] == "queued"
    assert shown["progress"] == {"events": 0, "fraction": 0.0}
    location = answer.header("location") or ""
    url = urlsplit(urljoin(f"https://log.example{PATH}", location))
    assert url.path == f"{PATH}/{shown['id']}"
    assert world.call("GET", url.path).json == shown
    [queued] = world.received("exports")
    assert json.loads(queued["Body"]) == {"org": ORG, "export_id": shown["id"]}
    assert queued["Attributes"]["MessageGroupId"] == ORG


def test_the_message_of_the_trigger_of_an_export_that_is_not_there(world: World) -> None:
    before = world.everything()
    event = sample("triggers/sqs-export")
    absent = json.dumps({"org": "no-such-org", "export_id": "x"})
    for body in (event["Records"][0]["body"], absent):
        world.sqs.send_message(QueueUrl=world.queues["exports"], MessageBody=body)
    assert world.work() == 2
    assert world.everything() == before


@pytest.mark.parametrize("compression", ["gzip", "none"])
@pytest.mark.parametrize("form", ["json", "ndjson"])
@pytest.mark.parametrize("count", [0, 1, 1_203])
def test_a_file_holds_exactly_the_events_in_order(
    world: World, form: str, compression: str, count: int
) -> None:
    now = clock.now()
    moments = [now - clock.HOUR + (7 * n % 600) for n in range(count)]
    world.publish(*events_at(*moments, description="as it was"))
    export_id = world.ask_export(format=form, compression=compression, type="repo")
    world.work()
    shown = world.shown(export_id)
    data = world.file(export_id)
    events = parsed(data, form, compression)
    assert events == [e for e in everything(world) if e["type"] == "repo.create"]
    assert [e["id"] for e in events] == sorted(e["id"] for e in events)
    assert len(events) == count
    assert (shown["state"], shown["events"], shown["bytes"]) == ("ready", count, len(data))
    assert shown["progress"] == {"events": count, "fraction": 1.0}
    key = world.objects()[0]
    assert world.objects() == [key, f"{key}.manifest.json"]  # and no slice is left


def test_a_file_without_a_filter_has_the_hidden_and_the_request_itself(world: World) -> None:
    world.publish(an_event(), an_event(type=TYPE))
    export_id = world.ask_export()
    world.work()
    events = parsed(world.file(export_id), "ndjson", "none")
    assert events == everything(world)
    assert events[-1]["targets"] == [{"type": "export", "id": export_id}]
    without = world.ask_export(include_hidden=False)
    world.work()
    assert [e["type"] for e in parsed(world.file(without), "ndjson", "none")] == ["repo.create"]


@pytest.mark.parametrize(
    "asked",
    [
        {"actor": "nobody"},
        {"type": ["billing"]},
        {"since": "2020-01-01", "until": "2020-02-01"},
        {"since": "2026-02-01", "until": "2026-01-01"},
    ],
)
def test_a_filter_that_matches_nothing_makes_an_empty_file(
    world: World, asked: dict[str, Any]
) -> None:
    world.publish(an_event())
    for form, empty in (("json", b"[]\n"), ("ndjson", b"")):
        export_id = world.ask_export(format=form, **asked)
        world.work()
        assert world.file(export_id) == empty
        assert world.shown(export_id)["events"] == 0


def test_an_event_as_large_as_can_be(world: World) -> None:
    event = an_event(metadata={"text": ""})
    event["metadata"]["text"] = '"' * ((MAX_EVENT_BYTES - len(canonical.encode(event))) // 2)
    world.publish(an_event(), event, an_event())
    export_id = world.ask_export(format="json", type="repo")
    world.work()
    assert json.loads(world.file(export_id)) == everything(world)[:3]


def test_a_filter_means_what_it_means_in_a_search(world: World) -> None:
    world.publish(
        an_event(ip="192.0.2.1"),
        an_event(type="org.change_role", actor={"id": "u2"}, location={"country": "FR"}),
        an_event(targets=[{"type": "repo", "id": "r1"}]),
    )
    for asked in (
        {"ip": ["192.0.2.0/24"]},
        {"country": "fr", "actor": ["u2"]},
        {"target": "repo/r1"},
        {"type": ["repo.*", "org"], "include_hidden": False},
    ):
        export_id = world.ask_export(**asked)
        world.work()
        query: dict[str, Any] = {
            name: json.dumps(value) if isinstance(value, bool) else value
            for name, value in ({"include_hidden": True} | asked).items()
        }
        found = world.search(order="asc", **query).json["events"]
        assert parsed(world.file(export_id), "ndjson", "none") == found != []


def test_the_bounds_are_frozen_when_it_is_asked_for(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = world.ask_export(type="repo")
    now = clock.now()
    inside, outside = now + 14 * clock.MINUTE, now + 16 * clock.MINUTE
    monkeypatch.setattr(clock, "now", lambda: now + clock.HOUR)
    world.publish(*events_at(inside, outside))
    world.work()
    events = parsed(world.file(export_id), "ndjson", "none")
    assert [e["occurred_at"] for e in events] == [clock.text(inside)]


def test_nothing_past_its_time_is_exported(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    key, now = world.org("brief", retention_days=1), clock.now()
    world.publish(*events_at(now - clock.DAY + clock.MINUTE, now), org="brief", key=key)
    monkeypatch.setattr(clock, "now", lambda: now + clock.HOUR)
    answer = world.call(
        "POST", "/v1/orgs/brief/exports", key=key, body={"format": "json", "type": "repo"}
    )
    world.work()
    path = f"/v1/orgs/brief/exports/{answer.json['id']}"
    assert world.call("GET", path, key=key).json["events"] == 1


@pytest.mark.parametrize(
    ("headers", "actor"),
    [
        ({}, None),
        ({"x-actor-id": "usr_7"}, {"id": "usr_7", "type": "user"}),
        (
            {"X-Actor-Id": "usr_7", "X-Actor-Name": "Ada Okafor"},
            {"id": "usr_7", "name": "Ada Okafor", "type": "user"},
        ),
    ],
)
def test_the_request_is_in_the_log_with_who_format_and_filter(
    world: World, headers: dict[str, str], actor: dict[str, str] | None
) -> None:
    body = {"format": "json", "type": ["repo"], "since": "2026-01-01"}
    answer = world.call("POST", PATH, body=body, headers=headers).json
    [event] = everything(world)
    key_id = keys.key_id(world.admin_key)
    itself = {"id": key_id, "name": "first admin key", "type": "service_account"}
    assert event["type"] == TYPE
    assert event["actor"] == (actor or itself)
    assert event["credential"] == {"type": "api_key", "id": key_id, "name": "first admin key"}
    assert event["targets"] == [{"type": "export", "id": answer["id"]}]
    assert event["occurred_at"] == answer["created_at"]
    assert event["metadata"] == {
        "format": "json",
        "compression": "gzip",
        "profile": "native",
        "filter": {
            "type": ["repo"],
            "since": ["2026-01-01T00:00:00.000000Z"],
            "include_hidden": ["true"],
        },
    }
    assert event["metadata"]["filter"] == answer["filter"]
    # The address is the platform's own where it acts for a person.
    assert ("ip" in event) is (actor is None)
    assert event.get("ip", "198.51.100.0") == "198.51.100.0"
    assert answer["requested_by"]["id"] == (actor or itself)["id"]
    assert answer["requested_by"]["credential"] == key_id


@pytest.mark.parametrize("value", ["", "x" * 257])
def test_an_actor_that_cannot_be_400(world: World, value: str) -> None:
    before = world.everything()
    for name in ("x-actor-id", "x-actor-name"):
        headers = {"x-actor-id": "usr_7"} | {name: value}
        world.call("POST", PATH, body={"format": "json"}, headers=headers).is_problem(400)
    assert world.everything() == before


def test_what_cannot_be_recorded_is_not_begun(world: World) -> None:
    def refuse(name: str, _number: int, call: Any) -> Any:
        if name == "batch_execute_statement":
            raise ClientError({"Error": {"Code": "AccessDeniedException"}}, name)
        return call()

    sound = world.dynamodb
    world.dynamodb = Watched(sound, refuse)
    world.call("POST", PATH, body={"format": "json"}).is_problem(500)
    world.dynamodb = sound
    assert world.call("GET", PATH).json == {"exports": []}
    assert world.received("exports") == []


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"format": "xml"}, "/format"),
        ({"format": "csv", "profile": "hf"}, "/format"),
        ({"bom": True}, "/bom"),
        ({"bom": "yes", "format": "csv"}, "/bom"),
        ({"format": None}, "/format"),
        ({"compression": "zstd"}, "/compression"),
        ({"profile": "github"}, "/profile"),
        ({"type": "repo.craete"}, "/type"),
        ({"type": [1]}, "/type/0"),
        ({"since": ["2026-01-01", "2026-01-02"]}, "/since"),
        ({"until": "never"}, "/until"),
        ({"ip": ["192.0.2.0/24", "here"]}, "/ip"),
        ({"country": "FRA"}, "/country"),
        ({"include_hidden": "false"}, "/include_hidden"),
        ({"actor": ["a"] * 101}, "/actor"),
        ({"limit": 5}, "/limit"),
        ({"order": "asc"}, "/order"),
    ],
)
def test_what_makes_no_export(world: World, asked: dict[str, Any], pointer: str) -> None:
    before = world.everything()
    document = world.call("POST", PATH, body={"format": "json"} | asked).is_problem(422)
    assert [error["pointer"] for error in document["errors"]] == [pointer]
    assert world.everything() == before
    assert world.received("exports") == []


def test_the_states_of_an_export_and_what_can_be_downloaded(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id = world.ask_export()
    download = f"{PATH}/{export_id}/download"
    world.call("GET", download).is_problem(409)
    world.work()
    shown, now = world.shown(export_id), clock.now()
    assert shown["state"] == "ready"
    assert clock.parse(shown["expires_at"]) - clock.parse(shown["completed_at"]) == 7 * clock.DAY
    for link in (shown["download_url"], world.call("GET", download).header("location")):
        query = parse_qs(urlsplit(link or "").query)
        assert query["X-Amz-Expires"] == ["900"]
        assert "X-Amz-Signature" in query
        assert query["response-content-disposition"] == [
            f'attachment; filename="audit-log-{ORG}-{shown["created_at"][:10]}.ndjson"'
        ]
        assert world.objects()[0] in (link or "")
    assert world.call("GET", download).status == 302
    monkeypatch.setattr(clock, "now", lambda: now + 7 * clock.DAY + clock.SECOND)
    assert world.shown(export_id)["state"] == "expired"
    assert world.shown(export_id)["download_url"] is None
    world.call("GET", download).is_problem(410)


@pytest.mark.parametrize(("done", "state"), [(False, "cancelled"), (True, "expired")])
def test_a_deleted_export_has_no_file_and_stays_in_the_list(
    world: World, done: bool, state: str
) -> None:
    export_id = world.ask_export()
    if done:
        world.work()
    for _ in range(2):
        answer = world.call("DELETE", f"{PATH}/{export_id}")
        assert (answer.status, answer.text) == (204, "")
        assert world.shown(export_id)["state"] == state
        assert world.objects() == []
    world.call("GET", f"{PATH}/{export_id}/download").is_problem(410 if done else 409)
    # What is late does not wake it.
    world.work()
    assert world.shown(export_id)["state"] == state
    assert world.objects() == []


def test_an_export_of_which_nothing_is_heard_has_failed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    export_id, now = world.ask_export(), clock.now()
    monkeypatch.setattr(
        clock, "now", lambda: now + exports.STALLED_AFTER[exports.State.QUEUED] - clock.SECOND
    )
    assert world.shown(export_id)["state"] == "queued"
    monkeypatch.setattr(
        clock, "now", lambda: now + exports.STALLED_AFTER[exports.State.QUEUED] + clock.SECOND
    )
    assert world.shown(export_id)["state"] == "failed"
    assert world.shown(export_id)["error"]
    world.call("GET", f"{PATH}/{export_id}/download").is_problem(409)


def test_after_too_many_tries_it_fails_and_says_so(world: World) -> None:
    export_id = world.ask_export()
    assert world.deliver(tries=4)
    shown = world.shown(export_id)
    assert (shown["state"], shown["download_url"]) == ("failed", None)
    assert "3 times" in shown["error"]
    assert shown["completed_at"]
    assert world.objects() == []


def test_the_list_is_newest_first_and_of_a_hundred(world: World) -> None:
    org = world.control.org(ORG)
    assert org is not None
    world.control.save_org(dataclasses.replace(org, limits=Limits(exports_at_once=None)))
    made = [world.ask_export() for _ in range(3)]
    assert [e["id"] for e in world.call("GET", PATH).json["exports"]] == made[::-1]
    made += [world.ask_export() for _ in range(LISTED)]
    listed = world.call("GET", PATH).json["exports"]
    assert [e["id"] for e in listed] == made[: -LISTED - 1 : -1]


def test_another_orgs_exports_are_not_there(world: World) -> None:
    stranger = world.org("umbrella")
    export_id = world.ask_export()
    world.work()
    before = world.everything()
    for method, path in (("GET", ""), ("DELETE", ""), ("GET", "/download")):
        theirs = f"/v1/orgs/umbrella/exports/{export_id}{path}"
        world.call(method, theirs, key=stranger).is_problem(404)
    for export_id in ("x", "..", "export%23acme"):
        world.call("GET", f"{PATH}/{export_id}").is_problem(404)
    assert world.call("GET", "/v1/orgs/umbrella/exports", key=stranger).json == {"exports": []}
    assert world.everything() == before


def test_a_key_that_may_export_need_not_read(world: World) -> None:
    key = world.key(Grant.EXPORTS_CREATE)
    export_id = world.call("POST", PATH, key=key, body={"format": "json"}).json["id"]
    assert world.call("GET", f"{PATH}/{export_id}", key=key).status == 200
    world.search(key=key).is_problem(403)


@pytest.mark.parametrize("name", ["actor", "q", "since"])
def test_a_lone_surrogate_in_a_filter_is_a_422_with_its_place(world: World, name: str) -> None:
    answer = world.call("POST", PATH, body=f'{{"format": "json", "{name}": "\\ud800"}}')
    assert answer.is_problem(422)["errors"][0]["pointer"].startswith(f"/{name}")


def test_a_filter_that_is_too_long_to_be_listed_is_refused(world: World) -> None:
    body = {"format": "json", "actor": ["a" * 1_000] * 5 + [f"{n:01000}" for n in range(8)]}
    world.call("POST", PATH, body=body).is_problem(422)


def test_the_list_goes_on_where_one_query_ends(world: World) -> None:
    asked = [world.ask_export() for _ in range(3)]

    sound = world.dynamodb

    class Client:
        def __getattr__(self, name: str) -> Any:
            return getattr(sound, name)

        @staticmethod
        def query(**arguments: Any) -> Any:
            return sound.query(**(arguments | {"Limit": 1}))

    world.dynamodb = Client()
    listed = world.call("GET", PATH).json["exports"]
    assert sorted(export["id"] for export in listed) == sorted(asked)


@pytest.mark.parametrize("form", ["ndjson", "csv"])
def test_an_export_under_way_follows_a_retention_that_is_shortened(world: World, form: str) -> None:
    now = clock.now()
    old, young = events_at(now - 10 * clock.DAY, now - clock.HOUR, description="as it was")
    old["actor"], young["actor"] = {"id": "usr_old"}, {"id": "usr_young"}
    world.publish(old, young)
    export_id = world.ask_export(format=form)
    answer = world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"retention_days": 3})
    assert answer.status == 200
    world.work()
    assert world.shown(export_id)["state"] == "ready"
    written = world.file(export_id)
    assert b"usr_young" in written
    assert b"usr_old" not in written


def test_the_references_route_gives_no_file_of_an_older_policy(world: World) -> None:
    now = clock.now()
    [old] = events_at(now - 10 * clock.DAY, actor={"id": "usr_old"})
    world.publish(old, *events_at(now - clock.HOUR))
    path = f"/api/organizations/{ORG}/audit-log/export"

    def file() -> bytes:
        if (answer := world.call("GET", path)).status == 503:
            world.work()
            answer = world.call("GET", path)
        assert answer.status == 302
        return world.file(world.call("GET", PATH).json["exports"][0]["id"])

    assert b"usr_old" in file()
    world.call("PATCH", f"/v1/orgs/{ORG}/settings", body={"retention_days": 3})
    assert b"usr_old" not in file()
    assert len(world.call("GET", PATH).json["exports"]) == 2


def test_under_a_hold_an_export_has_what_search_shows(world: World) -> None:
    now = clock.now()
    [old] = events_at(now - 5 * clock.DAY, actor={"id": "usr_old"})
    world.publish(old)

    def exported() -> bytes:
        export_id = world.ask_export()
        world.work()
        return world.file(export_id)

    path = f"/v1/orgs/{ORG}/settings"
    for asked, is_there in (
        ({"retention_days": 3}, False),
        ({"hold": {"reason": "case 7"}}, True),
        ({"hold": None}, False),
    ):
        assert world.call("PATCH", path, body=asked).status == 200
        assert (b"usr_old" in exported()) is is_there
