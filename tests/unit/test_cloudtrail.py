"""The mapping of CloudTrail records to events: every form of identity, and nothing lost."""

import copy
import json
from decimal import Decimal
from typing import Any

import pytest

from auditlog import canonical
from auditlog.catalog import Catalog
from auditlog.cli.cloudtrail import UnmappableError, decode, to_event
from auditlog.event import Rules, admit

RECORD: dict[str, Any] = {
    "eventVersion": "1.08",
    "userIdentity": {
        "type": "IAMUser",
        "principalId": "AIDAEXAMPLEALICE00001",
        "arn": "arn:aws:iam::111122223333:user/alice",
        "accountId": "111122223333",
        "accessKeyId": "AKIAEXAMPLEKEY000042",
        "userName": "alice",
    },
    "eventTime": "2026-02-03T04:05:06Z",
    "eventSource": "resource-explorer-2.amazonaws.com",
    "eventName": "DeleteBucket",
    "awsRegion": "eu-west-1",
    "sourceIPAddress": "203.0.113.77",
    "userAgent": "aws-cli/2.15",
    "errorCode": "AccessDenied",
    "requestParameters": {"size": 3},
    "responseElements": None,
    "requestID": "REQ1",
    "eventID": "6d2f0c60-0000-4000-8000-000000000001",
    "resources": [{"ARN": "arn:aws:s3:::plans", "type": "AWS::S3::Bucket", "accountId": "1"}],
}

EVENT: dict[str, Any] = {
    "type": "aws.resource_explorer_2.DeleteBucket",
    "occurred_at": "2026-02-03T04:05:06Z",
    "actor": {"id": "AIDAEXAMPLEALICE00001", "name": "alice", "type": "user"},
    "description": "DeleteBucket on resource-explorer-2 in eu-west-1 failed: AccessDenied",
    "targets": [{"type": "AWS::S3::Bucket", "id": "arn:aws:s3:::plans", "name": "plans"}],
    "credential": {"type": "api_key", "id": "AKIAEXAMPLEKEY000042", "last4": "0042"},
    "key": "6d2f0c60-0000-4000-8000-000000000001",
    "ip": "203.0.113.77",
    "user_agent": "aws-cli/2.15",
    "metadata": {
        name: value
        for name, value in RECORD.items()
        if name not in {"eventTime", "eventID", "sourceIPAddress", "userAgent"}
    },
}


def with_identity(identity: dict[str, Any] | None, **more: Any) -> dict[str, Any]:
    return {**RECORD, "userIdentity": identity, **more}


def test_a_record_maps_to_this_very_event_for_ever() -> None:
    before = copy.deepcopy(RECORD)
    assert to_event(RECORD) == EVENT
    assert before == RECORD


@pytest.mark.parametrize(
    ("identity", "actor"),
    [
        (
            {"type": "IAMUser", "principalId": "AIDA1", "userName": "bo"},
            {"id": "AIDA1", "name": "bo", "type": "user"},
        ),
        (
            {"type": "IAMUser", "accountId": "1", "userName": "HIDDEN"},
            {"id": "HIDDEN", "type": "user"},
        ),
        (
            {"type": "Root", "principalId": "111", "arn": "arn:aws:iam::111:root"},
            {"id": "arn:aws:iam::111:root", "name": "root", "type": "user"},
        ),
        (
            {
                "type": "AssumedRole",
                "principalId": "AROA1:i-0abc",
                "arn": "arn:aws:sts::1:assumed-role/web/i-0abc",
            },
            {"id": "AROA1:i-0abc", "name": "web/i-0abc", "type": "service_account"},
        ),
        (
            {
                "type": "AssumedRole",
                "principalId": "AROA1:eve",
                "arn": "arn:aws:sts::1:assumed-role/AWSReservedSSO_Admin_0/eve",
            },
            {"id": "AROA1:eve", "name": "AWSReservedSSO_Admin_0/eve", "type": "user"},
        ),
        (
            {
                "type": "AssumedRole",
                "principalId": "AROA1:eve",
                "arn": "arn:aws:sts::1:assumed-role/admin/eve",
                "sessionContext": {"attributes": {"mfaAuthenticated": "true"}},
            },
            {"id": "AROA1:eve", "name": "admin/eve", "type": "user"},
        ),
        (
            {"type": "AWSService", "invokedBy": "rds.amazonaws.com"},
            {"id": "rds.amazonaws.com", "type": "system"},
        ),
        (
            {"type": "AWSAccount", "principalId": "AIDA9", "accountId": "999"},
            {"id": "AIDA9", "type": "user"},
        ),
        (
            {"type": "AWSAccount", "accountId": "999"},
            {"id": "999", "type": "service_account"},
        ),
        (
            {
                "type": "FederatedUser",
                "principalId": "111:mo",
                "arn": "arn:aws:sts::111:federated-user/mo",
            },
            {"id": "111:mo", "name": "mo", "type": "user"},
        ),
        (
            {"type": "SAMLUser", "principalId": "ns:kim@x.example", "userName": "kim@x.example"},
            {"id": "ns:kim@x.example", "name": "kim@x.example", "type": "user"},
        ),
        (
            {"type": "WebIdentityUser", "principalId": "idp:app:7", "userName": "7"},
            {"id": "idp:app:7", "name": "7", "type": "user"},
        ),
        (
            {"type": "IdentityCenterUser", "onBehalfOf": {"userId": "u-1"}, "credentialId": "c-1"},
            {"id": "u-1", "type": "user"},
        ),
        ({"type": "Unknown"}, {"id": "resource-explorer-2.amazonaws.com", "type": "user"}),
        (
            {"accountId": "1", "invokedBy": "ec2.amazonaws.com"},
            {"id": "ec2.amazonaws.com", "type": "system"},
        ),
        ({}, {"id": "resource-explorer-2.amazonaws.com", "type": "system"}),
        (None, {"id": "resource-explorer-2.amazonaws.com", "type": "system"}),
    ],
)
def test_the_actor_is_whom_the_identity_names(
    identity: dict[str, Any] | None, actor: dict[str, str]
) -> None:
    assert to_event(with_identity(identity))["actor"] == actor


