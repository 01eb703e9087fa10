"""The export job: a message names an export, and this makes its file.

The slice first, under a name of this attempt; then the winner of the slice is
recorded; then the file is assembled; then the export is called ready. A worker
that dies leaves its message to the next one, which starts at the first of these
steps that is not done. After `MOST_TRIES` the export fails, with the reason.
"""

import json
import secrets
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock
from auditlog.catalog import Catalog
from auditlog.errors import AuditlogError
from auditlog.exports import Export
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.control import ControlStore
from auditlog.store.events import EventStore
from auditlog.store.exports import ExportStore
from auditlog.store.objects import ObjectStore
from auditlog.store.queue import Queue
from auditlog.store.reader import Reader
from auditlog.telemetry import count, logger, metered
from export.job import Job, Stopped

#: How often an export is tried. The queue hands its message out more often still.
MOST_TRIES = 3
#: A worker that lives renews its hold on the message; one that died loses it soon.
HOLD_SECONDS = 60

_catalog = Catalog.default()


@metered
def handler(event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an SQS event of one message."""
    for raw in event["Records"]:
        _work(raw)
    return {"batchItemFailures": []}


def _work(raw: dict[str, Any]) -> None:
    message = json.loads(raw["body"])
    store = ExportStore(aws.dynamodb(), SETTINGS.control_table)
    export = store.get(message["org"], message["export_id"])
    org = ControlStore(aws.dynamodb(), SETTINGS.control_table).org(message["org"])
    if export is None or org is None or not export.is_under_way:
        count("ExportsStopped", 1)
        return
    tries = int(raw["attributes"]["ApproximateReceiveCount"])
    if tries > MOST_TRIES:
        store.fail(export, f"The work ended {MOST_TRIES} times before it was done.", clock.now())
        _log(export, "failed", tries)
        return
    queue = Queue(aws.sqs(), SETTINGS.exports_queue_url)
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    job = Job(
        export,
        _catalog,
        org.layout,
        reader=Reader(events, consistent=True),
        exports=store,
        objects=ObjectStore(aws.s3(), SETTINGS.exports_bucket),
        hold=lambda: queue.hold(raw["receiptHandle"], HOLD_SECONDS),
        attempt=secrets.token_hex(8),
    )
    try:
        job.run()
    except Stopped:
        _log(export, "stopped", tries)
    except AuditlogError as error:
        if tries < MOST_TRIES:
            raise
        store.fail(export, f"It could not be made: {type(error).__name__}.", clock.now())
        logger.exception("last try")
        _log(export, "failed", tries)
    else:
        _log(export, "ready", tries)


def _log(export: Export, state: str, tries: int) -> None:
    count(f"Exports{state.capitalize()}", 1)
    logger.info("export", export_id=export.id, org=export.org, state=state, tries=tries)
