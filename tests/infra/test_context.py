from pathlib import Path

import aws_cdk as cdk
import pytest

from infra import app, bundling

SKIP_BUNDLING: dict[str, object] = {"aws:cdk:bundling-stacks": []}


@pytest.mark.parametrize(
    "publishers",
    [
        "*",
        "arn:aws:iam::111122223333:role/a, arn:aws:iam::111122223333:role/b",
        ["arn:aws:sqs:us-east-1:111122223333:inbox"],
        ["arn:aws:iam::1111:role/short"],
        [{"role": "a"}],
    ],
)
def test_a_publisher_that_is_no_principal_is_refused(publishers: object) -> None:
    context = cdk.App(context={**SKIP_BUNDLING, "publishers": publishers})

    with pytest.raises(app.ContextError, match="publishers"):
        app.publishers(context)


def test_publishers_may_come_from_a_command_line() -> None:
    context = cdk.App(
        context={"publishers": "arn:aws:iam::111122223333:root,arn:aws:iam::111122223333:role/x/y"}
    )

    assert app.publishers(context) == [
        "arn:aws:iam::111122223333:root",
        "arn:aws:iam::111122223333:role/x/y",
    ]


def test_nobody_publishes_where_nobody_is_named() -> None:
    assert app.publishers(cdk.App()) == []


def test_the_asset_is_for_lambda_where_nothing_is_said() -> None:
    assert app.target(cdk.App()) is bundling.lambda_target
    assert app.target(cdk.App(context={"python": "host"})) is bundling.host_target


def test_another_python_is_refused() -> None:
    with pytest.raises(app.ContextError, match="python"):
        app.target(cdk.App(context={"python": "3.14"}))


def test_a_catalog_is_a_path() -> None:
    assert app.catalog(cdk.App()) is None
    assert app.catalog(cdk.App(context={"catalog": "mine.toml"})) == Path("mine.toml").resolve()