def test_a_role_used_from_the_console_is_a_person() -> None:
    identity = {"type": "AssumedRole", "principalId": "AROA1:eve"}
    used = with_identity(identity, sessionCredentialFromConsole="true")
    assert to_event(used)["actor"]["type"] == "user"
    assert to_event(with_identity(identity))["actor"]["type"] == "service_account"


@pytest.mark.parametrize(
    ("identity", "credential"),
    [
        (
            {
                "accessKeyId": "ASIAEXAMPLE7777",
                "sessionContext": {"sessionIssuer": {"userName": "deployer"}},
            },
            {"type": "session", "id": "ASIAEXAMPLE7777", "role": "deployer", "last4": "7777"},
        ),
        ({"credentialId": "c-1"}, {"type": "access_token", "id": "c-1"}),
        ({"accessKeyId": ""}, None),
        ({}, None),
    ],
)
def test_the_credential_is_the_key_by_its_id(
    identity: dict[str, Any], credential: dict[str, str] | None
) -> None:
    assert to_event(with_identity(identity)).get("credential") == credential


@pytest.mark.parametrize(
    "source", ["AWS Internal", "secretsmanager.amazonaws.com", "fe80::1%eth0", "", None]
)
def test_what_is_no_address_is_metadata(source: str | None) -> None:
    event = to_event({**RECORD, "sourceIPAddress": source})
    assert "ip" not in event
    assert event["metadata"]["sourceIPAddress"] == source


@pytest.mark.parametrize("source", ["203.0.113.77", "2001:db8::7", "::ffff:203.0.113.77"])
def test_an_address_is_nowhere_but_in_ip(source: str) -> None:
    event = to_event({**RECORD, "sourceIPAddress": source})
    assert event["ip"] == source
    assert source not in json.dumps(event["metadata"])


@pytest.mark.parametrize(
    ("source", "name", "expected"),
    [
        ("s3.amazonaws.com", "GetObject", "aws.s3.GetObject"),
        ("signin.amazonaws.com", "Sign-In: ok", "aws.signin.Sign_In__ok"),
        ("partner.example", "été", "aws.partner_example._t_"),
        ("a" * 200, "Get", "aws." + "a" * 124),
        ("s3.amazonaws.com", "G" * 200, "aws.s3." + "G" * 121),
        ("a" * 123, "Get", "aws." + "a" * 123),
    ],
)
def test_the_type_fits_the_catalogs_rules(source: str, name: str, expected: str) -> None:
    event = to_event({**RECORD, "eventSource": source, "eventName": name})
    assert event["type"] == expected
    assert Catalog.default().get(expected) is not None
    assert (event["metadata"]["eventSource"], event["metadata"]["eventName"]) == (source, name)


def test_a_user_agent_is_never_cut() -> None:
    at_most = to_event({**RECORD, "userAgent": "a" * 1024})
    longer = to_event({**RECORD, "userAgent": "a" * 1025})
    assert at_most["user_agent"] == "a" * 1024
    assert "user_agent" not in longer
    assert longer["metadata"]["userAgent"] == "a" * 1025


