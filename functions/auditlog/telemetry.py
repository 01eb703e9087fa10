"""Structured logs and metrics: one logger and one set of metrics per function.

Neither ever carries what an event says: ids, counts, types, orgs and times
only. Each invocation logs one line.
"""

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE = "auditlog"

#: Names the function by POWERTOOLS_SERVICE_NAME, which the template sets.
logger = Logger()
metrics = Metrics(namespace=NAMESPACE)


def count(name: str, value: float, unit: MetricUnit = MetricUnit.Count) -> None:
    """Adds to a metric of this invocation; written out when the handler returns."""
    metrics.add_metric(name=name, unit=unit, value=value)
