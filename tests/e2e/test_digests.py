"""Digests on the deployed stack: made on a schedule, used by searches, of no account to answers."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.e2e.client import Org, create_org
from tests.e2e.scheduled import plant, run_schedule

HOUR = timedelta(hours=1)


def _search(org: Org, **query: str) -> Any:
    with org.http() as http:
        answer = http.get(f"{org.path}/events", params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def test_a_search_reads_what_the_schedule_has_digested(stack: dict[str, Any], event: Any) -> None:
    org = create_org(stack, "digests")
    start = datetime.now(UTC).replace(microsecond=0) - 2 * HOUR
    hers = {100, 101, 500}
    ids = [
        plant(org, start + timedelta(seconds=n), actor={"id": "ann" if n in hers else f"u{n % 9}"})
        for n in range(600)
    ]
    expected = [ids[number] for number in sorted(hers, reverse=True)]
    before = _search(org, actor="ann", explain="true")
    assert [each["id"] for each in before["events"]] == expected
    assert before["explain"]["digests_used"] == 0
    # Whoever writes says that there is something to digest.
    org.publish(event(actor={"id": "bob"}))

    assert run_schedule(stack, "seal")["blocks"] >= 1

    after = _search(org, actor="ann", explain="true")
    assert after["events"] == before["events"]
    assert after["explain"]["digests_used"] >= 1
    assert after["explain"]["items"] < before["explain"]["items"] / 2
    with org.http() as http:
        told = http.get(f"{org.path}/timeline", params={"interval": "hour"}).json()
    assert told["total"] == 601
    assert told["exact"] is True
    assert [each["events"] for each in told["types"]] == [601]
