"""The rules that the stack is checked by, and how one is excused."""

from collections.abc import Sequence

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, NagPackSuppression, NagSuppressions, RegexAppliesTo
from constructs import IConstruct


def check(scope: IConstruct) -> None:
    """Hold everything under `scope` to AwsSolutions when it is synthesised."""
    cdk.Aspects.of(scope).add(AwsSolutionsChecks(verbose=True))


def excuse(construct: IConstruct, rule: str, reason: str, *, findings: Sequence[str] = ()) -> None:
    """Excuse `construct` and what is under it from `rule`.

    `findings` are regular expressions of the findings that are meant; without
    them the rule is excused whole.
    """
    matches = [RegexAppliesTo(regex=f"/{pattern}/") for pattern in findings]
    suppression = NagPackSuppression(id=rule, reason=reason, applies_to=matches or None)
    NagSuppressions.add_resource_suppressions(construct, [suppression], apply_to_children=True)
