"""Who may do what, what is kept, and what has to go; a module for each of the things managed."""

from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog.telemetry import metered
from manage import credential, erasures, keys, orgs, sessions, settings
from manage.door import api

#: The modules whose routes this function serves: importing one binds them.
SERVED = (credential, erasures, keys, orgs, sessions, settings)


@metered
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Lambda's entry: an API Gateway HTTP API event."""
    return api.handle(event, context)
