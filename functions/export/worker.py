"""The steps of an export, each a message of the `exports` queue.

    plan     cuts the range into slices, and sends a message for each of the first
    slice    writes one slice as an object, and sends a message for one that follows
    finish   puts the file together, once the last slice is written

A step belongs to the message that took it first. A worker that dies leaves its
message to the next one, which starts at the first thing in the step that is not
done. After `MOST_TRIES` the export fails, with the reason.
"""

import secrets
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock
from auditlog.catalog import Catalog
from auditlog.errors import AuditlogError, UnavailableError
from auditlog.event import first_id
from auditlog.exports import Export, State
from auditlog.layout import MAX_SHARDS
from auditlog.orgs import Org
from auditlog.settings import SETTINGS
from auditlog.span import Span
from auditlog.store import aws, rows
from auditlog.store.control import ControlStore
from auditlog.store.events import EventStore
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from auditlog.store.pace import Pace
from auditlog.store.queue import Queue
from auditlog.store.reader import Reader
from auditlog.store.rows import RowStore
from auditlog.store.slices import SliceStore
from auditlog.telemetry import count, logger, metered
from export import cuts
from export.assembly import finish
from export.job import Job, Stopped
from export.patience import patiently
from export.slice import write_slice
from export.task import Task

#: How often a step is tried. The queue hands its message out more often still.
MOST_TRIES = 3
#: A worker that lives renews its hold on the message; one that died loses it soon.
HOLD_SECONDS = 60
#: Of its 15 minutes a slice leaves so many seconds: enough to upload what it has.
_MARGIN = 120.0
_COUNTED = {
    "ready": "ExportsReady",
    "failed": "ExportsFailed",
    "stopped": "ExportsStopped",
    "written": "ExportSlicesWritten",
}
_BUSY = "A store was busy for too long; ask for the export again."
_REFUSED = "It could not be made, and trying again will not help; the reason is in our log."
_ENDED = frozenset({State.CANCELLED, State.EXPIRED, State.FAILED})

_catalog = Catalog.default()


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an SQS event of one message."""
    seconds = context.get_remaining_time_in_millis() / 1_000
    for raw in event["Records"]:
        _work(raw, clock.monotonic() + max(0.0, seconds - _MARGIN))
    return {"batchItemFailures": []}


def _work(raw: dict[str, Any], deadline: float) -> None:
    task = Task.of(raw["body"])
    store = ExportStore(aws.dynamodb(), SETTINGS.control_table)
    export = store.get(task.org, task.export_id)
    org = ControlStore(aws.dynamodb(), SETTINGS.control_table).org(task.org)
    if export is None or org is None:
        count("ExportsStopped", 1)
        return
    job = _job(raw, export, org, deadline)
    tries = int(raw["attributes"]["ApproximateReceiveCount"])
    try:
        if not export.is_under_way:
            raise Stopped
        # Whoever dies from here on is replaced soon.
        job.hold()
        if tries > MOST_TRIES:
            _fail(job, f"The work ended {MOST_TRIES} times before it was done.")
            state = "failed"
        elif not job.slices.take(export, task.step, raw["messageId"]):
            # Another message asks for the same, and is not given up before it is done.
            state = "taken"
        else:
            state = _step(job, task)
    except Stopped:
        _clean(job)
        state = "stopped"
    except AuditlogError as error:
        if tries < MOST_TRIES:
            raise
        logger.exception("last try")
        _fail(job, _BUSY if isinstance(error, UnavailableError) else _REFUSED)
        state = "failed"
    if state in _COUNTED:
        count(_COUNTED[state], 1)
    logger.info(
        "export", export_id=export.id, org=export.org, step=task.step, state=state, tries=tries
    )


def _step(job: Job, task: Task) -> str:
    if task.finish:
        finish(job)
        return "ready"
    if task.slice is None:
        _plan(job)
        return "planned"
    _slice(job, task.slice)
    return "written"


def _plan(job: Job) -> None:
    """Cuts the range, unless that was done before, and begins with the first slices."""
    known = job.slices.cuts(job.export)
    if known is None:
        reader = Reader(job.reader.events)
        found = patiently(lambda: reader.run(cuts.cut(job.layout, job.export.span)))
        job.slices.cut(job.export, found, job.now())
        known = job.slices.cuts(job.export)
        if known is None:
            raise Stopped
    first = known.spans(job.export.span)[: known.at_once]
    _send(job, *(Task(job.export.org, job.export.id, each) for each in first))


def _slice(job: Job, asked: Span) -> None:
    """Writes a slice, and asks for what follows: its own rest, a later one, or the end."""
    org, export_id = job.export.org, job.export.id
    known = job.slices.cuts(job.export)
    if known is None:
        raise Stopped
    written = write_slice(job, asked, known.most_events)
    if written.span.end < asked.end:
        _send(job, Task(org, export_id, Span(written.span.end, asked.end)))
    spans = known.spans(job.export.span)
    following = [n + known.at_once for n, each in enumerate(spans) if each.first == asked.first]
    _send(job, *(Task(org, export_id, spans[n]) for n in following if n < len(spans)))
    current = job.exports.get(org, export_id)
    if current is not None and current.slices_done == current.slices:
        _send(job, Task(org, export_id, finish=True))


def _send(job: Job, *tasks: Task) -> None:
    queue = Queue(aws.sqs(), SETTINGS.exports_queue_url)
    for task in tasks:
        patiently(partial(queue.send, task.message(), group=job.export.org))


def _fail(job: Job, reason: str) -> None:
    job.exports.fail(job.export, reason, job.now())
    _clean(job)


def _clean(job: Job) -> None:
    """Removes what was written of an export that will never be ready, or is ready without it."""
    current = job.exports.get(job.export.org, job.export.id)
    if current is not None and current.state in _ENDED:
        job.objects.delete_folder(job.export.folder)
    elif current is not None and current.state is State.READY:
        job.objects.delete_folder(job.folder)


def _job(raw: dict[str, Any], export: Export, org: Org, deadline: float) -> Job:
    control, queue = SETTINGS.control_table, Queue(aws.sqs(), SETTINGS.exports_queue_url)
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    layout = org.layout
    return Job(
        export,
        _catalog,
        layout,
        rows=RowStore(rows.client(), SETTINGS.events_table),
        reader=Reader(events, consistent=True),
        threads=_threads(),
        exports=ExportStore(aws.dynamodb(), control),
        slices=SliceStore(aws.dynamodb(), control),
        objects=ObjectStore(aws.s3(), SETTINGS.exports_bucket),
        pace=Pace(aws.dynamodb(), control, org.name),
        hold=lambda: queue.hold(raw["receiptHandle"], HOLD_SECONDS),
        attempt=secrets.token_hex(8),
        deadline=deadline,
        now=clock.now,
        floor=first_id(_shown_from(export, org)),
    )


def _shown_from(export: Export, org: Org) -> int:
    """The earliest time that the policy lets the export hold: its bounds, if none has changed."""
    policy = org.policy
    return max(policy.shown_from(export.created_at), policy.purged_at(clock.now()))


@cache
def _threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(MAX_SHARDS, thread_name_prefix="rows")
