"""The CDK app: `python -m infra.app` synthesises it.

What a deployment may say in the CDK context:

- `name`: of the stack; `auditlog` where nothing is said;
- `publishers`: ARNs of the IAM principals that may send to the inbox, as a
  list, or on a command line as one string with commas;
- `catalog`: path of a file with the deployment's own event types;
- `oidc`: the issuer whose tokens are good beside keys, as an object or, on a
  command line, as JSON text; `auditlog/issuer.py` says what is in it;
- `console`: `{"avatars": ["https://…"]}`, the origins whose pictures of actors the
  console may show, none where nothing is said; an object, or JSON text too;
- `python`: `lambda` (what is deployed) or `host` (what the laptop stack runs).
"""

import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import aws_cdk as cdk
from aws_cdk import cx_api

from auditlog.issuer import Issuer
from infra import bundling, nag
from infra.function import asset
from infra.stack import AuditlogStack

FLAGS = {
    # One statement where two say the same, so that a policy reads as it was meant.
    "@aws-cdk/aws-iam:minimizePolicies": True,
    # A secret's value in an environment variable fails the synthesis.
    "@aws-cdk/core:checkSecretUsage": True,
}

_PRINCIPAL = re.compile(
    r"arn:aws[a-z-]*:(iam|sts)::\d{12}:(root|user/\S+|role/\S+|assumed-role/\S+)"
)

_ORIGIN = re.compile(r"https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[0-9]{1,5})?")

# Lambda gives a function's whole environment 4 KB; the rest of it takes one.
MOST_OIDC = 3_000
MOST_AVATARS = 10


class ContextError(Exception):
    """The CDK context says something that cannot be deployed."""


def build(outdir: str | None = None) -> cdk.App:
    """The app, not synthesised yet; its context comes from the CLI or the environment."""
    app = cdk.App(outdir=outdir, context=dict(FLAGS), analytics_reporting=False)
    name = str(app.node.try_get_context("name") or "auditlog")
    stack = AuditlogStack(
        app,
        name,
        code=asset(target(app), catalog(app)),
        publishers=publishers(app),
        oidc=oidc(app),
        avatars=avatars(app),
        description="auditlog: an organization audit log",
    )
    nag.check(stack)
    return app


def target(app: cdk.App) -> Callable[[], bundling.Target]:
    """What finds the Python to build for."""
    targets = {"lambda": bundling.lambda_target, "host": bundling.host_target}
    python = app.node.try_get_context("python") or "lambda"
    if python not in targets:
        message = f"the context's `python` is one of {', '.join(targets)}, not {python!r}"
        raise ContextError(message)
    return targets[python]


def catalog(app: cdk.App) -> Path | None:
    """The deployment's own event types; a relative path is one of where this runs."""
    named = app.node.try_get_context("catalog")
    return Path(str(named)).resolve() if named else None


def publishers(app: cdk.App) -> list[str]:
    """ARNs of who may send to the inbox besides who the account itself lets."""
    value: Any = app.node.try_get_context("publishers") or []
    arns: list[Any] = value.split(",") if isinstance(value, str) else list(value)
    for arn in arns:
        if not isinstance(arn, str) or not _PRINCIPAL.fullmatch(arn):
            message = f"the context's `publishers` are ARNs of IAM principals, not {arn!r}"
            raise ContextError(message)
    return [str(arn) for arn in arns]


def oidc(app: cdk.App) -> str | None:
    """The issuer of tokens as JSON text, which the functions read; None where there is none.

    Read here as they will read it, so that what they could not take is not deployed.
    """
    value: Any = app.node.try_get_context("oidc")
    if value is None:
        return None
    try:
        Issuer.parse(value)
    except ValueError as error:
        message = f"the context's `oidc` cannot be deployed: {error}"
        raise ContextError(message) from None
    text = json.dumps(json.loads(value) if isinstance(value, str) else value, sort_keys=True)
    if len(text) > MOST_OIDC:
        message = f"the context's `oidc` has {len(text)} characters; at most {MOST_OIDC} are taken"
        raise ContextError(message)
    return text


def avatars(app: cdk.App) -> list[str]:
    """The origins whose pictures of actors the console may show."""
    value: Any = app.node.try_get_context("console") or {}
    try:
        said: Any = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise ContextError("the context's `console` is not JSON") from None
    if not isinstance(said, dict) or not said.keys() <= {"avatars"}:
        message = f"the context's `console` is an object with `avatars`, not {said!r}"
        raise ContextError(message)
    named: Any = cast("dict[str, Any]", said).get("avatars", [])
    if not isinstance(named, list) or len(origins := cast("list[Any]", named)) > MOST_AVATARS:
        message = f"the context's `console.avatars` is a list of at most {MOST_AVATARS} origins"
        raise ContextError(message)
    for origin in origins:
        if not isinstance(origin, str) or not _ORIGIN.fullmatch(origin):
            message = f"the context's `console.avatars` are origins (https://host), not {origin!r}"
            raise ContextError(message)
    return list(dict.fromkeys(origins))


def findings(assembly: cx_api.CloudAssembly) -> list[str]:
    """What the checks found in a synthesised app and nothing excuses, a line each."""
    return [
        f"{message.id}: {message.entry.data}"
        for stack in assembly.stacks
        for message in stack.messages
        if message.level is not cx_api.SynthesisMessageLevel.INFO
    ]


def main() -> int:
    """Synthesise; 1 where the checks found something."""
    found = findings(build().synth())
    for line in found:
        print(line, file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
