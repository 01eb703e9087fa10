"""What is deployed, in one sitting.

Two doors take events in (`publish` over HTTP, `record` from the inbox), one
function answers questions, one manages keys and settings, two make downloads,
one removes what may go and one what must, one digests the log for searches,
one serves the page that people see all this in.
Names of resources are left to CloudFormation, so that a stack can be deployed
twice in one account.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_cloudwatch as cloudwatch
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

# Of the functions' metrics; as `auditlog.telemetry` has it, which imports Powertools.
NAMESPACE = "auditlog"

# What exports keep in `control`: themselves, their steps, who asked, and the reads booked.
_EXPORT_KEYS = ("export#*", "slices#*", "asked#*", "reads#*")

# As long as Lambda allows; what is not done by then is taken up again.
LONGEST = cdk.Duration.minutes(15)


@dataclass(frozen=True)
class Functions:
    """The ten functions, by the names of their folders."""

    publish: Function
    record: Function
    query: Function
    manage: Function
    export: Function
    export_worker: Function
    retain: Function
    erase: Function
    seal: Function
    console: Function


class AuditlogStack(cdk.Stack):
    """The audit log of one platform.

    `code` is the asset that every function ships; `publishers` are ARNs of the
    IAM principals that may send to the inbox; `oidc` is the issuer whose tokens
    are good beside keys, as JSON text, where there is one; `avatars` are origins
    whose pictures the console may show.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        code: lambda_.Code,
        publishers: Sequence[str],
        oidc: str | None = None,
        avatars: Sequence[str] = (),
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
        self.functions = self._functions(
            code,
            tokens={} if oidc is None else {"OIDC_ISSUER": oidc},
            pictures={"CONSOLE_AVATARS": " ".join(avatars)} if avatars else {},
        )
        self._allow_doors()
        self._allow_questions()
        self._allow_exports()
        self._allow_management()
        self._allow_removal()
        self._allow_digests()
        self._triggers()
        self._alarms()
        self.api = http_api(self, name=self.stack_name, routes=self._routes())
        self._outputs()

    def _functions(
        self, code: lambda_.Code, *, tokens: dict[str, str], pictures: dict[str, str]
    ) -> Functions:
        # `tokens` is what whoever is asked over HTTP has to know of the issuer.
        control = {"CONTROL_TABLE": self.tables.control.table_name}
        log = {
            "EVENTS_TABLE": self.tables.events.table_name,
            "DIGESTS_TABLE": self.tables.digests.table_name,
        }
        tables = log | control
        salt = {"SALT_SECRET_ARN": self.salt.secret_arn}
        rejects = {"REJECTS_QUEUE_URL": self.queues.rejects.queue_url}
        erasures = {"ERASURES_QUEUE_URL": self.queues.erasures.queue_url}
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
                environment=tables | salt | tokens,
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
                # Where an org wants its searches recorded, they are events too.
                environment=tables | salt | tokens,
            ),
            manage=function(
                "manage",
                "manage.handler",
                description="Manages orgs, settings, keys, sessions, erasures",
                # A few small reads and writes each; recording one may take 10 seconds.
                memory_mb=512,
                timeout=HTTP_TIMEOUT,
                environment=tables | salt | erasures | tokens,
            ),
            export=function(
                "export",
                "export.handler",
                description="Takes requests for downloads",
                # A few small writes; removing an export lists its objects.
                memory_mb=512,
                timeout=HTTP_TIMEOUT,
                environment=tables | salt | exports | tokens,
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
                # It waits for the table; what one run leaves, the next one takes.
                memory_mb=512,
                timeout=LONGEST,
                environment=tables | salt | erasures,
            ),
            erase=function(
                "erase",
                "erase.handler",
                description="Erases personal data, and orgs",
                # It waits for the table, and unpacks what it finds.
                memory_mb=1024,
                timeout=LONGEST,
                environment=tables
                | salt
                | erasures
                | rejects
                | {
                    "INBOX_DLQ_URL": self.queues.inbox_dlq.queue_url,
                    "EXPORTS_BUCKET": self.bucket.bucket_name,
                },
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
            console=function(
                "console",
                "console.handler",
                description="Serves the console's page",
                # It packs each file once, and then hands out what it has.
                memory_mb=512,
                timeout=HTTP_TIMEOUT,
                # Nothing to read, nothing to write: whoever uses the page asks the others.
                environment=tokens | pictures,
            ),
        )

    def _allow_doors(self) -> None:
        control = self.tables.control.table_arn
        to = self.functions
        for writer in self._writers():
            # An insert can neither change nor remove what is recorded.
            writer.allow(["dynamodb:PartiQLInsert"], [self.tables.events.table_arn])
            writer.allow(["secretsmanager:GetSecretValue"], [self.salt.secret_arn])
        for door in (to.publish, to.record):
            # The org, the key, and whom events were erased of lately.
            door.allow(["dynamodb:GetItem", "dynamodb:Query"], [control])
        # Whether an event is there, to say of one that is sent again that it is; no more of it.
        to.publish.allow(
            ["dynamodb:GetItem"],
            [self.tables.events.table_arn],
            only_if={
                "ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk"]},
                "StringEquals": {"dynamodb:Select": "SPECIFIC_ATTRIBUTES"},
            },
        )
        self._allow_notes(to.publish, "used#*", "count#*")
        self._allow_notes(to.record, "count#*")
        self._allow_notes(to.query, "used#*")
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

    def _allow_management(self) -> None:
        control = self.tables.control.table_arn
        manage = self.functions.manage
        # A transaction needs the actions that it is made of.
        manage.allow(["dynamodb:GetItem", "dynamodb:Query"], [control])
        manage.allow(["dynamodb:PutItem", "dynamodb:DeleteItem", "dynamodb:UpdateItem"], [control])
        manage.allow(["sqs:SendMessage"], [self.queues.erasures.queue_arn])

    def _allow_notes(
        self, function: Function, *keys: str, actions: Sequence[str] = ("dynamodb:UpdateItem",)
    ) -> None:
        """Lets it write under these keys of `control`, and no others."""
        function.allow(
            actions,
            [self.tables.control.table_arn],
            only_if={"ForAllValues:StringLike": {"dynamodb:LeadingKeys": list(keys)}},
        )

    def _writers(self) -> Sequence[Function]:
        """Who inserts events: the doors, and whoever records what is done with the log."""
        to = self.functions
        return (to.publish, to.record, to.query, to.manage, to.export, to.retain, to.erase)

    def _allow_exports(self) -> None:
        control, queue = self.tables.control.table_arn, self.queues.exports.queue_arn
        bucket, objects = self.bucket.bucket_arn, self.bucket.arn_for_objects("*")
        to = self.functions
        for exporter in (to.export, to.export_worker):
            exporter.allow(["dynamodb:GetItem", "dynamodb:Query"], [control])
            # A transaction needs the actions that it is made of. Orgs and keys are not theirs.
            used = ["used#*"] if exporter is to.export else []
            self._allow_notes(exporter, *used, *_EXPORT_KEYS)
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
        self._allow_notes(to.export, *_EXPORT_KEYS, actions=["dynamodb:PutItem"])
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

    def _allow_removal(self) -> None:
        log, control = self.tables.events.table_arn, self.tables.control.table_arn
        to = self.functions
        for remover in (to.retain, to.erase):
            # Whoever may BatchWriteItem may also overwrite; this can only delete.
            remover.allow(["dynamodb:Query", "dynamodb:PartiQLDelete"], [log])
            remover.allow(["dynamodb:GetItem", "dynamodb:Query", "dynamodb:PutItem"], [control])
            remover.allow(["dynamodb:UpdateItem"], [control])
            remover.allow(["sqs:SendMessage"], [self.queues.erasures.queue_arn])
        # It gives events another expiry, and can change nothing else of them.
        to.retain.allow(
            ["dynamodb:PartiQLUpdate"],
            [log],
            only_if={"ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "ttl"]}},
        )
        # The one function that can change what is recorded: into what is left of it.
        to.erase.allow(
            ["dynamodb:UpdateItem"],
            [log],
            only_if={"ForAllValues:StringEquals": {"dynamodb:Attributes": ["pk", "sk", "r", "s"]}},
        )
        to.erase.allow(["dynamodb:DeleteItem"], [control])
        to.erase.allow(
            [
                "sqs:ReceiveMessage",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ChangeMessageVisibility",
            ],
            [self.queues.erasures.queue_arn],
        )
        # What waits there may hold what is to be erased.
        for queue in (self.queues.rejects, self.queues.inbox_dlq):
            to.erase.allow(
                [
                    "sqs:ReceiveMessage",
                    "sqs:DeleteMessage",
                    "sqs:ChangeMessageVisibility",
                    "sqs:SendMessage",
                ],
                [queue.queue_arn],
            )
        to.erase.allow(["s3:ListBucket"], [self.bucket.bucket_arn])
        to.erase.allow(["s3:DeleteObject"], [self.bucket.arn_for_objects("*")])
        excuse(
            to.erase.own_role,
            "AwsSolutions-IAM5",
            "The downloads of an org are under a prefix that is its name; the bucket holds "
            "nothing but exports.",
            findings=[r"^Resource::<exports\w+\.Arn>\/\*$"],
        )

    def _allow_digests(self) -> None:
        digests = self.tables.digests.table_arn
        to = self.functions
        for writer in self._writers():
            # A writer sets marks; it can neither clear one nor touch a digest.
            writer.allow(["dynamodb:PartiQLInsert"], [digests])
        for reader in (to.query, to.export_worker, to.erase, to.seal):
            reader.allow(["dynamodb:Query", "dynamodb:GetItem"], [digests])
        for reader in (to.query, to.export_worker, to.erase):
            reader.allow(["dynamodb:BatchGetItem"], [digests])
        to.seal.allow(["dynamodb:UpdateItem", "dynamodb:BatchWriteItem"], [digests])
        to.seal.allow(["dynamodb:Query"], [self.tables.events.table_arn])
        # The digests of a stretch of the log go when the stretch does.
        to.retain.allow(["dynamodb:Query"], [digests])
        for remover in (to.retain, to.erase):
            remover.allow(["dynamodb:BatchWriteItem"], [digests])

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
        self.functions.erase.add_event_source_mapping(
            "erasures",
            event_source_arn=self.queues.erasures.queue_arn,
            batch_size=1,
            # What must go is never urgent enough to slow down what is being written.
            max_concurrency=4,
            report_batch_item_failures=True,
        )
        # A step that ran out of time sends itself again; each of them has removed something.
        self.functions.erase.allow_chains()
        self._schedule(
            "every-fifteen-minutes",
            # A hold is effective once a run has seen it.
            cdk.Duration.minutes(15),
            self.functions.retain,
            description="Removes what is past its retention, and keeps what is to stay longer",
        )
        self._schedule(
            "every-five-minutes",
            # What waits for it is read as it is: an hour of a busy org costs as
            # much to digest at once as in parts, and an idle one costs nothing.
            cdk.Duration.minutes(5),
            self.functions.seal,
            description="Digests what has passed the watermark since",
        )

    def _alarms(self) -> None:
        """What an operator has to look at. What is told when one goes off is the deployment's."""
        overdue = cloudwatch.Metric(
            namespace=NAMESPACE,
            metric_name="OrgsOverdue",
            dimensions_map={"service": "retain"},
            statistic="Maximum",
            period=cdk.Duration.hours(1),
        )
        cloudwatch.Alarm(
            self,
            "overdue",
            alarm_description="An org has events that were to be removed more than 3 days ago; "
            "the log of the function `retain` says which.",
            metric=overdue,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            # No run is as bad as one that fails: nothing is removed.
            treat_missing_data=cloudwatch.TreatMissingData.BREACHING,
        )
        erasures = self.queues.erasures_dlq.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=cdk.Duration.minutes(5)
        )
        cloudwatch.Alarm(
            self,
            "erasures-stuck",
            alarm_description="An erasure, or the deletion of an org, has failed again and again; "
            "its message is in the dead letter queue.",
            metric=erasures,
            threshold=0,
            comparison_operator=cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD,
            evaluation_periods=1,
            treat_missing_data=cloudwatch.TreatMissingData.NOT_BREACHING,
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
            "console": self.functions.console,
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
            "ErasuresQueueUrl": self.queues.erasures.queue_url,
            "ExportsQueueUrl": self.queues.exports.queue_url,
            "EventsTable": self.tables.events.table_name,
            "ControlTable": self.tables.control.table_name,
            "DigestsTable": self.tables.digests.table_name,
            "ExportsBucket": self.bucket.bucket_name,
            "SaltSecretArn": self.salt.secret_arn,
        }
        for name, value in values.items():
            cdk.CfnOutput(self, name, value=value)
