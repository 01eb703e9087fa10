from tests.infra.conftest import Synthesized


def test_every_finding_is_excused_and_nothing_failed_to_run(template: Synthesized) -> None:
    compliance = {row["Compliance"] for row in template.report}

    assert compliance == {"Compliant", "Suppressed"}


def test_the_rules_did_run(template: Synthesized) -> None:
    rules = {row["Rule ID"] for row in template.report}

    assert {
        "AwsSolutions-APIG1",
        "AwsSolutions-APIG4",
        "AwsSolutions-DDB3",
        "AwsSolutions-IAM4",
        "AwsSolutions-IAM5",
        "AwsSolutions-L1",
        "AwsSolutions-S1",
        "AwsSolutions-S10",
        "AwsSolutions-SMG4",
        "AwsSolutions-SQS3",
        "AwsSolutions-SQS4",
    } <= rules


def test_only_these_rules_are_excused_anywhere(template: Synthesized) -> None:
    excused = {row["Rule ID"] for row in template.report if row["Compliance"] == "Suppressed"}

    assert excused == {
        "AwsSolutions-APIG4",
        "AwsSolutions-DDB3",
        "AwsSolutions-IAM5",
        "AwsSolutions-L1",
        "AwsSolutions-S1",
        "AwsSolutions-SMG4",
        "AwsSolutions-SQS3",
    }
