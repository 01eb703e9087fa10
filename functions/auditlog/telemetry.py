"""Structured logs and metrics: one logger and one set of metrics per function.

Neither ever carries what an event says: ids, counts, types, orgs and times
only. Each invocation logs one line.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog.store.meter import METER

NAMESPACE = "auditlog"

T = TypeVar("T")

#: Names the function by POWERTOOLS_SERVICE_NAME, which the template sets.
logger = Logger()
metrics = Metrics(namespace=NAMESPACE)


def count(name: str, value: float, unit: MetricUnit = MetricUnit.Count) -> None:
    """Adds to a metric of this invocation; written out when the handler returns."""
    metrics.add_metric(name=name, unit=unit, value=value)


def metered(
    handler: Callable[[dict[str, Any], LambdaContext], T],
) -> Callable[[dict[str, Any], LambdaContext], T]:
    """Writes the metrics of each invocation out, with what DynamoDB charged for it."""

    @metrics.log_metrics
    @wraps(handler)
    def counted(event: dict[str, Any], context: LambdaContext) -> T:
        before = METER.spent
        try:
            return handler(event, context)
        finally:
            spent = METER.spent.since(before)
            count("ReadUnits", spent.read)
            count("WriteUnits", spent.write)

    return counted
