"""The CDK's template, made into one that the emulator deploys in full.

The emulator's CloudFormation drops in silence what it does not know, which
would let a laptop stack pass for what it is not. So every resource type and
every property of it that the template may use is named here, with what becomes
of it: kept, stripped for a reason, or set by an API call after the stack is
there. What is not named stops the laptop stack. Everything that is not kept is
asserted on the template itself, in `tests/infra`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

Template = dict[str, Any]


class AdapterError(Exception):
    """The template has something that the laptop stack was never told how to treat."""


@dataclass(frozen=True)
class Treatment:
    """What becomes of the properties of one resource type.

    `kept` are deployed by the emulator as they are. `stripped` have no effect
    there, each with the reason why a laptop can do without. `repaired` are
    dropped by its CloudFormation and set by `repairs.REPAIRS` afterwards.
    """

    kept: frozenset[str]
    stripped: Mapping[str, str] = field(default_factory=dict[str, str])
    repaired: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Repair:
    """A property to set on a resource once it exists, with its value in the template."""

    resource_type: str
    logical_id: str
    property: str
    value: Any


@dataclass(frozen=True)
class Adapted:
    """A template for the emulator, and what to do after it is deployed."""

    template: Template
    repairs: list[Repair]


TREATMENTS: Mapping[str, Treatment] = {
    "AWS::ApiGatewayV2::Api": Treatment(kept=frozenset({"Name", "ProtocolType"})),
    "AWS::ApiGatewayV2::Integration": Treatment(
        kept=frozenset({"ApiId", "IntegrationType", "IntegrationUri", "PayloadFormatVersion"})
    ),
    "AWS::ApiGatewayV2::Route": Treatment(
        kept=frozenset({"ApiId", "AuthorizationType", "RouteKey", "Target"})
    ),
    "AWS::ApiGatewayV2::Stage": Treatment(
        kept=frozenset({"ApiId", "AutoDeploy", "StageName"}),
        stripped={
            "AccessLogSettings": "stored and never written to; the emulator has its own log",
            "DefaultRouteSettings": "stored and never enforced; nobody floods a laptop",
        },
    ),
    "AWS::CloudWatch::Alarm": Treatment(
        kept=frozenset(
            {
                "AlarmDescription",
                "ComparisonOperator",
                "Dimensions",
                "EvaluationPeriods",
                "MetricName",
                "Namespace",
                "Period",
                "Statistic",
                "Threshold",
                "TreatMissingData",
            }
        )
    ),
    "AWS::DynamoDB::Table": Treatment(
        kept=frozenset(
            {"AttributeDefinitions", "BillingMode", "DeletionProtectionEnabled", "KeySchema"}
        ),
        repaired=frozenset(
            {"PointInTimeRecoverySpecification", "SSESpecification", "TimeToLiveSpecification"}
        ),
    ),
    "AWS::Events::Rule": Treatment(
        kept=frozenset({"Description", "ScheduleExpression", "State", "Targets"})
    ),
    "AWS::IAM::Policy": Treatment(kept=frozenset({"PolicyDocument", "PolicyName", "Roles"})),
    "AWS::IAM::Role": Treatment(kept=frozenset({"AssumeRolePolicyDocument"})),
    "AWS::Lambda::EventSourceMapping": Treatment(
        kept=frozenset(
            {
                "BatchSize",
                "EventSourceArn",
                "FunctionName",
                "FunctionResponseTypes",
                "ScalingConfig",
            }
        ),
        stripped={
            "MaximumBatchingWindowInSeconds": "stored and not heeded: the emulator hands over "
            "at once what is there, which a function has to bear anyway",
        },
    ),
    "AWS::Lambda::Function": Treatment(
        kept=frozenset(
            {
                "Architectures",
                "Code",
                "Description",
                "Environment",
                "Handler",
                "LoggingConfig",
                "MemorySize",
                "Role",
                "Runtime",
                "Timeout",
                "TracingConfig",
            }
        ),
        stripped={
            "RecursiveLoop": "dropped; the emulator counts a function that invokes itself, "
            "not one that does so through a queue",
        },
    ),
    "AWS::Lambda::Permission": Treatment(
        kept=frozenset({"Action", "FunctionName", "Principal", "SourceArn"})
    ),
    "AWS::Logs::LogGroup": Treatment(kept=frozenset({"LogGroupName", "RetentionInDays"})),
    "AWS::S3::Bucket": Treatment(
        kept=frozenset({"PublicAccessBlockConfiguration"}),
        repaired=frozenset({"BucketEncryption", "LifecycleConfiguration", "OwnershipControls"}),
    ),
    "AWS::S3::BucketPolicy": Treatment(kept=frozenset({"Bucket", "PolicyDocument"})),
    "AWS::SecretsManager::Secret": Treatment(
        kept=frozenset({"Description", "GenerateSecretString"})
    ),
    "AWS::SQS::Queue": Treatment(
        kept=frozenset(
            {
                "MaximumMessageSize",
                "MessageRetentionPeriod",
                "RedrivePolicy",
                "SqsManagedSseEnabled",
                "VisibilityTimeout",
            }
        )
    ),
    "AWS::SQS::QueuePolicy": Treatment(kept=frozenset({"PolicyDocument", "Queues"})),
}

SECTIONS_KEPT = frozenset({"Description", "Outputs", "Resources"})
SECTIONS_STRIPPED = {
    "Parameters": "BootstrapVersion only: nobody bootstraps a laptop",
    "Rules": "CheckBootstrapVersion only: the same",
}
_BOOTSTRAP_ONLY = {"Parameters": {"BootstrapVersion"}, "Rules": {"CheckBootstrapVersion"}}

ATTRIBUTES_KEPT = frozenset({"DependsOn", "Properties", "Type"})
ATTRIBUTES_STRIPPED = {
    "DeletionPolicy": "nothing outlives the emulator",
    "UpdateReplacePolicy": "the laptop stack is never updated",
    "Metadata": "notes of the CDK and of cdk-nag, for people",
}


def adapt(template: Template) -> Adapted:
    """Make `template` one that the emulator deploys in full.

    Raises AdapterError with every type, property, attribute and section that
    is on no list. `template` is left as it was.
    """
    unknown = [
        f"section {section}"
        for section in template
        if section not in SECTIONS_KEPT and not _is_bootstrap(section, template[section])
    ]
    resources: Template = {}
    repairs: list[Repair] = []
    for logical_id, resource in template["Resources"].items():
        resources[logical_id], more = _adapt_resource(logical_id, resource, unknown)
        repairs += more
    if unknown:
        message = "the laptop stack does not know how to treat:\n" + "\n".join(
            f"  {line}" for line in unknown
        )
        raise AdapterError(message + "\nSay so in infra/adapter.py.")
    kept = {section: template[section] for section in template if section in SECTIONS_KEPT}
    return Adapted({**kept, "Resources": resources}, repairs)


def _is_bootstrap(section: str, value: Mapping[str, Any]) -> bool:
    return section in _BOOTSTRAP_ONLY and set(value) <= _BOOTSTRAP_ONLY[section]


def _adapt_resource(
    logical_id: str, resource: Template, unknown: list[str]
) -> tuple[Template, list[Repair]]:
    resource_type = str(resource["Type"])
    treatment = TREATMENTS.get(resource_type)
    if treatment is None:
        unknown.append(f"{logical_id}: type {resource_type}")
        return {}, []
    unknown += [
        f"{logical_id} ({resource_type}): attribute {attribute}"
        for attribute in resource
        if attribute not in ATTRIBUTES_KEPT and attribute not in ATTRIBUTES_STRIPPED
    ]
    properties: Template = {}
    repairs: list[Repair] = []
    for name, value in cast("Template", resource.get("Properties", {})).items():
        if name in treatment.kept:
            properties[name] = value
        elif name in treatment.repaired:
            if _has_intrinsic(value):
                unknown.append(f"{logical_id} ({resource_type}): a reference within {name}")
            repairs.append(Repair(resource_type, logical_id, name, value))
        elif name not in treatment.stripped:
            unknown.append(f"{logical_id} ({resource_type}): property {name}")
    adapted = {name: value for name, value in resource.items() if name in ATTRIBUTES_KEPT}
    return {**adapted, "Properties": properties}, repairs


def _has_intrinsic(value: object) -> bool:
    # An API call takes values, not references; only CloudFormation resolves those.
    if isinstance(value, dict):
        pairs = cast("dict[str, object]", value).items()
        return any(key == "Ref" or key.startswith("Fn::") or _has_intrinsic(v) for key, v in pairs)
    if isinstance(value, list):
        return any(_has_intrinsic(item) for item in cast("list[object]", value))
    return False
