"""`POST /v1/orgs/{org}/events`: the answer means that the table has the events."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock, intake
from auditlog.catalog import Catalog
from auditlog.errors import UnavailableError
from auditlog.http import Answer, Api, Request
from auditlog.routes import PUBLISH
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.events import EventStore, Outcome
from auditlog.telemetry import count, metered

#: Seconds of retries before a publisher is told to come back; API Gateway waits 30.
PATIENCE = 10.0

_catalog = Catalog.default()
api = Api()


@api.route(PUBLISH)
def publish(request: Request) -> Answer:
    """Stores every event of the body, or none where one breaks a rule."""
    body = request.body(intake.MAX_BODY_BYTES)
    now, deadline = clock.now(), clock.monotonic() + PATIENCE
    submission = intake.read(body)
    org = api.org(request)
    rules = intake.rules(org, _catalog, judged_at=now, now=now)
    judged = intake.judge(submission, rules, aws.secret(SETTINGS.salt_secret_arn))
    judged.raise_refusals()
    # A crash from here on leaves some of the events stored and no answer; the
    # publisher sends the same again, and those count as duplicates.
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    outcomes = events.insert(intake.new_events(judged.records, org, now), deadline=deadline)
    if Outcome.UNAVAILABLE in outcomes:
        raise UnavailableError("The table does not take all events now; send the same again.")
    duplicates = outcomes.count(Outcome.DUPLICATE)
    count("EventsRecorded", len(outcomes) - duplicates)
    count("EventsDuplicate", duplicates)
    told = [
        {
            "id": record.id,
            "type": record.type,
            "occurred_at": clock.text(record.occurred_at),
            "duplicate": outcome is Outcome.DUPLICATE,
        }
        for record, outcome in zip(judged.records, outcomes, strict=True)
    ]
    recorded = len(outcomes) - duplicates
    return Answer(201, {"recorded": recorded, "duplicates": duplicates, "events": told})


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
