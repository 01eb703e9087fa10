"""Where everything is kept, and what outlives the stack: all but what the log can make again."""

from collections.abc import Sequence
from typing import Any

import aws_cdk as cdk
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_iam as iam
from aws_cdk import aws_s3 as s3
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.nag import excuse
from infra.protocols import as_protocol

# A message is tried this often before it goes to its dead letter queue. The
# doors' own retries come first, so this many failures are no passing fault.
INBOX_TRIES = 5
# One more than `export.worker.MOST_TRIES` and some: the worker itself says that
# an export has failed, when its message comes once too often.
EXPORT_TRIES = 5
# A step that fails so often needs somebody to look at it.
ERASURE_TRIES = 5


class Tables:
    """`events`, one item for each event; `digests`, made from them; `control`, everything else."""

    def __init__(self, scope: Construct) -> None:
        """Declare all three."""
        self.events = _kept_table(scope, "events", time_to_live_attribute="ttl")
        # In `control` only what is of no use after a while carries a `ttl`: the steps of
        # an export (`slices#…`) and which request led to it (`asked#…`), sessions that
        # have ended, counts of a day, the hour in which a key was used last, and whom
        # events were erased of, once none can arrive any more. Nothing else ever may:
        # orgs, keys and exports are there for good, and an expiry is no condition that
        # a write could check.
        self.control = _kept_table(scope, "control", time_to_live_attribute="ttl")
        self.digests = _digests_table(scope)


class Queues:
    """`inbox`, `exports` and `erasures` with a dead letter queue each, and `rejects`.

    `publishers` are ARNs of the IAM principals that may send to the inbox; the
    two timeouts are those of the functions that consume.
    """

    def __init__(
        self,
        scope: Construct,
        *,
        publishers: Sequence[str],
        record_timeout: cdk.Duration,
        export_timeout: cdk.Duration,
    ) -> None:
        """Declare all seven."""
        self.inbox_dlq = _queue(scope, "inbox-dlq", days=14)
        self.inbox = _queue(
            scope,
            "inbox",
            days=4,
            # Six times the function's timeout: a message of a batch that waits
            # for a free function is not handed out twice.
            visibility_timeout=cdk.Duration.seconds(6 * int(record_timeout.to_seconds())),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.inbox_dlq, max_receive_count=INBOX_TRIES
            ),
        )
        if publishers:
            self.inbox.add_to_resource_policy(
                iam.PolicyStatement(
                    sid="Publishers",
                    principals=[as_protocol(iam.ArnPrincipal(arn)) for arn in publishers],
                    actions=["sqs:SendMessage", "sqs:GetQueueUrl"],
                    resources=[self.inbox.queue_arn],
                )
            )
        self.exports_dlq = _queue(scope, "exports-dlq", days=14)
        self.exports = _queue(
            scope,
            "exports-queue",
            days=4,
            # A worker takes one message at a time and none waits behind another;
            # more than its timeout would only delay what a crash left behind.
            visibility_timeout=export_timeout.plus(cdk.Duration.minutes(1)),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.exports_dlq, max_receive_count=EXPORT_TRIES
            ),
        )
        self.erasures_dlq = _queue(scope, "erasures-dlq", days=14)
        self.erasures = _queue(
            scope,
            "erasures",
            days=4,
            # As with exports: a step is a message, and takes as long as it takes.
            visibility_timeout=export_timeout.plus(cdk.Duration.minutes(1)),
            dead_letter_queue=sqs.DeadLetterQueue(
                queue=self.erasures_dlq, max_receive_count=ERASURE_TRIES
            ),
        )
        self.rejects = _queue(scope, "rejects", days=14)
        excuse(
            self.rejects,
            "AwsSolutions-SQS3",
            "Nothing consumes it but a person, who corrects a message and returns it; "
            "there is no delivery that could fail.",
        )


def salt_secret(scope: Construct) -> secretsmanager.Secret:
    """The secret that salts records: 64 letters and digits, 381 bits, made once."""
    secret = secretsmanager.Secret(
        scope,
        "salt",
        description="Salts the records of the audit log. Never rotate or delete it: "
        "a record that is published again gets its id from it.",
        generate_secret_string=secretsmanager.SecretStringGenerator(
            password_length=64, exclude_punctuation=True
        ),
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    excuse(
        secret,
        "AwsSolutions-SMG4",
        "The salt is part of what an id is computed from: rotated, the same event "
        "published twice would be stored twice. It authenticates nobody.",
    )
    return secret


def exports_bucket(scope: Construct) -> s3.Bucket:
    """The bucket of finished downloads and of the slices they are made of."""
    bucket = s3.Bucket(
        scope,
        "exports",
        encryption=s3.BucketEncryption.S3_MANAGED,
        block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
        object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
        enforce_ssl=True,
        lifecycle_rules=[
            # A download is promised for 7 days; one more, so that the rule
            # never removes what is still promised.
            s3.LifecycleRule(id="downloads", expiration=cdk.Duration.days(8)),
            s3.LifecycleRule(
                id="unfinished", abort_incomplete_multipart_upload_after=cdk.Duration.days(1)
            ),
        ],
        removal_policy=cdk.RemovalPolicy.RETAIN,
    )
    excuse(
        bucket,
        "AwsSolutions-S1",
        "Who asked for a download, and with which filter, is an event of the audit log. "
        "Server access logs would add the addresses of admins, in full.",
    )
    return bucket


def _kept_table(scope: Construct, name: str, **options: Any) -> dynamodb.Table:
    return _table(
        scope,
        name,
        point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
            point_in_time_recovery_enabled=True
        ),
        deletion_protection=True,
        removal_policy=cdk.RemovalPolicy.RETAIN,
        **options,
    )


def _digests_table(scope: Construct) -> dynamodb.Table:
    # Digests, and the marks that say which of them are not to be relied on. To
    # lose all of it costs reads, never results: a span without a digest is read
    # itself, and a mark says nothing where the digest that it marks is gone. So
    # it goes with the stack.
    table = _table(scope, "digests", removal_policy=cdk.RemovalPolicy.DESTROY)
    excuse(
        table,
        "AwsSolutions-DDB3",
        "It holds what was made from the log and is made from it again; an older state would "
        "have digests without the marks that were set since.",
    )
    return table


def _table(scope: Construct, name: str, **options: Any) -> dynamodb.Table:
    return dynamodb.Table(
        scope,
        name,
        partition_key=dynamodb.Attribute(name="pk", type=dynamodb.AttributeType.STRING),
        sort_key=dynamodb.Attribute(name="sk", type=dynamodb.AttributeType.STRING),
        billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
        encryption=dynamodb.TableEncryption.AWS_MANAGED,
        **options,
    )


def _queue(scope: Construct, name: str, *, days: int, **options: Any) -> sqs.Queue:
    return sqs.Queue(
        scope,
        name,
        retention_period=cdk.Duration.days(days),
        max_message_size_bytes=1024 * 1024,
        encryption=sqs.QueueEncryption.SQS_MANAGED,
        enforce_ssl=True,
        # What was sent and is not recorded yet must not go with the stack.
        removal_policy=cdk.RemovalPolicy.RETAIN,
        **options,
    )
