"""On a schedule: deletes what DynamoDB's TTL has left behind.

TTL deletes late, and never what is more than five years past its time. Until
then nobody sees such an event: reads clamp to the retention.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock, retention
from auditlog.plan import Span
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.control import ControlStore
from auditlog.store.events import EventStore
from auditlog.telemetry import count, logger, metrics

#: Milliseconds kept back from the function's time, to finish a batch and the log.
_MARGIN_MS = 15_000


@metrics.log_metrics
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Lambda's entry: a scheduled event. What one run does not reach is the next one's."""
    now = clock.now()
    deadline = clock.monotonic() + (context.get_remaining_time_in_millis() - _MARGIN_MS) / 1_000
    events = EventStore(aws.dynamodb(), SETTINGS.events_table)
    orgs = deleted = unfinished = 0
    for org in ControlStore(aws.dynamodb(), SETTINGS.control_table).orgs():
        if org.retention_days is None:
            continue
        orgs += 1
        span = Span.between(0, retention.left_behind_before(now, org.retention_days))
        gone, complete = events.delete_span(org.name, span, deadline=deadline)
        deleted += gone
        unfinished += not complete
    count("EventsDeleted", deleted)
    logger.info("retention", orgs=orgs, deleted=deleted, unfinished=unfinished)
    return {"orgs": orgs, "deleted": deleted, "unfinished": unfinished}
