"""What is deployed, in one sitting.

Two doors take events in (`publish` over HTTP, `record` from the inbox), one
function answers questions, one manages keys, two make downloads, one removes
what may go, one digests the log for searches. Names of resources are left to
CloudFormation, so that a stack can be deployed twice in one account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from auditlog.routes import ROUTES
from infra.api import http_api
from infra.function import Function
from infra.nag import excuse
from infra.protocols import as_protocol
from infra.storage import Queues, Tables, exports_bucket, salt_secret

# An HTTP API waits for 30 seconds. A function gives up just before, so that
# the caller gets our answer and not the gateway's.
HTTP_TIMEOUT = cdk.Duration.seconds(28)

# No writer works longer than this: what is summarised behind the clock relies
# on it.
RECORD_TIMEOUT = cdk.Duration.seconds(60)

# What clears marks relies on no run living longer than this: it is the
# `MAX_RUN` of auditlog/digest.py, where the reason is.
SEAL_TIMEOUT = cdk.Duration.minutes(5)

# As long as Lambda allows; what is not done by then is taken up again.
LONGEST = cdk.Duration.minutes(15)


@dataclass(frozen=True)
class Functions:
    """The eight functions, by the names of their folders."""

    publish: Function
    record: Function
    query: Function
    manage: Function
    export: Function
    export_worker: Function
    retain: Function
    seal: Function


class AuditlogStack(cdk.Stack):
    """The audit log of one platform.

    `code` is the asset that every function ships; `publishers` are ARNs of the
    IAM principals that may send to the inbox.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        code: lambda_.Code,
        publishers: Sequence[str],
        **options: Any,
    ) -> None:
        """Declare everything that is deployed."""
        super().__init__(scope, name, **options)
        self.tables = Tables(self)
        self.salt = salt_secret(self)
        self.bucket = exports_bucket(self)
        self.queues = Queues(
            self, publishers=publishers, record_timeout=RECORD_TIMEOUT, export_timeout=LONGEST
        )
        self.functions = self._functions(code)
        self._allow_doors()
        self._allow_questions()
        self._allow_exports()
        self._allow_retention()
        self._allow_digests()
        self._triggers()
        self.api = http_api(self, name=self.stack_name, routes=self._routes())
        self._outputs()

    def _functions(self, code: lambda_.Code) -> Functions:
        control = {"CONTROL_TABLE": self.tables.control.table_name}
        log = {
            "EVENTS_TABLE": self.tables.events.table_name,
            "DIGESTS_TABLE": self.tables.digests.table_name,
        }
        tables = log | control
        salt = {"SALT_SECRET_ARN": self.salt.secret_arn}
        rejects = {"REJECTS_QUEUE_URL": self.queues.rejects.queue_url}
        exports = {
            "EXPORTS_QUEUE_URL": self.queues.exports.queue_url,
            "EXPORTS_BUCKET": self.bucket.bucket_name,
        }

        def function(name: str, handler: str, **options: Any) -> Function:
            return Function(self, name, code=code, handler=f"{handler}.handler", **options)

        # Memory is a share of processors: 1,769 MB are one.
        return Functions(
            publish=function(
                "publish",
                "publish.handler",
                description="Takes events over HTTP",
                # 1,000 events keep a whole processor busy for some 60 ms.
                memory_mb=1024,
                timeout=HTTP_TIMEOUT,
                environment=tables | salt,
            ),
            record=function(
                "record",
                "record.handler",
                description="Takes events from the inbox",
                # The same work as in `publish`.
                memory_mb=1024,
                timeout=RECORD_TIMEOUT,
                environment=tables | salt | rejects,
            ),
            query=function(
                "query",
                "query.handler",
                description="Answers searches",
                # A page of 1,000 events is inflated, filtered and written out.
                memory_mb=1024,
                timeout=HTTP_TIMEOUT,
                environment=tables,
            ),
            manage=function(
                "manage",
                "manage.handler",
                description="Manages API keys",
                # A small read or write each; half a minute would hide a fault.
                memory_mb=512,
                timeout=cdk.Duration.seconds(10),
                environment=control,
            ),
            export=function(
                "export",
                "export.handler",
                description="Takes requests for downloads",
                # A few small writes; removing an export lists its objects.
                memory_mb=512,
                timeout=HTTP_TIMEOUT,
                environment=tables | salt | exports,
            ),
            export_worker=function(
                "export-worker",
                "export.worker",
                description="Writes downloads",
                # One processor, which a slice keeps busy; everything streams, in
                # far less memory than comes with it.
                memory_mb=1769,
                timeout=LONGEST,
                environment=tables | exports,
            ),
            retain=function(
                "retain",
                "retain.handler",
                description="Removes what is past its retention",
                # It waits for the table; what an hour leaves, the next one takes.
                memory_mb=512,
                timeout=LONGEST,
                environment=tables,
            ),
            seal=function(
                "seal",
                "seal.handler",
                description="Digests the log for searches",
                # Reads, inflates and summarises: one processor.
                memory_mb=1769,
                timeout=SEAL_TIMEOUT,
                environment=log,
            ),
        )

    def _allow_doors(self) -> None:
        control = self.tables.control.table_arn
        to = self.functions
        for writer in (to.publish, to.record, to.export):
            # An insert can neither change nor remove what is recorded.
            writer.allow(["dynamodb:PartiQLInsert"], [self.tables.events.table_arn])
            writer.allow(["secretsmanager:GetSecretValue"], [self.salt.secret_arn])
        to.publish.allow(["dynamodb:GetItem"], [control])
        to.record.allow(["dynamodb:GetItem"], [control])
        to.record.allow(["sqs:SendMessage"], [self.queues.rejects.queue_arn])
        to.record.allow(
            ["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"],
            [self.queues.inbox.queue_arn],
        )

    def _allow_questions(self) -> None:
        control = self.tables.control.table_arn
        to = self.functions
        to.query.allow(["dynamodb:Query", "dynamodb:GetItem"], [self.tables.events.table_arn])
        to.query.allow(["dynamodb:GetItem"], [control])
        to.manage.allow(["dynamodb:GetItem", "dynamodb:Query"], [control])
        to.manage.allow(["dynamodb:PutItem", "dynamodb:DeleteItem"], [control])

    def _allow_exports(self) -> None:
        control, queue = self.tables.control.table_arn, self.queues.exports.queue_arn
        bucket, objects = self.bucket.bucket_arn, self.bucket.arn_for_objects("*")
        to = self.functions
        for exporter in (to.export, to.export_worker):
            # A transaction needs the actions that it is made of.
            exporter.allow(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:UpdateItem"], [control])
            exporter.allow(["sqs:SendMessage"], [queue])
            # A presigned link can do what its signer can: GetObject.
            exporter.allow(["s3:GetObject", "s3:DeleteObject"], [objects])
            exporter.allow(["s3:ListBucket"], [bucket])
            excuse(
                exporter.own_role,
                "AwsSolutions-IAM5",
                "The objects of an export are under a prefix that is made with it; the "
                "bucket holds nothing but exports.",
                findings=[r"^Resource::<exports\w+\.Arn>\/\*$"],
            )
        to.export.allow(["dynamodb:PutItem"], [control])
        to.export_worker.allow(["dynamodb:Query"], [self.tables.events.table_arn])
        to.export_worker.allow(["s3:PutObject", "s3:AbortMultipartUpload"], [objects])
        to.export_worker.allow(
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ChangeMessageVisibility",
            ],
            [queue],
        )

    def _allow_retention(self) -> None:
        retain = self.functions.retain
        # Whoever may BatchWriteItem may also overwrite; this can only delete.
        retain.allow(["dynamodb:Query", "dynamodb:PartiQLDelete"], [self.tables.events.table_arn])
        retain.allow(["dynamodb:Query"], [self.tables.control.table_arn])

    def _allow_digests(self) -> None:
        digests = self.tables.digests.table_arn
        to = self.functions
        for writer in (to.publish, to.record, to.export):
            # A writer sets marks; it can neither clear one nor touch a digest.
            writer.allow(["dynamodb:PartiQLInsert"], [digests])
        for reader in (to.query, to.export_worker, to.seal):
            reader.allow(["dynamodb:Query", "dynamodb:GetItem"], [digests])
        for reader in (to.query, to.export_worker):
            reader.allow(["dynamodb:BatchGetItem"], [digests])
        to.seal.allow(["dynamodb:UpdateItem", "dynamodb:BatchWriteItem"], [digests])
        to.seal.allow(["dynamodb:Query"], [self.tables.events.table_arn])
        # The digests of a stretch of the log go when the stretch does.
        to.retain.allow(["dynamodb:Query", "dynamodb:BatchWriteItem"], [digests])

    def _triggers(self) -> None:
        self.functions.record.add_event_source_mapping(
            "inbox",
            event_source_arn=self.queues.inbox.queue_arn,
            # Writes are cheapest by the batch, and a publisher that takes the
            # queue does not wait for the second that collecting one may take.
            batch_size=100,
            max_batching_window=cdk.Duration.seconds(1),
            # Fills several partitions of the table, and is a fraction of the
            # 1,000 functions that an account may run at once.
            max_concurrency=50,
            report_batch_item_failures=True,
        )
        self.functions.export_worker.add_event_source_mapping(
            "exports",
            event_source_arn=self.queues.exports.queue_arn,
            batch_size=1,
            # Two large exports at full speed: one keeps at most 16 workers busy.
            # Searches are not what this protects: all exports of an org together
            # read no more than half of a partition's units (store/pace.py).
            max_concurrency=32,
            report_batch_item_failures=True,
        )
        # A step sends the message of the one that follows. Slices are counted when the
        # range is cut, and only a slice that was written asks for another.
        self.functions.export_worker.allow_chains()
        self._schedule(
            "hourly",
            cdk.Duration.hours(1),
            self.functions.retain,
            description="Removes what is past its retention",
        )
        self._schedule(
            "every-five-minutes",
            # What waits for it is read as it is: an hour of a busy org costs as
            # much to digest at once as in parts, and an idle one costs nothing.
            cdk.Duration.minutes(5),
            self.functions.seal,
            description="Digests what has passed the watermark since",
        )

    def _schedule(
        self, name: str, rate: cdk.Duration, function: Function, *, description: str
    ) -> None:
        events.Rule(
            self,
            name,
            description=description,
            schedule=events.Schedule.rate(rate),
            targets=[
                as_protocol(
                    targets.LambdaFunction(
                        as_protocol(function),
                        # The next run does what this one did not.
                        retry_attempts=0,
                        max_event_age=rate,
                    )
                )
            ],
        )

    def _routes(self) -> dict[Function, list[str]]:
        functions = {
            "publish": self.functions.publish,
            "query": self.functions.query,
            "manage": self.functions.manage,
            "export": self.functions.export,
        }
        keys: dict[Function, list[str]] = {function: [] for function in functions.values()}
        for route in ROUTES:
            keys[functions[route.function]].append(f"{route.method} {route.path}")
        # Whatever else there is: answered as a problem, where the gateway would
        # answer in its own form.
        keys[self.functions.query].append("$default")
        return keys

    def _outputs(self) -> None:
        values = {
            "ApiUrl": self.api.api_endpoint,
            "QueueUrl": self.queues.inbox.queue_url,
            "RejectsQueueUrl": self.queues.rejects.queue_url,
            "InboxDlqUrl": self.queues.inbox_dlq.queue_url,
            "ExportsQueueUrl": self.queues.exports.queue_url,
            "EventsTable": self.tables.events.table_name,
            "ControlTable": self.tables.control.table_name,
            "DigestsTable": self.tables.digests.table_name,
            "ExportsBucket": self.bucket.bucket_name,
            "SaltSecretArn": self.salt.secret_arn,
        }
        for name, value in values.items():
            cdk.CfnOutput(self, name, value=value)
