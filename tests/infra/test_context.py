import json
from pathlib import Path
from typing import Any

import aws_cdk as cdk
import pytest

from infra import app, bundling
from tests.infra.conftest import PUBLISHERS, Synthesized, synthesize

ISSUER: dict[str, Any] = {
    "issuer": "https://id.example.com",
    "audience": "https://audit.example.com",
    "grants": {"audit-reader": ["events:read"]},
}
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


def test_no_token_is_good_where_no_issuer_is_named() -> None:
    assert app.oidc(cdk.App()) is None


def test_an_issuer_may_come_from_a_command_line() -> None:
    said = app.oidc(cdk.App(context={"oidc": json.dumps(ISSUER)}))

    assert said == app.oidc(cdk.App(context={"oidc": ISSUER}))
    assert json.loads(str(said)) == ISSUER


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("https://id.example.com", "it is not JSON"),
        (["https://id.example.com"], "it is not an object"),
        ({}, "`issuer`"),
        (ISSUER | {"issuer": "http://id.example.com"}, "https"),
        (ISSUER | {"audience": None}, "`audience`"),
        (ISSUER | {"algorithms": ["HS256"]}, "'HS256'"),
        (ISSUER | {"algorithms": ["none"]}, "'none'"),
        (ISSUER | {"grants": {"root": ["orgs:manage"]}}, "'orgs:manage'"),
        (ISSUER | {"secret": "x"}, "'secret'"),
        (ISSUER | {"console": {"client_id": "c", "client_secret": "x"}}, "'client_secret'"),
        (ISSUER | {"grants": {"x" * app.MOST_OIDC: []}}, "at most 3000"),
    ],
)
def test_an_issuer_that_cannot_be_trusted_is_refused(said: object, reason: str) -> None:
    with pytest.raises(app.ContextError, match="`oidc`") as refused:
        app.oidc(cdk.App(context={"oidc": said}))
    assert reason in str(refused.value)


def test_who_is_asked_over_http_is_told_of_the_issuer_and_nobody_else(
    template: Synthesized, tmp_path: Path
) -> None:
    done = synthesize(tmp_path, publishers=PUBLISHERS, oidc=ISSUER)
    assert done.returncode == 0, done.stdout + done.stderr
    told = Synthesized(json.loads((tmp_path / "auditlog.template.json").read_bytes()), [])

    changed = {
        name: json.loads(properties["Environment"]["Variables"].pop("OIDC_ISSUER"))
        for name, properties in told.functions().items()
        if "OIDC_ISSUER" in properties["Environment"]["Variables"]
    }
    assert changed == dict.fromkeys(("publish", "query", "manage", "export", "console"), ISSUER)
    assert told.functions() == template.functions()


def test_the_console_shows_no_pictures_of_others_where_none_are_named() -> None:
    assert app.avatars(cdk.App()) == []
    assert app.avatars(cdk.App(context={"console": {}})) == []


def test_origins_of_pictures_may_come_from_a_command_line() -> None:
    said = {"avatars": ["https://a.example.com", "https://b.example.com:8443"]}

    assert app.avatars(cdk.App(context={"console": said})) == said["avatars"]
    assert app.avatars(cdk.App(context={"console": json.dumps(said)})) == said["avatars"]


@pytest.mark.parametrize(
    "said",
    [
        "https://a.example.com",
        ["https://a.example.com"],
        {"avatar": []},
        {"avatars": "https://a.example.com"},
        {"avatars": ["http://a.example.com"]},
        {"avatars": ["https://a.example.com/"]},
        {"avatars": ["https://*.example.com"]},
        {"avatars": ["https://a.example.com; script-src *"]},
        {"avatars": ["https://a.example.com 'unsafe-inline'"]},
        {"avatars": ["https:"]},
        {"avatars": ["*"]},
        {"avatars": [7]},
        {"avatars": [f"https://a{n}.example.com" for n in range(11)]},
    ],
)
def test_what_are_no_origins_is_refused(said: object) -> None:
    with pytest.raises(app.ContextError, match="`console"):
        app.avatars(cdk.App(context={"console": said}))


def test_the_console_is_told_whose_pictures_it_may_show_and_nobody_else_is(
    template: Synthesized, tmp_path: Path
) -> None:
    origins = ["https://a.example.com", "https://b.example.com"]
    done = synthesize(tmp_path, publishers=PUBLISHERS, console={"avatars": origins})
    assert done.returncode == 0, done.stdout + done.stderr
    told = Synthesized(json.loads((tmp_path / "auditlog.template.json").read_bytes()), [])

    variables = told.functions()["console"]["Environment"]["Variables"]
    assert variables.pop("CONSOLE_AVATARS") == " ".join(origins)
    assert told.functions() == template.functions()


def test_a_deployment_that_cannot_be_is_not_synthesised(tmp_path: Path) -> None:
    done = synthesize(tmp_path, oidc={"issuer": "http://id.example.com", "audience": "a"})

    assert done.returncode != 0
    assert "`issuer` is not an https address" in done.stderr
