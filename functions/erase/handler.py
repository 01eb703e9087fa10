"""Erasures and deletions of orgs: one message of the queue is one step of one of them."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog.telemetry import metered


@metered
def handler(_event: dict[str, Any], _context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an SQS event of one message."""
    raise NotImplementedError
