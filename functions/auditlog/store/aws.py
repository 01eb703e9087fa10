"""AWS clients, made once and only when needed, and AWS errors in our own words."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from auditlog.errors import StoreError, UnavailableError
from auditlog.store.meter import METER

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_secretsmanager import SecretsManagerClient
    from mypy_boto3_sqs import SQSClient

# Short timeouts: a call that hangs is repeated, since every write here is safe
# to send again, and no writer may work for longer than its function's minute.
_CONFIG = Config(
    connect_timeout=2,
    read_timeout=5,
    retries={"mode": "standard", "max_attempts": 2},
    max_pool_connections=16,
    tcp_keepalive=True,
)
# S3 answers a part of 8 MiB or a copy of gigabytes later than a table answers a key.
_S3_CONFIG = _CONFIG.merge(
    Config(
        read_timeout=120,
        # What it writes is safe to send again, and costs much to make again.
        retries={"mode": "standard", "max_attempts": 6},
        signature_version="s3v4",
        s3={"addressing_style": "path"},
    )
)

#: AWS's names for "not now": the same call may succeed a moment later.
PASSING = frozenset(
    {
        "InternalServerError",
        "InternalServerErrorException",
        "LimitExceededException",
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TransactionConflict",
        "TransactionConflictException",
        "TransactionInProgressException",
    }
)


class ConditionFailedError(Exception):
    """A condition of a write did not hold, alone or in a transaction; nothing was written."""


# The stubs name every service that AWS has, most of them as unknown.
_client = cast("Callable[..., Any]", boto3.client)  # pyright: ignore[reportUnknownMemberType] -- as above


@cache
def dynamodb() -> "DynamoDBClient":
    """The DynamoDB client of this container; what it is charged counts."""
    return new_dynamodb()


def new_dynamodb() -> "DynamoDBClient":
    """One more client, for who changes what it does."""
    client: DynamoDBClient = _client("dynamodb", config=_CONFIG)
    METER.attach(client)
    return client


@cache
def sqs() -> "SQSClient":
    """The SQS client of this container."""
    return _client("sqs", config=_CONFIG)


@cache
def s3() -> "S3Client":
    """The S3 client of this container."""
    return _client("s3", config=_S3_CONFIG)


@cache
def secretsmanager() -> "SecretsManagerClient":
    """The Secrets Manager client of this container."""
    return _client("secretsmanager", config=_CONFIG)


@cache
def secret(arn: str) -> bytes:
    """The deployment's secret, read once per container."""
    with translated("secretsmanager:GetSecretValue"):
        return secretsmanager().get_secret_value(SecretId=arn)["SecretString"].encode()


def just_below(end: str) -> str:
    """A sort key that no id or bound equals, below `end` and above every one before it.

    BETWEEN takes its upper bound in, and a span does not.
    """
    return f"{end[:-1]}{chr(ord(end[-1]) - 1)}~"


@contextmanager
def translated(action: str) -> Generator[None]:
    """Turns what botocore raises into `UnavailableError` (passing) or `StoreError`.

    A condition of ours that did not hold becomes `ConditionFailedError`, for
    whoever set it. `action` is what was tried, as IAM spells it, for the log.
    """
    try:
        yield
    except ClientError as error:
        if _is_failed_condition(error):
            raise ConditionFailedError from error
        code = _code(error)
        status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        if code in PASSING or status >= 500:  # noqa: PLR2004 -- HTTP's own border
            raise UnavailableError("A store is busy; send the same again.") from error
        raise StoreError(f"{action}: {code}") from error
    except BotoCoreError as error:
        raise UnavailableError("A store did not answer; send the same again.") from error


def _is_failed_condition(error: ClientError) -> bool:
    return _code(error) == "ConditionalCheckFailedException" or (
        "ConditionalCheckFailed" in _cancelled_for(error)
    )


def _code(error: ClientError) -> str:
    """AWS's name for what happened; of a transaction, for why it was cancelled."""
    code = error.response.get("Error", {}).get("Code", "")
    return next((reason for reason in _cancelled_for(error) if reason in PASSING), code)


def _cancelled_for(error: ClientError) -> list[str]:
    reasons = error.response.get("CancellationReasons", [])
    return [reason.get("Code", "None") for reason in reasons]
