"""Messages of the inbox: the good events into the table, the bad ones to the rejects.

A message is done once its good events are stored and its bad ones are with the
rejects. Any other message is reported as failed, and comes again: inserts that
are repeated change nothing.
"""

from contextlib import suppress
from functools import cache
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock
from auditlog.catalog import Catalog
from auditlog.erasures import Erased
from auditlog.errors import StoreError, UnavailableError
from auditlog.orgs import Org
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.control import ControlStore
from auditlog.store.erasures import ErasureStore
from auditlog.store.events import EventStore, Outcome
from auditlog.store.queue import Queue
from auditlog.store.usage import UsageStore
from auditlog.telemetry import count, logger, metered
from record.message import Message, sort

#: Seconds of inserts for one batch; no writer works for longer than a minute in all.
PATIENCE = 30.0

_catalog = Catalog.default()


@metered
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an SQS event; answers with the messages that must come again."""
    deadline = clock.monotonic() + PATIENCE
    find_org = cache(ControlStore(aws.dynamodb(), SETTINGS.control_table).any_org)
    secret = aws.secret(SETTINGS.salt_secret_arn)
    erasures = ErasureStore(aws.dynamodb(), SETTINGS.control_table)

    @cache
    def find_erased(org: Org) -> Erased:
        return erasures.erased(org, secret)

    messages: list[Message] = []
    failed: list[str] = []
    for raw in event["Records"]:
        try:
            messages.append(sort(raw, _catalog, find_org, find_erased, secret))
        except UnavailableError:
            failed.append(raw["messageId"])
    # A crash from here on leaves events stored whose messages come again, and
    # at worst a reject twice.
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    outcomes = events.insert(
        [new for message in messages for new in message.events], deadline=deadline
    )
    results = iter(outcomes)
    for message in messages:
        own = [next(results) for _ in message.events]
        _count_for_the_day(find_org(message.group) if own else None, own.count(Outcome.RECORDED))
        if Outcome.UNAVAILABLE in own or not _rejected(message):
            failed.append(message.id)
    recorded, duplicates = outcomes.count(Outcome.RECORDED), outcomes.count(Outcome.DUPLICATE)
    refused = sum(m.refused for m in messages)
    count("EventsRecorded", recorded)
    count("EventsDuplicate", duplicates)
    count("EventsRejected", refused)
    logger.info(
        "batch",
        messages=len(event["Records"]),
        recorded=recorded,
        duplicates=duplicates,
        rejected=refused,
        failed=len(failed),
    )
    return {"batchItemFailures": [{"itemIdentifier": name} for name in failed]}


def _count_for_the_day(org: Org | None, recorded: int) -> None:
    """What the inbox has taken is always recorded, and counts where the other door has a limit."""
    if org is not None:
        # A count that is lost lets the other door take a little more.
        with suppress(UnavailableError):
            UsageStore(aws.dynamodb(), SETTINGS.control_table).count(org, recorded, clock.now())


def _rejected(message: Message) -> bool:
    """Hands what is bad of a message to the rejects; False where they do not take it now."""
    if message.reject is None:
        return True
    rejects = Queue(aws.sqs(), SETTINGS.rejects_queue_url)
    try:
        rejects.send(message.reject, group=message.group, attributes=message.reasons)
    except (StoreError, UnavailableError) as error:
        logger.warning("rejects", message_id=message.id, reason=str(error))
        return False
    return True
