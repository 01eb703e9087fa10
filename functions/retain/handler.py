"""On a schedule: deletes what DynamoDB's TTL has left behind.

TTL deletes late, and never what is more than five years past its time. Until
then nobody sees such an event: reads clamp to the retention.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock, retention
from auditlog.errors import UnavailableError
from auditlog.settings import SETTINGS
from auditlog.span import Span
from auditlog.store import aws
from auditlog.store.control import ControlStore
from auditlog.store.events import EventStore
from auditlog.telemetry import count, logger, metered

#: Milliseconds kept back from the function's time, to finish a batch and the log.
_MARGIN_MS = 15_000


@metered
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Lambda's entry: a scheduled event. What one run does not reach is the next one's."""
    now = clock.now()
    deadline = clock.monotonic() + (context.get_remaining_time_in_millis() - _MARGIN_MS) / 1_000
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    orgs = deleted = unfinished = 0
    for org in ControlStore(aws.dynamodb(), SETTINGS.control_table).orgs():
        if org.retention_days is None:
            continue
        orgs += 1
        span = Span.between(0, retention.left_behind_before(now, org.retention_days))
        whole = True
        for partition in org.layout.partitions:
            gone, complete = events.delete_span(partition, span, deadline=deadline)
            deleted += gone
            whole = whole and complete and _digests_removed(events, partition, span)
        unfinished += not whole
    count("EventsDeleted", deleted)
    logger.info("retention", orgs=orgs, deleted=deleted, unfinished=unfinished)
    return {"orgs": orgs, "deleted": deleted, "unfinished": unfinished}


def _digests_removed(events: EventStore, partition: str, span: Span) -> bool:
    """Removes what was digested of a span that is gone; False where the table is busy."""
    try:
        events.digests.remove_before(partition, span.end)
    except UnavailableError:
        return False
    return True
