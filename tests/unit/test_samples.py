"""The invented events of the laptop stack, and the sample inputs in `events/`."""

import hashlib
import ipaddress
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from auditlog import clock
from auditlog.catalog import Catalog
from auditlog.event import EXPORT_TYPE, OWN_TYPES, Record, Rules, admit
from infra.samples import DAYS, sample_events

NOW = datetime(2026, 6, 15, 12, tzinfo=UTC)
DOCUMENTATION = [
    ipaddress.ip_network(block)
    for block in ("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32")
]
EVENTS = Path(__file__).parents[2] / "events"
PUBLISH = sorted((EVENTS / "publish").glob("*.json"))
TRIGGERS = sorted((EVENTS / "triggers").glob("*.json"))

#: Types that the service records itself, and takes from nobody; and all the others.
OWN = {
    each.name
    for each in Catalog.default().types
    if each.name.startswith(OWN_TYPES) and each.name != EXPORT_TYPE
}
OTHERS = {each.name for each in Catalog.default().types} - OWN


def admitted(event: dict[str, Any], at: datetime, retention_days: int | None = None) -> Record:
    judged_at = clock.parse(at.isoformat())
    rules = Rules(Catalog.default(), "acme", retention_days, judged_at)
    return admit(json.loads(json.dumps(event)), rules, b"secret")


@pytest.fixture(scope="module")
def samples() -> list[dict[str, Any]]:
    return list(sample_events(NOW))


class TestSampleEvents:
    def test_are_as_many_as_asked_for_and_all_valid_and_all_different(
        self, samples: list[dict[str, Any]]
    ) -> None:
        records = [admitted(event, NOW, DAYS) for event in samples]
        assert len({record.id for record in records}) == 3000
        assert len({event["key"] for event in samples}) == 3000

    def test_come_oldest_first_from_the_days_before_now(
        self, samples: list[dict[str, Any]]
    ) -> None:
        times = [datetime.fromisoformat(event["occurred_at"]) for event in samples]
        assert times == sorted(times)
        assert NOW - timedelta(days=DAYS) <= times[0] < NOW - timedelta(days=DAYS - 3)
        assert NOW - timedelta(days=3) < times[-1] <= NOW

    def test_are_the_same_for_the_same_arguments(self, samples: list[dict[str, Any]]) -> None:
        assert list(sample_events(NOW)) == samples
        assert list(sample_events(NOW, seed=1)) != samples

    def test_do_not_depend_on_the_hash_seed(self) -> None:
        program = (
            "import json; from datetime import UTC, datetime; "
            "from infra.samples import sample_events; "
            "print(json.dumps(list(sample_events(datetime(2026, 6, 15, 12, tzinfo=UTC), 600))))"
        )
        for hash_seed in ("1", "2"):
            done = subprocess.run(
                [sys.executable, "-c", program],
                env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": os.pathsep.join(sys.path)},
                capture_output=True,
                check=True,
            )
            assert json.loads(done.stdout) == list(sample_events(NOW, 600))

    @pytest.mark.parametrize("count", [0, 1, 7, 499, 500])
    def test_any_count(self, count: int) -> None:
        assert len(list(sample_events(NOW, count))) == count

    def test_now_may_have_any_offset(self) -> None:
        now = datetime(2026, 6, 15, 12, tzinfo=timezone(timedelta(hours=-7)))
        for event in sample_events(now, 50):
            admitted(event, now)

    def test_every_type_and_the_open_scope_occur(self, samples: list[dict[str, Any]]) -> None:
        names = {event["type"] for event in samples}
        assert names >= OTHERS
        assert not names & OWN
        assert any(name.startswith("aws.") for name in names)
        enough = {event["type"] for event in sample_events(NOW, 500)}
        assert enough >= OTHERS

    def test_people_machines_and_the_system(self, samples: list[dict[str, Any]]) -> None:
        kinds = Counter(event["actor"].get("type", "user") for event in samples)
        assert set(kinds) == {"user", "service_account", "system"}
        assert kinds["user"] > kinds["service_account"] > kinds["system"]
        people = {e["actor"]["id"] for e in samples if "type" not in e["actor"]}
        assert len(people) >= 40

    def test_people_work_on_weekdays_by_day(self, samples: list[dict[str, Any]]) -> None:
        times = [
            datetime.fromisoformat(event["occurred_at"])
            for event in samples
            if "type" not in event["actor"]
        ]
        at_work = sum(time.weekday() < 5 and 7 <= time.hour < 19 for time in times)
        # 60 of 168 hours; evenly spread it would be 36 %.
        assert at_work / len(times) > 0.8

    def test_an_actor_stays_in_one_place(self, samples: list[dict[str, Any]]) -> None:
        places: dict[str, set[str]] = defaultdict(set)
        for event in samples:
            network = None
            if "ip" in event:
                address = ipaddress.ip_address(event["ip"])
                assert any(address in block for block in DOCUMENTATION)
                bits = 24 if address.version == 4 else 48
                network = str(ipaddress.ip_network(f"{address}/{bits}", strict=False))
            places[event["actor"]["id"]].add(json.dumps([event.get("location"), network]))
        assert all(len(each) == 1 for each in places.values())

    def test_a_target_has_one_name(self, samples: list[dict[str, Any]]) -> None:
        names: dict[str, set[str | None]] = defaultdict(set)
        for event in samples:
            for target in event.get("targets", []):
                names[target["id"]].add(target.get("name"))
        assert names
        assert all(len(each) == 1 for each in names.values())

    def test_there_is_variety(self, samples: list[dict[str, Any]]) -> None:
        described = sum("description" in event for event in samples)
        assert 0.1 < described / len(samples) < 0.6
        targets = Counter(len(event.get("targets", [])) for event in samples)
        assert {0, 1, 2, 3, 4, 5} <= set(targets)
        assert any(not event["actor"]["name"].isascii() for event in samples)
        assert any({"before", "after"} <= set(event["metadata"]) for event in samples)
        credentials = {event["credential"]["type"] for event in samples if "credential" in event}
        assert credentials == {"access_token", "oauth_app", "session", "api_key"}


