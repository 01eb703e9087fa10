"""Sets on the emulator, by API, what its CloudFormation drops."""

from collections.abc import Callable, Mapping
from typing import Any

from infra.adapter import Repair
from infra.emulator import Emulator


class RepairError(Exception):
    """The emulator did not take a property."""


def apply(emulator: Emulator, repairs: list[Repair], physical_ids: Mapping[str, str]) -> None:
    """Set every property of `repairs` on the resource that `physical_ids` names."""
    for repair in repairs:
        key = (repair.resource_type, repair.property)
        if key not in REPAIRS:
            message = f"nothing sets {repair.property} of {repair.resource_type}"
            raise RepairError(message)
        REPAIRS[key](emulator, physical_ids[repair.logical_id], repair.value)


def _time_to_live(emulator: Emulator, table: str, value: Any) -> None:
    emulator.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=value)


def _recovery(emulator: Emulator, table: str, value: Any) -> None:
    emulator.dynamodb.update_continuous_backups(
        TableName=table, PointInTimeRecoverySpecification=value
    )


def _table_encryption(emulator: Emulator, table: str, value: Any) -> None:
    emulator.dynamodb.update_table(
        TableName=table, SSESpecification={"Enabled": value["SSEEnabled"]}
    )


def _bucket_encryption(emulator: Emulator, bucket: str, value: Any) -> None:
    rules: Any = [
        {"ApplyServerSideEncryptionByDefault": rule["ServerSideEncryptionByDefault"]}
        for rule in value["ServerSideEncryptionConfiguration"]
    ]
    emulator.s3.put_bucket_encryption(
        Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": rules}
    )


def _lifecycle(emulator: Emulator, bucket: str, value: Any) -> None:
    emulator.s3.put_bucket_lifecycle_configuration(
        Bucket=bucket,
        LifecycleConfiguration={"Rules": [lifecycle_rule(rule) for rule in value["Rules"]]},
    )


def lifecycle_rule(rule: Mapping[str, Any]) -> Any:
    """A rule of a bucket's lifecycle in the API's words, from CloudFormation's."""
    translated: dict[str, Any] = {"ID": rule["Id"], "Status": rule["Status"], "Filter": {}}
    for name, value in rule.items():
        if name == "ExpirationInDays":
            translated["Expiration"] = {"Days": value}
        elif name == "AbortIncompleteMultipartUpload":
            translated[name] = value
        elif name not in {"Id", "Status"}:
            message = f"a lifecycle rule has {name}, which nothing translates"
            raise RepairError(message)
    return translated


def _ownership(emulator: Emulator, bucket: str, value: Any) -> None:
    emulator.s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=value)


REPAIRS: Mapping[tuple[str, str], Callable[[Emulator, str, Any], None]] = {
    ("AWS::DynamoDB::Table", "TimeToLiveSpecification"): _time_to_live,
    ("AWS::DynamoDB::Table", "PointInTimeRecoverySpecification"): _recovery,
    ("AWS::DynamoDB::Table", "SSESpecification"): _table_encryption,
    ("AWS::S3::Bucket", "BucketEncryption"): _bucket_encryption,
    ("AWS::S3::Bucket", "LifecycleConfiguration"): _lifecycle,
    ("AWS::S3::Bucket", "OwnershipControls"): _ownership,
}
