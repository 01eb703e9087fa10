import pytest

from tests.infra.conftest import PUBLISHERS, Synthesized

DAY = 24 * 60 * 60


@pytest.mark.parametrize("name", ["events", "control", "digests"])
def test_a_table_bills_by_use_and_is_encrypted(template: Synthesized, name: str) -> None:
    properties = template.one("AWS::DynamoDB::Table", name)["Properties"]

    assert properties["BillingMode"] == "PAY_PER_REQUEST"
    assert properties["SSESpecification"] == {"SSEEnabled": True}
    assert properties["KeySchema"] == [
        {"AttributeName": "pk", "KeyType": "HASH"},
        {"AttributeName": "sk", "KeyType": "RANGE"},
    ]
    assert {d["AttributeType"] for d in properties["AttributeDefinitions"]} == {"S"}
    assert "GlobalSecondaryIndexes" not in properties


@pytest.mark.parametrize("name", ["events", "control"])
def test_a_table_of_what_was_recorded_cannot_be_lost(template: Synthesized, name: str) -> None:
    table = template.one("AWS::DynamoDB::Table", name)

    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Retain"
    properties = table["Properties"]
    assert properties["DeletionProtectionEnabled"] is True
    assert properties["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_a_table_of_what_the_log_can_make_again_goes_with_the_stack(template: Synthesized) -> None:
    table = template.one("AWS::DynamoDB::Table", "digests")

    assert table["DeletionPolicy"] == table["UpdateReplacePolicy"] == "Delete"
    assert not table["Properties"].get("DeletionProtectionEnabled")
    assert "PointInTimeRecoverySpecification" not in table["Properties"]


def test_these_tables_and_no_others(template: Synthesized) -> None:
    tables = {name[:-8] for name in template.all("AWS::DynamoDB::Table")}

    assert tables == {"events", "control", "digests"}


def test_only_events_and_the_work_of_exports_expire(template: Synthesized) -> None:
    expiring = {
        name[:-8]: table["Properties"]["TimeToLiveSpecification"]
        for name, table in template.all("AWS::DynamoDB::Table").items()
        if "TimeToLiveSpecification" in table["Properties"]
    }

    by_ttl = {"AttributeName": "ttl", "Enabled": True}
    assert expiring == {"events": by_ttl, "control": by_ttl}


def test_the_salt_is_generated_and_outlives_the_stack(template: Synthesized) -> None:
    salt = template.one("AWS::SecretsManager::Secret")

    assert salt["DeletionPolicy"] == salt["UpdateReplacePolicy"] == "Retain"
    assert salt["Properties"]["GenerateSecretString"] == {
        "ExcludePunctuation": True,
        "PasswordLength": 64,
    }
    assert not template.all("AWS::SecretsManager::RotationSchedule")


def test_nobody_but_the_owner_reaches_the_bucket(template: Synthesized) -> None:
    bucket = template.one("AWS::S3::Bucket")

    assert bucket["DeletionPolicy"] == "Retain"
    properties = bucket["Properties"]
    assert set(properties["PublicAccessBlockConfiguration"].values()) == {True}
    assert len(properties["PublicAccessBlockConfiguration"]) == 4
    assert properties["OwnershipControls"] == {
        "Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]
    }
    [rule] = properties["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    [statement] = template.one("AWS::S3::BucketPolicy")["Properties"]["PolicyDocument"]["Statement"]
    assert statement["Effect"] == "Deny"
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert statement["Action"] == "s3:*"


def test_downloads_and_what_is_left_of_uploads_go_by_themselves(template: Synthesized) -> None:
    bucket = template.one("AWS::S3::Bucket")["Properties"]

    assert bucket["LifecycleConfiguration"]["Rules"] == [
        {"ExpirationInDays": 8, "Id": "downloads", "Status": "Enabled"},
        {
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            "Id": "unfinished",
            "Status": "Enabled",
        },
    ]


@pytest.mark.parametrize(
    ("name", "days", "dead_letters", "tries"),
    [
        ("inbox", 4, "inboxdlq", 5),
        ("inboxdlq", 14, None, None),
        ("exportsqueue", 4, "exportsdlq", 5),
        ("exportsdlq", 14, None, None),
        ("rejects", 14, None, None),
    ],
)
def test_a_queue_keeps_what_it_was_given(
    template: Synthesized, name: str, days: int, dead_letters: str | None, tries: int | None
) -> None:
    queue = template.one("AWS::SQS::Queue", name)

    assert queue["DeletionPolicy"] == queue["UpdateReplacePolicy"] == "Retain"
    properties = queue["Properties"]
    assert properties["MessageRetentionPeriod"] == days * DAY
    assert properties["MaximumMessageSize"] == 1024 * 1024
    assert properties["SqsManagedSseEnabled"] is True
    if dead_letters is None:
        assert "RedrivePolicy" not in properties
    else:
        target = template.id("AWS::SQS::Queue", dead_letters)
        assert properties["RedrivePolicy"] == {
            "deadLetterTargetArn": {"Fn::GetAtt": [target, "Arn"]},
            "maxReceiveCount": tries,
        }


def test_every_queue_refuses_what_is_not_encrypted_on_its_way(template: Synthesized) -> None:
    denying = set[str]()
    for policy in template.all("AWS::SQS::QueuePolicy").values():
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Deny":
                assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
                assert statement["Action"] == "sqs:*"
                assert statement["Principal"] == {"AWS": "*"}
                denying |= {queue["Ref"] for queue in policy["Properties"]["Queues"]}

    assert denying == set(template.all("AWS::SQS::Queue"))


def test_only_the_named_principals_may_send_and_only_to_the_inbox(template: Synthesized) -> None:
    allowing = [
        statement
        for policy in template.all("AWS::SQS::QueuePolicy").values()
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
        if statement["Effect"] == "Allow"
    ]

    inbox = template.id("AWS::SQS::Queue", "inbox")
    [statement] = allowing
    assert statement["Principal"] == {"AWS": PUBLISHERS}
    assert sorted(statement["Action"]) == ["sqs:GetQueueUrl", "sqs:SendMessage"]
    assert statement["Resource"] == {"Fn::GetAtt": [inbox, "Arn"]}