class TestEventsFolder:
    def test_one_file_to_publish_for_each_scope(self) -> None:
        assert {path.stem for path in PUBLISH} == set(Catalog.default().scopes)

    @pytest.mark.parametrize("path", PUBLISH, ids=lambda path: path.stem)
    def test_each_can_be_recorded(self, path: Path) -> None:
        event = json.loads(path.read_text("utf-8"))
        assert event["type"].partition(".")[0] == path.stem
        assert admitted(event, datetime(2026, 6, 5, 20, tzinfo=UTC)).type == event["type"]

    @pytest.mark.parametrize(
        "path", [each for each in TRIGGERS if each.stem.startswith("http-")], ids=lambda p: p.stem
    )
    def test_an_http_request_agrees_with_itself(self, path: Path) -> None:
        request = json.loads(path.read_text("utf-8"))
        context = request["requestContext"]
        assert request["version"] == "2.0"
        assert request["routeKey"] == context["routeKey"]
        assert request["rawPath"] == context["http"]["path"]
        method, route = request["routeKey"].split(" ")
        assert method == context["http"]["method"]
        assert route.format(**request["pathParameters"]) == request["rawPath"]
        assert (method == "POST") == ("body" in request)
        if "body" in request:
            assert isinstance(json.loads(request["body"]), dict)
            length = len(request["body"].encode())
            assert request["headers"]["content-length"] == str(length)

    @pytest.mark.parametrize(
        "path", [each for each in TRIGGERS if each.stem.startswith("sqs-")], ids=lambda p: p.stem
    )
    def test_an_sqs_batch_agrees_with_itself(self, path: Path) -> None:
        records = json.loads(path.read_text("utf-8"))["Records"]
        assert len({record["messageId"] for record in records}) == len(records)
        for record in records:
            digest = hashlib.md5(record["body"].encode(), usedforsecurity=False).hexdigest()
            assert record["md5OfBody"] == digest
            assert json.loads(record["body"])["org"] == "acme"

    def test_what_the_doors_are_sent_can_be_recorded_when_it_was_sent(self) -> None:
        request = json.loads((EVENTS / "triggers/http-publish.json").read_text("utf-8"))
        sent = datetime.fromtimestamp(request["requestContext"]["timeEpoch"] / 1000, UTC)
        published = [(event, sent) for event in json.loads(request["body"])["events"]]
        batch = json.loads((EVENTS / "triggers/sqs-record.json").read_text("utf-8"))
        for record in batch["Records"]:
            body = json.loads(record["body"])
            sent = datetime.fromtimestamp(int(record["attributes"]["SentTimestamp"]) / 1000, UTC)
            del body["org"]
            published += [(event, sent) for event in body.get("events", [body])]
        assert len(published) == 5
        for event, at in published:
            assert datetime.fromisoformat(event["occurred_at"]) < at
            admitted(event, at, 30)

    def test_the_readme_names_every_file_and_no_other(self) -> None:
        text = (EVENTS / "README.md").read_text("utf-8")
        named = {part for part in text.split("`") if part.endswith(".json")}
        assert named == {path.name for path in (*PUBLISH, *TRIGGERS)}
