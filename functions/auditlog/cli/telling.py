"""What is done to an org with AWS credentials, in the org's log: sent to the inbox as an event.

It is sent before the thing is done, as the API does: nothing happens that the log does not tell
of, and where the thing then fails, the log tells of an attempt. Whoever may write the control
table but not send to the inbox can therefore do nothing here. `record` stores it within seconds.
"""

import json
from collections.abc import Mapping
from typing import Any

from auditlog import clock
from auditlog.cli import aws
from auditlog.cli.connection import Connection
from auditlog.cli.failures import CommandError
from auditlog.cli.inbox import Inbox, message_body

#: As `trail` has them, which needs boto3.
KEY_CREATE = "org.audit_log.key.create"
SETTINGS_CHANGE = "org.audit_log.settings.update"


def tell(
    connection: Connection,
    org: str,
    kind: str,
    key: str,
    now: int,
    *,
    target: Mapping[str, str],
    metadata: Mapping[str, Any],
) -> None:
    """Sends the event `kind`, done by whoever's credentials these are; `key` tells it from others.

    Raises `CommandError` where the inbox does not take it.
    """
    arn = aws.identity(connection.stack)
    event = {
        "type": kind,
        "occurred_at": clock.text(now),
        "actor": {"id": arn, "name": arn.rpartition(":")[2], "type": "service_account"},
        "targets": [dict(target)],
        "metadata": dict(metadata),
        "key": key,
    }
    outside, url = connection.outside, connection.named("queue_url")
    inbox = Inbox(aws.sqs(connection.stack), url, org, sleep=outside.sleep, jitter=outside.jitter)
    for reason in inbox.send([message_body(org, [json.dumps(event)])]).values():
        raise CommandError(f"the inbox refused what the log was to say: {reason}")
