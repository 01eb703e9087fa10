"""A Lambda function of this service, with what all of them share.

Every function ships the same asset and differs in its handler, its
environment, and what its role allows. A role starts with the right to write
its own log and its traces; everything else is said with `allow`, where a
reader of the stack sees it.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
import jsii
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra import bundling
from infra.nag import excuse
from infra.protocols import as_protocol

LOG_LEVEL = "INFO"

# Long enough to look into what a customer reports after a holiday; the record
# of what happened is the audit log itself, not the functions' logs.
LOG_RETENTION = logs.RetentionDays.ONE_MONTH


@jsii.implements(cdk.ILocalBundling)
class _LocalBundling:
    """Builds the asset on this machine: no Docker."""

    def __init__(self, target: Callable[[], bundling.Target], catalog: Path | None) -> None:
        self._target = target
        self._catalog = catalog

    def try_bundle(self, output_dir: str, *_options: Any, **_more: Any) -> bool:
        bundling.bundle(Path(output_dir), self._target(), self._catalog)
        return True


def asset(target: Callable[[], bundling.Target], catalog: Path | None) -> lambda_.Code:
    """The code that every function of a stack ships; make it once for all of them.

    `target` is asked for only where something is built: a look at the template
    needs neither Lambda's Python nor the registry.

    The hash is of what was built: with a hash of the source, a dependency that
    changed would not be deployed.
    """
    return lambda_.Code.from_asset(
        str(bundling.FUNCTIONS),
        asset_hash_type=cdk.AssetHashType.OUTPUT,
        bundling=cdk.BundlingOptions(
            # Never run: building here either succeeds or raises.
            image=cdk.DockerImage.from_registry("none"),
            local=_LocalBundling(target, catalog),
        ),
    )


class Function(lambda_.Function):
    """A function with its own role and its own log group."""

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        code: lambda_.Code,
        handler: str,
        description: str,
        memory_mb: int,
        timeout: cdk.Duration,
        environment: Mapping[str, str],
    ) -> None:
        """Make the function `name`, which is also its service name in logs and metrics."""
        log_group = logs.LogGroup(
            scope,
            f"{name}-log",
            retention=LOG_RETENTION,
            removal_policy=cdk.RemovalPolicy.DESTROY,
        )
        role = iam.Role(
            scope,
            f"{name}-role",
            assumed_by=as_protocol(iam.ServicePrincipal("lambda.amazonaws.com")),
        )
        super().__init__(
            scope,
            name,
            code=code,
            handler=handler,
            description=description,
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=lambda_.Architecture.ARM_64,
            memory_size=memory_mb,
            timeout=timeout,
            tracing=lambda_.Tracing.ACTIVE,
            role=as_protocol(role),
            log_group=log_group,
            environment={
                "POWERTOOLS_SERVICE_NAME": name,
                "LOG_LEVEL": LOG_LEVEL,
                **environment,
            },
        )
        self.own_role = role
        self.allow(["logs:CreateLogStream", "logs:PutLogEvents"], [log_group.log_group_arn])
        excuse(
            role,
            "AwsSolutions-IAM5",
            "X-Ray has no resources to name: its two write actions are granted on * or not at all.",
            findings=[r"^Resource::\*$"],
        )
        excuse(
            self,
            "AwsSolutions-L1",
            "The asset carries bytecode that one minor version of Python can read; a newer "
            "runtime comes with a rebuilt asset, not by itself.",
        )

    def allow(
        self,
        actions: Sequence[str],
        resources: Sequence[str],
        *,
        only_if: Mapping[str, Any] | None = None,
    ) -> None:
        """Let this function do `actions`, on `resources` (ARNs) and nothing else.

        `only_if` are conditions as IAM writes them.
        """
        self.add_to_role_policy(
            iam.PolicyStatement(
                actions=list(actions), resources=list(resources), conditions=only_if
            )
        )

    def allow_chains(self) -> None:
        """Let this function be invoked by what it has sent itself, as often as that takes.

        Lambda follows who invokes whom through queues too, takes a chain of more than some
        16 invocations for a loop without an end, and drops the next one. So whoever is
        allowed this has to have an end of its own.
        """
        cast("lambda_.CfnFunction", self.node.default_child).recursive_loop = "Allow"
