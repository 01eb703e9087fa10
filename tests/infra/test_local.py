import json
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import boto3
import pytest
import requests

from infra import bundling, emulator, local, seed, welcome
from infra.emulator import HOST, Emulator, EmulatorError, free_port

KEYS = {
    "admin_key",
    "api_url",
    "console_url",
    "control_table",
    "digests_table",
    "endpoint_url",
    "erasures_queue_url",
    "events_table",
    "exports_bucket",
    "exports_queue_url",
    "inbox_dlq_url",
    "org",
    "queue_url",
    "region",
    "rejects_queue_url",
    "salt_secret_arn",
    "stack_name",
}


def test_stack_json_says_everything_to_its_owner_alone(stack: dict[str, Any]) -> None:
    path = Path(stack["home"]) / ".local" / "stack.json"

    said = json.loads(path.read_text())
    assert set(said) == KEYS
    assert said == {key: stack[key] for key in KEYS}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_every_address_is_of_loopback(stack: dict[str, Any]) -> None:
    addresses = [value for value in stack.values() if str(value).startswith("http")]

    assert len(addresses) == 8
    assert {re.split("[:/]+", address)[1] for address in addresses} == {HOST}


def test_the_emulator_listens_on_loopback_and_nowhere_else(stack: dict[str, Any]) -> None:
    port = f"{int(stack['endpoint_url'].rpartition(':')[2]):04X}"
    lines = Path("/proc/net/tcp").read_text().splitlines()[1:]
    if Path("/proc/net/tcp6").exists():
        lines += Path("/proc/net/tcp6").read_text().splitlines()[1:]

    # Of each line: number, local address, remote address, state; 0A listens.
    listening = [line.split()[1] for line in lines if line.split()[3] == "0A"]
    assert [address for address in listening if address.endswith(f":{port}")] == [
        f"0100007F:{port}"
    ]


def test_what_the_emulator_drops_is_there_all_the_same(stack: dict[str, Any]) -> None:
    aws = Emulator(int(stack["endpoint_url"].rpartition(":")[2]))
    dynamodb, s3 = aws.dynamodb, aws.s3

    events, bucket = stack["events_table"], stack["exports_bucket"]
    ttl = dynamodb.describe_time_to_live(TableName=events)["TimeToLiveDescription"]
    assert ttl == {"AttributeName": "ttl", "TimeToLiveStatus": "ENABLED"}
    for table in (events, stack["control_table"]):
        backups = dynamodb.describe_continuous_backups(TableName=table)
        recovery = backups["ContinuousBackupsDescription"]["PointInTimeRecoveryDescription"]
        assert recovery["PointInTimeRecoveryStatus"] == "ENABLED"
        described = dynamodb.describe_table(TableName=table)["Table"]
        assert described["DeletionProtectionEnabled"] is True
    for table in (events, stack["control_table"], stack["digests_table"]):
        described = dynamodb.describe_table(TableName=table)["Table"]
        assert described["SSEDescription"]["Status"] == "ENABLED"
    rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    assert [rule.get("Expiration") for rule in rules] == [{"Days": 8}, None]
    encryption = s3.get_bucket_encryption(Bucket=bucket)["ServerSideEncryptionConfiguration"]
    assert encryption["Rules"][0]["ApplyServerSideEncryptionByDefault"]["SSEAlgorithm"] == "AES256"
    controls = s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"]
    assert controls == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_a_function_is_handed_nothing_of_this_machine() -> None:
    environment = emulator.environment(1, Path("/e/bin/python"), Path("/s"))

    assert not {name for name in environment if name.startswith("AWS_ENDPOINT")}
    assert environment["BIND_HOST"] == HOST
    assert environment["IOT_MTLS_ENABLED"] == environment["SFTP_ENABLED"] == "0"
    assert environment["TMPDIR"].startswith("/s/")
    assert "AWS_PROFILE" not in environment


def test_samples_are_published_through_the_api(stack: dict[str, Any]) -> None:
    aws = Emulator(int(stack["endpoint_url"].rpartition(":")[2]))
    org = "samples"
    key = seed.create_org(aws, stack["control_table"], org)

    seed.publish_samples(stack | {"org": org, "admin_key": key}, 250)

    counted = aws.dynamodb.query(
        TableName=stack["events_table"],
        KeyConditionExpression="pk = :org",
        ExpressionAttributeValues={":org": {"S": org}},
        Select="COUNT",
    )
    assert counted["Count"] == 250


def test_samples_that_are_refused_are_not_passed_over(stack: dict[str, Any]) -> None:
    with pytest.raises(seed.SeedError, match="401"):
        seed.publish_samples(stack | {"admin_key": "alk_no"}, 1)


def test_the_link_that_is_printed_is_a_session_of_the_console(
    stack: dict[str, Any], printed: str
) -> None:
    [url] = re.findall(r"(?m)^  (http\S+)$", printed.partition("admin key")[0])
    page, _, token = url.partition("#session=")
    assert page == stack["console_url"] == f"{stack['api_url']}/console"
    headers = {"Authorization": f"Bearer {token}"}

    said = requests.get(f"{stack['api_url']}/v1/credential", headers=headers, timeout=30).json()

    assert (said["org"], said["actor"]["name"]) == ("printed", "Ada Lovelace")
    assert said["grants"] == ["events:read"]


