import json
import re

from auditlog.routes import ROUTES
from tests.infra.conftest import Synthesized


def test_every_route_of_the_code_and_no_other_is_in_the_gateway(template: Synthesized) -> None:
    deployed = {
        route["Properties"]["RouteKey"]: _function(template, route["Properties"]["Target"])
        for route in template.all("AWS::ApiGatewayV2::Route").values()
    }

    expected = {f"{route.method} {route.path}": route.function for route in ROUTES}
    assert deployed == {**expected, "$default": "query"}


def test_the_gateway_leaves_authentication_to_the_functions(template: Synthesized) -> None:
    routes = template.all("AWS::ApiGatewayV2::Route").values()

    assert {route["Properties"]["AuthorizationType"] for route in routes} == {"NONE"}
    assert not template.all("AWS::ApiGatewayV2::Authorizer")


def test_the_stage_is_throttled(template: Synthesized) -> None:
    stage = template.one("AWS::ApiGatewayV2::Stage")["Properties"]

    assert stage["StageName"] == "$default"
    assert stage["AutoDeploy"] is True
    assert stage["DefaultRouteSettings"] == {
        "ThrottlingBurstLimit": 1_000,
        "ThrottlingRateLimit": 2_000,
    }


def test_the_access_log_says_nothing_about_a_person(template: Synthesized) -> None:
    stage = template.one("AWS::ApiGatewayV2::Stage")["Properties"]
    settings = stage["AccessLogSettings"]

    log_group = template.id("AWS::Logs::LogGroup", "accesslog")
    assert settings["DestinationArn"] == {"Fn::GetAtt": [log_group, "Arn"]}
    variables = set(re.findall(r"\$context\.[\w.]+", settings["Format"]))
    assert variables == set(json.loads(settings["Format"]).values())
    # By the names that API Gateway has for addresses, paths, queries,
    # credentials and what callers say of themselves.
    personal = re.compile(
        "ip|path|query|authoriz|user|caller|account|domain|cognito", re.IGNORECASE
    )
    assert not [name for name in variables if personal.search(name.removeprefix("$context."))]
    assert {"$context.requestId", "$context.routeKey", "$context.status"} <= variables


def test_every_log_group_forgets(template: Synthesized) -> None:
    groups = template.all("AWS::Logs::LogGroup")

    assert {group["Properties"]["RetentionInDays"] for group in groups.values()} == {30}
    used = {f["LoggingConfig"]["LogGroup"]["Ref"] for f in template.functions().values()}
    assert len(used) == 10
    assert used | {template.id("AWS::Logs::LogGroup", "accesslog")} == set(groups)


def test_the_outputs_are_what_the_command_line_reads(template: Synthesized) -> None:
    assert set(template.body["Outputs"]) == {
        "ApiUrl",
        "QueueUrl",
        "RejectsQueueUrl",
        "InboxDlqUrl",
        "ErasuresQueueUrl",
        "ExportsQueueUrl",
        "EventsTable",
        "ControlTable",
        "DigestsTable",
        "ExportsBucket",
        "SaltSecretArn",
    }


def _function(template: Synthesized, target: dict[str, list[object]]) -> str:
    """The function behind a route's target, `integrations/<reference>`."""
    [_, [prefix, reference]] = target["Fn::Join"]  # type: ignore[misc]
    assert prefix == "integrations/"
    integration = template.body["Resources"][reference["Ref"]]["Properties"]
    assert integration["PayloadFormatVersion"] == "2.0"
    logical_id = integration["IntegrationUri"]["Fn::GetAtt"][0]
    function = template.body["Resources"][logical_id]["Properties"]
    return str(function["Environment"]["Variables"]["POWERTOOLS_SERVICE_NAME"])
