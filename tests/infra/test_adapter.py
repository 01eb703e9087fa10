import copy
from typing import Any

import pytest

from infra import adapter, repairs
from infra.adapter import AdapterError, Repair, adapt
from tests.infra.conftest import Synthesized

TABLE = {
    "Type": "AWS::DynamoDB::Table",
    "Properties": {"KeySchema": [], "TimeToLiveSpecification": {"AttributeName": "ttl"}},
}


def one(resource: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": {"it": resource}}


def test_the_stack_is_known_to_the_last_property(template: Synthesized) -> None:
    adapted = adapt(template.body)

    assert set(adapted.template["Resources"]) == set(template.body["Resources"])
    assert {(repair.resource_type, repair.property) for repair in adapted.repairs} == set(
        repairs.REPAIRS
    )


def test_no_list_names_what_the_stack_does_not_have(template: Synthesized) -> None:
    used = {
        (resource["Type"], name)
        for resource in template.body["Resources"].values()
        for name in resource["Properties"]
    }
    listed = {
        (resource_type, name)
        for resource_type, treatment in adapter.TREATMENTS.items()
        for name in {*treatment.kept, *treatment.stripped, *treatment.repaired}
    }

    assert listed == used


def test_what_is_repaired_has_somebody_to_repair_it() -> None:
    promised = {
        (resource_type, name)
        for resource_type, treatment in adapter.TREATMENTS.items()
        for name in treatment.repaired
    }

    assert promised == set(repairs.REPAIRS)


def test_a_property_is_treated_in_one_way_and_stripped_for_a_reason() -> None:
    for treatment in adapter.TREATMENTS.values():
        stripped = set(treatment.stripped)
        assert not treatment.kept & stripped
        assert not treatment.kept & treatment.repaired
        assert not stripped & treatment.repaired
        assert all(treatment.stripped.values())


def test_what_is_repaired_leaves_the_template() -> None:
    template = one(TABLE)
    before = copy.deepcopy(template)

    adapted = adapt(template)

    assert adapted.template["Resources"]["it"]["Properties"] == {"KeySchema": []}
    assert adapted.repairs == [
        Repair("AWS::DynamoDB::Table", "it", "TimeToLiveSpecification", {"AttributeName": "ttl"})
    ]
    assert template == before


def test_what_has_no_effect_leaves_the_template() -> None:
    stage = {
        "Type": "AWS::ApiGatewayV2::Stage",
        "Properties": {"StageName": "$default", "DefaultRouteSettings": {}},
        "DeletionPolicy": "Retain",
    }

    adapted = adapt(one(stage)).template["Resources"]["it"]

    assert adapted == {
        "Type": "AWS::ApiGatewayV2::Stage",
        "Properties": {"StageName": "$default"},
    }


@pytest.mark.parametrize(
    ("resource", "said"),
    [
        ({"Type": "AWS::WAFv2::WebACL", "Properties": {}}, "type AWS::WAFv2::WebACL"),
        ({"Type": "Custom::AWS", "Properties": {}}, "type Custom::AWS"),
        (
            {"Type": "AWS::DynamoDB::Table", "Properties": {"GlobalSecondaryIndexes": []}},
            "property GlobalSecondaryIndexes",
        ),
        (TABLE | {"CreationPolicy": {}}, "attribute CreationPolicy"),
        (TABLE | {"Condition": "Sometimes"}, "attribute Condition"),
        (
            {
                "Type": "AWS::DynamoDB::Table",
                "Properties": {"TimeToLiveSpecification": {"AttributeName": {"Ref": "P"}}},
            },
            "a reference within TimeToLiveSpecification",
        ),
    ],
)
def test_what_is_on_no_list_is_refused_by_its_name(resource: dict[str, Any], said: str) -> None:
    with pytest.raises(AdapterError, match=said):
        adapt(one(resource))


@pytest.mark.parametrize(
    ("section", "value"),
    [
        ("Parameters", {"BootstrapVersion": {}, "Stage": {}}),
        ("Rules", {"OnlyOnSundays": {}}),
        ("Conditions", {}),
        ("Mappings", {}),
        ("Transform", "AWS::Serverless-2016-10-31"),
    ],
)
def test_a_section_that_is_on_no_list_is_refused(section: str, value: Any) -> None:
    with pytest.raises(AdapterError, match=section):
        adapt({"Resources": {}, section: value})


def test_everything_that_is_unknown_is_said_at_once() -> None:
    template = {
        "Conditions": {},
        "Resources": {
            "one": {"Type": "AWS::Nothing::One", "Properties": {}},
            "two": {"Type": "AWS::Nothing::Two", "Properties": {}},
        },
    }

    with pytest.raises(AdapterError) as refused:
        adapt(template)

    assert all(
        name in str(refused.value)
        for name in ("Conditions", "AWS::Nothing::One", "AWS::Nothing::Two")
    )


def test_a_rule_of_a_lifecycle_that_nothing_translates_is_refused() -> None:
    rule = {"Id": "x", "Status": "Enabled", "NoncurrentVersionExpiration": {}}

    with pytest.raises(repairs.RepairError, match="NoncurrentVersionExpiration"):
        repairs.lifecycle_rule(rule)