def test_a_session_that_is_refused_is_not_passed_over(stack: dict[str, Any]) -> None:
    with pytest.raises(seed.SeedError, match="opening a session was answered 401"):
        seed.session_link(stack | {"admin_key": "alk_no"})


@pytest.mark.parametrize("encoding", ["gzip", "identity"])
def test_the_console_comes_through_the_gateway_as_it_was_sent(
    stack: dict[str, Any], encoding: str
) -> None:
    def get(address: str) -> requests.Response:
        answer = requests.get(address, headers={"Accept-Encoding": encoding}, timeout=30)
        assert answer.status_code == 200
        assert answer.headers.get("Content-Encoding", "identity") == encoding
        return answer

    page = get(stack["console_url"])
    assert page.headers["Content-Type"] == "text/html; charset=utf-8"
    assert page.headers["Content-Security-Policy"].startswith("default-src 'none'; script-src")
    [address] = re.findall(r'src="(console/\w+/main\.js)"', page.text)
    module = get(f"{stack['api_url']}/{address}")
    assert module.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert module.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert len(module.text) > 100_000


@pytest.fixture(scope="module")
def printed(stack: dict[str, Any]) -> str:
    """What is said of a stack with events in it, in an org of its own."""
    aws = Emulator(int(stack["endpoint_url"].rpartition(":")[2]))
    org = "printed"
    mine = stack | {"org": org, "admin_key": seed.create_org(aws, stack["control_table"], org)}
    seed.publish_samples(mine, 10)
    return welcome.text(mine, seed.session_link(mine))


@pytest.mark.parametrize("number", range(3))
def test_what_is_printed_works_as_it_is_printed(
    stack: dict[str, Any], printed: str, number: int
) -> None:
    exports, *examples = re.split(r"\n\n  # .*\n", printed.split("\n\nCtrl-C", maxsplit=1)[0])
    exports = exports.partition("In another terminal:")[2]
    assert exports.count("export ") == len(examples) == 3
    home = Path(stack["home"])
    if not (home / ".venv").exists():
        (home / ".venv").symlink_to(bundling.ROOT / ".venv")

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", f"{exports}\n{examples[number]}"],
        cwd=home,
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    if "curl" in examples[number]:
        assert json.loads(done.stdout)["events"]


def test_a_port_that_is_taken_is_said_to_be(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HOST, 0))
        taken.listen()
        port = taken.getsockname()[1]

        with (
            pytest.raises(EmulatorError, match=rf"port {port} .* is taken .*PORT="),
            local.laptop_stack(port, tmp_path, samples=0, say=print),
        ):
            pytest.fail("it came up on a port that is taken")

    assert not (tmp_path / "stack.json").exists()


def test_two_stacks_do_not_share_a_folder(stack: dict[str, Any]) -> None:
    home = Path(stack["home"]) / ".local"

    with (
        pytest.raises(local.LaptopError, match="another laptop stack runs in"),
        local.laptop_stack(free_port(), home, samples=0, say=print),
    ):
        pytest.fail("it came up beside another")

    assert (home / "stack.json").exists()


def test_an_emulator_that_does_not_come_up_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "python"
    broken.write_text("#!/bin/sh\necho no such luck\nexit 3\n")
    broken.chmod(0o755)
    monkeypatch.setattr(emulator, "install", lambda: broken)

    with (
        pytest.raises(EmulatorError, match="no such luck"),
        emulator.emulator(free_port(), tmp_path / "home"),
    ):
        pytest.fail("it came up")


def test_an_interrupt_ends_everything_and_takes_stack_json_away(tmp_path: Path) -> None:
    """While it still comes up: the moment when most is half done."""
    program = f"""
import sys
sys.path.insert(0, {str(bundling.ROOT)!r})
from pathlib import Path
from infra import local
local.HOME = Path({str(tmp_path)!r})
sys.argv = ["make dev", "--port", "{free_port()}", "--samples", "0"]
sys.exit(local.main())
"""
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, start_new_session=True
    )
    assert process.stdout is not None
    assert "synthesising" in process.stdout.readline()

    os.killpg(process.pid, signal.SIGINT)
    said, _ = process.communicate(timeout=30)

    assert process.returncode == 0
    assert said.endswith("stopped\n")
    assert not (tmp_path / "stack.json").exists()
    assert not _running_in(tmp_path)


def _running_in(folder: Path) -> list[str]:
    """The commands of all processes whose working folder is within `folder`."""
    found: list[str] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            working = (process / "cwd").readlink()
            command = (process / "cmdline").read_text()
        except OSError:
            continue
        if working.is_relative_to(folder):
            found.append(command)
    return found


def test_a_client_of_the_emulator_goes_to_the_emulator(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "production")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "https://elsewhere.invalid")

    client = Emulator(4999).s3

    assert client.meta.endpoint_url == f"http://{HOST}:4999"
    assert boto3.DEFAULT_SESSION is None or boto3.DEFAULT_SESSION.profile_name != "production"
