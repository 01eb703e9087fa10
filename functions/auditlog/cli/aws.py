"""The AWS clients of the command, and AWS's errors in the command's words.

The only module of the command that imports boto3, and only once it is used: that takes longer
than everything else that a command does before its work. On the laptop stack everything is at its
one endpoint and any credentials do; else AWS's usual sources of credentials apply.
"""

from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, cast

from auditlog.cli.failures import CommandError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_sqs import SQSClient


def sqs(stack: Mapping[str, str]) -> "SQSClient":
    """A client for the queues of `stack` (the names of `stack.json`)."""
    with translated():
        return _client("sqs", **_place(stack))


def dynamodb(stack: Mapping[str, str]) -> "DynamoDBClient":
    """A client for the tables of `stack`."""
    with translated():
        return _client("dynamodb", **_place(stack))


def identity(stack: Mapping[str, str]) -> str:
    """The ARN of whoever's credentials these are; nobody needs a permission to ask for it."""
    with translated():
        return _client("sts", **_place(stack)).get_caller_identity()["Arn"]


def outputs(stack_name: str) -> dict[str, str]:
    """The CloudFormation outputs of a deployed stack, and the region it is in."""
    with translated():
        client: CloudFormationClient = _client("cloudformation")
        described = client.describe_stacks(StackName=stack_name)["Stacks"][0]
    found = {
        output["OutputKey"]: output["OutputValue"]
        for output in described.get("Outputs", [])
        if "OutputKey" in output and "OutputValue" in output
    }
    return {**found, "Region": client.meta.region_name}


def _client(service: str, **place: Any) -> Any:
    import boto3  # noqa: PLC0415 -- see the top
    from botocore.config import Config  # noqa: PLC0415 -- see the top

    config = Config(
        connect_timeout=5, read_timeout=30, retries={"mode": "standard", "max_attempts": 6}
    )
    # The stubs type `client` for every service there is; only ours are installed.
    make = cast("Callable[..., Any]", boto3.client)  # pyright: ignore[reportUnknownMemberType] -- as above
    return make(service, config=config, **place)


def _place(stack: Mapping[str, str]) -> dict[str, Any]:
    region = {"region_name": stack["region"]} if stack.get("region") else {}
    if not stack.get("endpoint_url"):
        return region
    return {
        "region_name": "us-east-1",
        **region,
        "endpoint_url": stack["endpoint_url"],
        "aws_access_key_id": "test",
        "aws_secret_access_key": "test",
    }


@contextmanager
def translated() -> Generator[None]:
    """Turns what botocore raises into a `CommandError` with AWS's own words."""
    from botocore.exceptions import (  # noqa: PLC0415 -- see the top
        BotoCoreError,
        ClientError,
        NoCredentialsError,
        NoRegionError,
    )

    try:
        yield
    except ClientError as error:
        said = error.response.get("Error", {})
        action = error.operation_name
        raise CommandError(
            f"AWS refused {action}: {said.get('Message') or said.get('Code')}",
            hint="Check AWS_PROFILE and the region, and that these credentials may do this.",
        ) from error
    except (NoCredentialsError, NoRegionError) as error:
        raise CommandError(
            f"AWS: {error}", hint="Set AWS_PROFILE, or AWS_DEFAULT_REGION and credentials."
        ) from error
    except BotoCoreError as error:
        raise CommandError(f"AWS: {error}", hint="Is the stack up, and the network?") from error
