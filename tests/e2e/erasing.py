"""A person whose every trace in the stack is unlike anything else, and who has to go."""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e import downloads
from tests.e2e.client import Org, create_org, eventually, inbox_is_empty, waiting
from tests.e2e.scheduled import plant, run_schedule

PERSON = "usr-erased-4f9c2d"
#: Texts that are in the person's records, and nowhere else.
CANARIES = {
    "actor": PERSON,
    "name": "Nobody Whosoever-77b1",
    "address": "198.51.77.",
    "city": "Ungefaehrhausen-31",
    "agent": "agent-0f0f-of-the-person",
    "metadata": "secret-before-8d8d",
    "description": "renamed what nobody names 5e5e",
    "target": "target-of-the-person-66aa",
    "key": "key-of-the-person",
    "credential": "token-of-the-person-21cd",
}


def event_of(number: int, moment: datetime | None = None) -> dict[str, Any]:
    """An event of the person's, with every text that an event can have."""
    return {
        "type": "repo.move" if number % 2 else "repo.create",
        "occurred_at": (moment or datetime.now(UTC)).isoformat(),
        "actor": {"id": CANARIES["actor"], "name": CANARIES["name"]},
        "description": CANARIES["description"],
        "targets": [{"type": "repo", "id": CANARIES["target"], "name": CANARIES["target"]}],
        "ip": CANARIES["address"] + "9",
        "location": {"city": CANARIES["city"]},
        "user_agent": CANARIES["agent"],
        "credential": {"type": "access_token", "id": CANARIES["credential"]},
        "metadata": {"before": CANARIES["metadata"]},
        "key": f"{CANARIES['key']}-{number}",
    }


def event_of_another(number: int) -> dict[str, Any]:
    return {
        "type": "repo.create",
        "occurred_at": datetime.now(UTC).isoformat(),
        "actor": {"id": "usr-who-stays", "name": "Ada"},
        "key": f"stays-{number}",
    }


@dataclass(frozen=True)
class Erased:
    """What was there, and what was asked for."""

    org: Org
    published: list[dict[str, Any]]
    """Events of the person, as they were published."""
    ids: list[str]
    old_id: str
    export_id: str
    asked: dict[str, Any]


def begin(stack: dict[str, Any]) -> Erased:
    """Puts the person everywhere, and asks for the erasure."""
    org = create_org(stack, "erased", "--retention-days", "365")
    young = [event_of(number) for number in range(20)]
    said = org.publish(*young, *map(event_of_another, range(20)))
    late = [event_of(number, datetime.now(UTC) - timedelta(hours=2)) for number in range(20, 30)]
    org.send(*late)
    eventually(lambda: inbox_is_empty(stack))
    # Past its time, and still in the table.
    old = datetime.now(UTC).replace(microsecond=0) - timedelta(days=367)
    old_id = plant(
        org,
        old,
        actor={"id": PERSON, "name": CANARIES["name"]},
        metadata={"before": CANARIES["metadata"]},
    )
    run_schedule(stack, "seal")
    org.send({**event_of(90), "type": "no.such.type"})
    org.send({**event_of(91), "type": "no.such.type"}, event_of_another(91))
    org.send_body(json.dumps({"org": org.name, "events": [event_of(92)]})[:-2])
    eventually(lambda: inbox_is_empty(stack))
    assert waiting(stack, "rejects_queue_url") >= 3
    with org.http() as http:
        session = {"actor": {"id": PERSON, "name": CANARIES["name"]}}
        assert http.post(f"{org.path}/sessions", json=session).status_code == 201
        headers = {"X-Actor-Id": PERSON, "X-Actor-Name": "exporting"}
        body = {"format": "ndjson", "compression": "none"}
        export = http.post(f"{org.path}/exports", json=body, headers=headers).json()
        downloads.ended(org, export["id"])
        asked = http.post(f"{org.path}/erasures", json={"actor": PERSON, "reason": "request 4711"})
    assert asked.status_code == 202, asked.text
    ids = [each["id"] for each in said["events"][:20]]
    return Erased(org, young + late, ids, old_id, export["id"], asked.json())
