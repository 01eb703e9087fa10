"""The laptop stack: the deployed template on an emulator, with something to see in it.

`python -m infra.local` brings it up, says how to use it, and stays until
Ctrl-C. `laptop_stack` is the same for a test. Where it is and how to get in is
in `stack.json`, which is there exactly as long as the stack is.
"""

import argparse
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self, cast

from infra import adapter, repairs, welcome
from infra.bundling import ROOT
from infra.emulator import ACCOUNT, REGION, Emulator, EmulatorError, emulator, require_free
from infra.seed import SeedError, create_org, publish_samples, session_link

STACK_NAME = "auditlog"
ORG = "acme"
DEFAULT_PORT = 4566
SAMPLES = 3_000

HOME = ROOT / ".local"

# The CDK's default names of the bucket that assets are uploaded to.
_ASSET_BUCKET = f"cdk-hnb659fds-assets-{ACCOUNT}-{REGION}"
_TEMPLATE_KEY = "template.json"

Say = Callable[[str], None]


class LaptopError(Exception):
    """The laptop stack cannot be brought up; the message says why."""


@contextmanager
def laptop_stack(
    port: int, home: Path, *, samples: int, say: Say, context: Mapping[str, Any] | None = None
) -> Generator[dict[str, Any]]:
    """Bring the stack up on `port` with `samples` events; yields what `stack.json` says.

    `context` is what a deployment may say in the CDK context (`infra.app`), beside the name.
    Everything it writes is under `home`, `stack.json` included. On leaving, it
    ends everything that it started.
    """
    home.mkdir(parents=True, exist_ok=True)
    with _alone(home):
        stack_file = home / "stack.json"
        stack_file.unlink(missing_ok=True)
        require_free(port)
        say("synthesising the stack")
        with _Synthesis(home / "cdk.out", context or {}) as synthesis, emulator(port, home) as aws:
            assembly = synthesis.result()
            say("deploying it to the emulator")
            stack = _deploy(aws, assembly)
            stack |= {"org": ORG, "admin_key": create_org(aws, stack["control_table"], ORG)}
            if samples:
                say(f"publishing {samples:,} sample events")
                publish_samples(stack, samples)
            _write(stack_file, stack)
            try:
                yield stack
            finally:
                stack_file.unlink(missing_ok=True)


