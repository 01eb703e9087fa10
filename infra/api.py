"""The HTTP API: its routes, its access log, its limits."""

import json
from collections.abc import Mapping, Sequence

import aws_cdk as cdk
import jsii
from aws_cdk import aws_apigateway as apigw_v1
from aws_cdk import aws_apigatewayv2 as apigw
from aws_cdk import aws_logs as logs
from aws_cdk.aws_apigatewayv2_integrations import HttpLambdaIntegration
from constructs import Construct

from infra.function import LOG_RETENTION, Function
from infra.nag import excuse
from infra.protocols import as_protocol

# Above these the API answers 429. An account has 10,000 requests a second for
# everything in it; a platform that publishes more than this sends batches, or
# takes the inbox.
REQUESTS_PER_SECOND = 2_000
BURST = 1_000

ACCESS_LOG = {
    "requestId": "$context.requestId",
    "requestTimeEpoch": "$context.requestTimeEpoch",
    "routeKey": "$context.routeKey",
    "protocol": "$context.protocol",
    "status": "$context.status",
    "responseLength": "$context.responseLength",
    "responseLatency": "$context.responseLatency",
    "integrationLatency": "$context.integrationLatency",
    "integrationError": "$context.integrationErrorMessage",
    "error": "$context.error.message",
}
"""One line a request, to find out what failed and how slow it was. No address,
no path, no query string, no credential: who did what is in the audit log, and
nothing else may keep it."""


@jsii.implements(apigw.IAccessLogSettings)
class _AccessLogSettings:
    def __init__(self, log_group: logs.LogGroup) -> None:
        self._destination = apigw.LogGroupLogDestination(log_group)

    @property
    def destination(self) -> apigw.IAccessLogDestination:
        return as_protocol(self._destination)

    @property
    def format(self) -> apigw_v1.AccessLogFormat:
        return apigw_v1.AccessLogFormat.custom(json.dumps(ACCESS_LOG))


def http_api(
    scope: Construct, *, name: str, routes: Mapping[Function, Sequence[str]]
) -> apigw.HttpApi:
    """An HTTP API whose `routes` (`METHOD /path`, or `$default`) go to functions."""
    api = apigw.HttpApi(scope, "http", api_name=name, create_default_stage=False)
    for function, keys in routes.items():
        integration = HttpLambdaIntegration(
            f"{function.node.id}-integration", as_protocol(function)
        )
        for key in keys:
            _route(scope, api, key, integration)
    access_log = logs.LogGroup(
        scope,
        "access-log",
        # Log groups under this prefix share one resource policy, which has a
        # limit in size that a busy account meets.
        log_group_name=f"/aws/vendedlogs/{name}/http",
        retention=LOG_RETENTION,
        removal_policy=cdk.RemovalPolicy.DESTROY,
    )
    apigw.HttpStage(
        scope,
        "stage",
        http_api=api,
        stage_name="$default",
        auto_deploy=True,
        throttle=apigw.ThrottleSettings(rate_limit=REQUESTS_PER_SECOND, burst_limit=BURST),
        access_log_settings=_AccessLogSettings(access_log),
    )
    return api


def _route(
    scope: Construct, api: apigw.HttpApi, key: str, integration: HttpLambdaIntegration
) -> None:
    if key == "$default":
        route_key = apigw.HttpRouteKey.DEFAULT
    else:
        method, path = key.split(" ")
        route_key = apigw.HttpRouteKey.with_(path, apigw.HttpMethod[method])
    route = apigw.HttpRoute(
        scope,
        f"route {key}".replace("/", "|"),
        http_api=api,
        route_key=route_key,
        integration=integration,
    )
    excuse(
        route,
        "AwsSolutions-APIG4",
        "The functions authenticate. An authorizer of an HTTP API can only deny with a "
        "bare 403, and callers are promised 401, 404 and 403 as problems; a test walks "
        "every route.",
    )
