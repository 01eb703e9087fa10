"""What an operator is told of: alarms on what must not go unseen."""

import re
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import Synthesized

RETAIN = Path(__file__).parents[2] / "functions" / "retain" / "handler.py"


def alarm(template: Synthesized, name: str) -> dict[str, Any]:
    return template.one("AWS::CloudWatch::Alarm", name)["Properties"]


def test_one_org_that_is_overdue_sets_it_off_and_so_does_a_run_that_fails(
    template: Synthesized,
) -> None:
    overdue = alarm(template, "overdue")
    assert (overdue["Namespace"], overdue["MetricName"]) == ("auditlog", "OrgsOverdue")
    assert (overdue["Statistic"], overdue["Period"], overdue["EvaluationPeriods"]) == (
        "Maximum",
        3600,
        1,
    )
    assert (overdue["ComparisonOperator"], overdue["Threshold"]) == ("GreaterThanThreshold", 0)
    assert overdue["TreatMissingData"] == "breaching"


def test_its_metric_is_what_the_function_writes_under_the_name_that_it_has(
    template: Synthesized,
) -> None:
    overdue = alarm(template, "overdue")
    assert re.search(rf'count\("{overdue["MetricName"]}"', RETAIN.read_text())
    functions = template.all("AWS::Lambda::Function").values()
    variables = [each["Properties"]["Environment"]["Variables"] for each in functions]
    services = {each["POWERTOOLS_SERVICE_NAME"] for each in variables}
    [service] = overdue["Dimensions"]
    assert service == {"Name": "service", "Value": "retain"}
    assert service["Value"] in services


def test_a_message_in_the_dead_letters_of_erasures_sets_it_off(template: Synthesized) -> None:
    stuck = alarm(template, "erasuresstuck")
    assert (stuck["Namespace"], stuck["MetricName"]) == (
        "AWS/SQS",
        "ApproximateNumberOfMessagesVisible",
    )
    assert (stuck["ComparisonOperator"], stuck["Threshold"]) == ("GreaterThanThreshold", 0)
    assert stuck["TreatMissingData"] == "notBreaching"
    [queue] = stuck["Dimensions"]
    dead = queue["Value"]["Fn::GetAtt"][0]
    sources = [
        each["Properties"]["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        for name, each in template.all("AWS::SQS::Queue").items()
        if name.startswith("erasures") and "RedrivePolicy" in each["Properties"]
    ]
    assert dead in sources


@pytest.mark.parametrize("name", ["overdue", "erasuresstuck"])
def test_it_says_what_is_wrong_and_where_to_look(template: Synthesized, name: str) -> None:
    assert re.search(
        r"log of the function|dead letter queue", alarm(template, name)["AlarmDescription"]
    )