@contextmanager
def _alone(home: Path) -> Generator[None]:
    """Hold `home`, whose files two stacks would take from each other."""
    with (home / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            message = f"another laptop stack runs in {home}; end it first"
            raise LaptopError(message) from error
        yield


class _Synthesis:
    """The CDK app, synthesised in a process of its own while the emulator starts."""

    def __init__(self, outdir: Path, said: Mapping[str, Any]) -> None:
        context = {**said, "python": "host", "name": STACK_NAME}
        environment = {**os.environ, "CDK_OUTDIR": str(outdir)}
        environment["CDK_CONTEXT_JSON"] = json.dumps(context)
        self._outdir = outdir
        self._process = subprocess.Popen(
            [sys.executable, "-m", "infra.app"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            # Ctrl-C reaches every process of the terminal's group; this one is
            # ended in its turn.
            start_new_session=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._process.poll() is None:
            self._process.terminate()
            self._process.wait()

    def result(self) -> Path:
        """The cloud assembly; raises LaptopError with what the app said."""
        said, _ = self._process.communicate()
        if self._process.returncode != 0:
            message = f"the stack could not be synthesised:\n{said}"
            raise LaptopError(message)
        return self._outdir


def _deploy(aws: Emulator, assembly: Path) -> dict[str, Any]:
    template = json.loads((assembly / f"{STACK_NAME}.template.json").read_bytes())
    adapted = adapter.adapt(template)
    _upload_assets(aws, assembly)
    cloudformation = aws.cloudformation
    # In the request itself a template may have 51,200 bytes.
    aws.s3.put_object(
        Bucket=_ASSET_BUCKET, Key=_TEMPLATE_KEY, Body=json.dumps(adapted.template).encode()
    )
    cloudformation.create_stack(
        StackName=STACK_NAME,
        TemplateURL=f"{aws.url}/{_ASSET_BUCKET}/{_TEMPLATE_KEY}",
        Capabilities=["CAPABILITY_IAM"],
    )
    cloudformation.get_waiter("stack_create_complete").wait(
        StackName=STACK_NAME, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
    )
    resources = [
        resource
        for page in cloudformation.get_paginator("list_stack_resources").paginate(
            StackName=STACK_NAME
        )
        for resource in page["StackResourceSummaries"]
    ]
    physical_ids = {
        resource["LogicalResourceId"]: resource.get("PhysicalResourceId", "")
        for resource in resources
    }
    repairs.apply(aws, adapted.repairs, physical_ids)
    described = cloudformation.describe_stacks(StackName=STACK_NAME)["Stacks"][0]
    outputs = {
        output.get("OutputKey", ""): output.get("OutputValue", "")
        for output in described.get("Outputs", [])
    }
    apis = [
        physical_ids[resource["LogicalResourceId"]]
        for resource in resources
        if resource["ResourceType"] == "AWS::ApiGatewayV2::Api"
    ]
    return _stack(aws, apis[0], outputs)


def _stack(aws: Emulator, api_id: str, outputs: Mapping[str, str]) -> dict[str, Any]:
    # The output ApiUrl is a host name of AWS, which nothing resolves here.
    api_url = f"{aws.url}/_aws/execute-api/{api_id}/$default"
    return {
        "api_url": api_url,
        "queue_url": outputs["QueueUrl"],
        "rejects_queue_url": outputs["RejectsQueueUrl"],
        "inbox_dlq_url": outputs["InboxDlqUrl"],
        "exports_queue_url": outputs["ExportsQueueUrl"],
        "erasures_queue_url": outputs["ErasuresQueueUrl"],
        "endpoint_url": aws.url,
        "region": REGION,
        "events_table": outputs["EventsTable"],
        "control_table": outputs["ControlTable"],
        "digests_table": outputs["DigestsTable"],
        "exports_bucket": outputs["ExportsBucket"],
        "salt_secret_arn": outputs["SaltSecretArn"],
        "stack_name": STACK_NAME,
        "console_url": f"{api_url}/console",
    }


def _upload_assets(aws: Emulator, assembly: Path) -> None:
    s3 = aws.s3
    s3.create_bucket(Bucket=_ASSET_BUCKET)
    manifest = json.loads((assembly / f"{STACK_NAME}.assets.json").read_bytes())
    for asset in cast("dict[str, Any]", manifest["files"]).values():
        source = assembly / asset["source"]["path"]
        if asset["source"]["packaging"] != "zip":
            # The template itself, which is not deployed by its address here.
            continue
        archive = source.with_suffix(".zip")
        _zip(source, archive)
        for destination in asset["destinations"].values():
            s3.upload_file(str(archive), _ASSET_BUCKET, destination["objectKey"])
        archive.unlink()


def _zip(folder: Path, archive: Path) -> None:
    # Level 1: the emulator unpacks it on this machine, and often.
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target:
        for path in sorted(folder.rglob("*")):
            if path.is_file():
                target.write(path, path.relative_to(folder))


def _write(path: Path, stack: Mapping[str, Any]) -> None:
    # Whole or not at all: a command that looks for it may come at any moment.
    # The key in it is an admin's, if only on this machine.
    temporary = path.with_suffix(".new")
    with os.fdopen(os.open(temporary, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w") as file:
        json.dump(stack, file, indent=2)
        file.write("\n")
    temporary.replace(path)


def main() -> int:
    """Bring the stack up, say how to use it, stay until Ctrl-C."""
    parser = argparse.ArgumentParser(prog="make dev", description="Runs auditlog on this machine.")
    parser.add_argument("--port", type=int, default=DEFAULT_PORT)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="0 for none")
    options = parser.parse_args()
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt(stop))
    try:
        with laptop_stack(options.port, HOME, samples=options.samples, say=_say) as stack:
            print(welcome.text(stack, session_link(stack)), flush=True)
            stop.wait()
    except KeyboardInterrupt:
        pass
    except (
        LaptopError,
        EmulatorError,
        SeedError,
        adapter.AdapterError,
        repairs.RepairError,
    ) as error:
        print(f"make dev: {error}", file=sys.stderr)
        return 1
    _say("stopped")
    return 0


def _interrupt(stop: threading.Event) -> Callable[[int, object], None]:
    def handler(_number: int, _frame: object) -> None:
        # The first one ends the wait, or what is being done before it; one
        # more does not disturb the cleaning up.
        if not stop.is_set():
            stop.set()
            _say("stopping; after much work this takes a few seconds")
            raise KeyboardInterrupt

    return handler


def _say(line: str) -> None:
    print(f"make dev: {line}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
