"""Erasures and deletions of orgs: one message of the queue is one step of one of them.

A step works until its function's time is nearly over; then it sends its own message
again, as it does where it has to wait. A function that dies leaves its message to
another one, which goes on from where the stores say it is.
"""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock
from auditlog.catalog import Catalog
from auditlog.erasures import State
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.backlog import Backlog
from auditlog.store.control import ControlStore
from auditlog.store.erasures import ErasureStore
from auditlog.store.events import EventStore
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from auditlog.store.pace import Pace
from auditlog.store.queue import Queue
from auditlog.store.reader import Reader
from auditlog.store.remains import RemainsStore
from auditlog.store.tombstones import TombstoneStore
from auditlog.store.traces import TraceStore
from auditlog.telemetry import count, logger, metered
from erase.deletion import Deleting
from erase.erasing import Erasing
from erase.step import STOPPED, Ended
from erase.task import Task

#: Of its 15 minutes a step leaves so many seconds: enough for a batch that the table is
#: slow to take, and for what comes after it.
_MARGIN = 90.0
_COUNTED = {"completed": "ErasuresCompleted", "failed": "ErasuresFailed", "deleted": "OrgsDeleted"}

_catalog = Catalog.default()


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an SQS event of one message."""
    seconds = context.get_remaining_time_in_millis() / 1_000
    for raw in event["Records"]:
        _work(Task.of(raw["body"]), clock.monotonic() + max(0.0, seconds - _MARGIN))
    return {"batchItemFailures": []}


def _work(task: Task, deadline: float) -> None:
    ended = (_delete if task.erasure_id is None else _erase)(task, deadline)
    if ended.after is not None:
        # A crash before this leaves the message that came, which comes again.
        queue = Queue(aws.sqs(), SETTINGS.erasures_queue_url)
        queue.send(task.message(), group=task.org, delay=ended.after)
    if ended.state in _COUNTED:
        count(_COUNTED[ended.state], 1)
    logger.info("step", org=task.org, erasure_id=task.erasure_id, state=ended.state)


def _erase(task: Task, deadline: float) -> Ended:
    control = ControlStore(aws.dynamodb(), SETTINGS.control_table)
    erasures = ErasureStore(aws.dynamodb(), SETTINGS.control_table)
    erasure = erasures.get(task.org, task.erasure_id or "")
    org = control.org(task.org)
    if erasure is None or erasure.state is not State.RUNNING or org is None:
        return STOPPED
    if erasure.subject is None:
        return STOPPED
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    return Erasing(
        erasure,
        erasure.subject,
        org,
        _catalog,
        aws.secret(SETTINGS.salt_secret_arn),
        control,
        erasures,
        Reader(events, consistent=True),
        _tombstones(),
        TraceStore(aws.dynamodb(), SETTINGS.control_table),
        _backlogs(),
        Pace(aws.dynamodb(), SETTINGS.control_table, org.name),
        deadline,
        now=clock.now,
        monotonic=clock.monotonic,
    ).step()


def _delete(task: Task, deadline: float) -> Ended:
    control = ControlStore(aws.dynamodb(), SETTINGS.control_table)
    org = control.any_org(task.org)
    if org is None or org.deletion is None:
        return STOPPED
    return Deleting(
        org,
        org.deletion,
        control,
        ExportStore(aws.dynamodb(), SETTINGS.control_table),
        ErasureStore(aws.dynamodb(), SETTINGS.control_table),
        RemainsStore(
            aws.dynamodb(),
            SETTINGS.events_table,
            SETTINGS.digests_table,
            SETTINGS.control_table,
        ),
        _tombstones(),
        ObjectStore(aws.s3(), SETTINGS.exports_bucket),
        _backlogs(),
        deadline,
        now=clock.now,
        monotonic=clock.monotonic,
    ).step()


def _tombstones() -> TombstoneStore:
    tables = (SETTINGS.events_table, SETTINGS.digests_table)
    return TombstoneStore(aws.dynamodb(), *tables, now=clock.now)


def _backlogs() -> list[Backlog]:
    urls = (SETTINGS.rejects_queue_url, SETTINGS.inbox_dlq_url)
    return [Backlog(aws.sqs(), url) for url in urls]