def test_an_event_id_that_is_no_key_is_metadata() -> None:
    event = to_event({**RECORD, "eventID": "e" * 129})
    assert "key" not in event
    assert event["metadata"]["eventID"] == "e" * 129


def test_targets_come_from_requests_and_answers_too_each_once() -> None:
    record = {
        **RECORD,
        "eventSource": "ec2.amazonaws.com",
        "eventName": "RunInstances",
        "resources": [{"ARN": "arn:aws:kms:eu-west-1:1:key/k-1"}, {"accountId": "1"}],
        "requestParameters": {"subnetId": "subnet-1", "set": [{"items": [{"vpcId": "vpc-1"}]}]},
        "responseElements": {"vpcId": "vpc-1", "instancesSet": {"items": [{"instanceId": "i-1"}]}},
    }
    assert [(t["type"], t["id"], t.get("name")) for t in to_event(record)["targets"]] == [
        ("AWS::KMS::Key", "arn:aws:kms:eu-west-1:1:key/k-1", "k-1"),
        ("AWS::EC2::Subnet", "subnet-1", None),
        ("AWS::EC2::VPC", "vpc-1", None),
        ("AWS::EC2::Instance", "i-1", None),
    ]


def test_a_plain_name_is_a_target_where_the_event_says_of_what() -> None:
    put = {**RECORD, "eventSource": "ssm.amazonaws.com", "resources": None}
    put["requestParameters"] = {"name": "/db/password"}
    named = to_event({**put, "eventName": "GetParameter"})
    assert named["targets"] == [{"type": "AWS::SSM::Parameter", "id": "/db/password"}]
    assert "targets" not in to_event({**put, "eventName": "GetInventory"})


def test_more_targets_than_an_event_may_have_stay_in_the_metadata() -> None:
    items = [{"instanceId": f"i-{n}"} for n in range(20)]
    record = {**RECORD, "eventSource": "ec2.amazonaws.com", "resources": []}
    event = to_event({**record, "requestParameters": {"instancesSet": {"items": items}}})
    assert [target["id"] for target in event["targets"]] == [f"i-{n}" for n in range(16)]
    assert event["metadata"]["requestParameters"]["instancesSet"]["items"] == items


@pytest.mark.parametrize(
    ("literal", "kept"),
    [
        ("9007199254740991", 9007199254740991),
        ("9007199254740992", "9007199254740992"),
        ("-12345678901234567890", "-12345678901234567890"),
        ("1688905708.62", 1688905708.62),
        ("0.12345678901234567890", "0.12345678901234567890"),
        ("1e400", "1E+400"),
        ("NaN", "NaN"),
        ("true", True),
        ("0", 0),
    ],
)
def test_a_number_keeps_every_digit(literal: str, kept: object) -> None:
    text = json.dumps({**RECORD, "requestParameters": {"n": [0]}}).replace("[0]", f"[{literal}]")
    event = to_event(decode(text))
    assert event["metadata"]["requestParameters"] == {"n": [kept]}
    _, faults = canonical.decode(json.dumps(event).encode())
    assert faults == []
    if isinstance(kept, str) and kept != "NaN":
        assert Decimal(kept) == Decimal(literal)


def test_what_is_nested_too_deeply_is_carried_as_text() -> None:
    deep: Any = "end"
    for _ in range(40):
        deep = {"in": [deep]}
    event = to_event({**RECORD, "requestParameters": deep})
    raw, faults = canonical.decode(json.dumps(event).encode())
    assert faults == []
    admit(raw, Rules(Catalog.default(), "acme", None, 4102444800_000000), b"secret")
    here: Any = event["metadata"]["requestParameters"]
    levels = 0
    while not isinstance(here, str):
        here = here["in"] if isinstance(here, dict) else here[0]
        levels += 1
    assert levels == 30
    assert json.loads(here)["in"][0]["in"]


@pytest.mark.parametrize("missing", ["eventTime", "eventSource", "eventName"])
def test_what_is_no_record_is_refused_with_what_is_missing(missing: str) -> None:
    record = {name: value for name, value in RECORD.items() if name != missing}
    with pytest.raises(UnmappableError, match=missing):
        to_event(record)


@pytest.mark.parametrize("record", [None, [], "text", 7, {}])
def test_what_is_no_object_is_refused(record: object) -> None:
    with pytest.raises(UnmappableError, match="not a CloudTrail record"):
        to_event(record)


def test_an_object_that_names_a_key_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        decode('{"eventName": "a", "eventName": "b"}')
