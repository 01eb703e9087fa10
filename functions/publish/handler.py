"""`POST /v1/orgs/{org}/events`: the answer means that the table has the events."""

from contextlib import suppress
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock, intake
from auditlog.catalog import Catalog
from auditlog.errors import LimitReachedError, UnavailableError
from auditlog.http import Answer, Api, Request
from auditlog.routes import PUBLISH
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.erasures import ErasureStore
from auditlog.store.events import EventStore, Outcome
from auditlog.store.usage import UsageStore
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
    org = request.org_settings
    rules = intake.rules(org, _catalog, judged_at=now, now=now, own_types=False)
    secret = aws.secret(SETTINGS.salt_secret_arn)
    judged = intake.judge(submission, rules, secret)
    judged.raise_refusals()
    # What comes late of somebody who was erased is stored as what is left of it.
    erased = ErasureStore(aws.dynamodb(), SETTINGS.control_table).erased(org, secret)
    records = [erased.applied_to(record, now, now) for record in judged.records]
    new = intake.new_events(records, org, now)
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    usage = UsageStore(aws.dynamodb(), SETTINGS.control_table)
    try:
        standing = usage.book(org, len(new), now)
    except LimitReachedError as error:
        # What was accepted before is so still, however often it is sent.
        if not events.has_all(new):
            raise
        standing, outcomes = error.standing, [Outcome.DUPLICATE] * len(new)
    else:
        # A crash from here on leaves some of the events stored and no answer; the
        # publisher sends the same again, and those count as duplicates.
        outcomes = events.insert(new, deadline=deadline)
        unused = len(new) - outcomes.count(Outcome.RECORDED)
        with suppress(UnavailableError):  # What cannot be given back is used.
            usage.count(org, -unused, now)
            standing = standing and standing.given_back(unused)
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
    answer = {"recorded": recorded, "duplicates": duplicates, "events": told}
    return Answer(201, answer, {} if standing is None else standing.fields())


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
