"""What the tests of the handlers share: a deployment in one process, called as AWS would call it.

All tables are dynoxide's; S3, SQS and Secrets Manager are moto's.
"""

import base64
import gzip
import io
import itertools
import json
import secrets
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from aws_lambda_powertools.utilities.typing import LambdaContext
from moto import mock_aws
from moto.backends import get_backend
from moto.core.models import DEFAULT_ACCOUNT_ID, MockAWS, botocore_stubber

import console.handler
import erase.handler
import export.handler
import export.worker
import manage.handler
import publish.handler
import query.handler
import record.handler
from auditlog import bootstrap, clock, keys, routes, telemetry
from auditlog.keys import Grant
from auditlog.settings import SETTINGS
from auditlog.store import aws, rows
from auditlog.store.control import ControlStore
from auditlog.store.events import EventStore
from auditlog.store.exports import ExportStore
from auditlog.store.reader import Reader
from tests.engines import Dynoxide, unsigned

EVENTS = Path(__file__).parents[2] / "events"
FUNCTIONS: Mapping[str, ModuleType] = {
    "publish": publish.handler,
    "query": query.handler,
    "manage": manage.handler,
    "export": export.handler,
    "console": console.handler,
}
ORG = "acme"
SECRET = "the secret of a deployment that is never rotated"

_numbers = itertools.count(1)


def sample(name: str) -> Any:
    """A file of `events/`, like `publish/repo` or `triggers/sqs-record`."""
    return json.loads((EVENTS / f"{name}.json").read_text())


def an_event(**changes: Any) -> dict[str, Any]:
    """A good event, unlike every other; a change to None leaves the field out."""
    number = next(_numbers)
    event = {
        "type": "repo.create",
        "occurred_at": clock.text(clock.now() - clock.MINUTE),
        "actor": {"id": "usr_1", "name": "Ada"},
        "key": f"k-{number}",
    } | changes
    return {name: value for name, value in event.items() if value is not None}


def events_at(*moments: int, **changes: Any) -> list[dict[str, Any]]:
    """One good event for each moment (microseconds)."""
    return [an_event(occurred_at=clock.text(moment), **changes) for moment in moments]


class Context(LambdaContext):
    """What Lambda hands to a handler beside the event."""

    _function_name = "auditlog"
    _memory_limit_in_mb = 512
    _invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:auditlog"
    _aws_request_id = "2f5f3b52-0000-4000-8000-000000000000"

    def __init__(self, milliseconds: int = 60_000) -> None:
        self.get_remaining_time_in_millis = lambda: milliseconds


@dataclass(frozen=True)
class Response:
    """What API Gateway would send to the client."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    def header(self, name: str) -> str | None:
        return {key.lower(): value for key, value in self.headers.items()}.get(name.lower())

    def is_problem(self, status: int) -> dict[str, Any]:
        """The problem document, after looking at its envelope."""
        assert self.status == status, self.text
        assert self.header("content-type") == "application/problem+json"
        document = self.json
        assert {"type", "title", "status", "detail", "request_id"} <= set(document)
        assert set(document) <= {"type", "title", "status", "detail", "request_id", "errors"}
        assert document["type"].startswith("urn:auditlog:problem:")
        assert document["status"] == status
        assert document["request_id"]
        for error in document.get("errors", []):
            assert error["detail"]
            assert set(error) <= {"pointer", "parameter", "detail"}
            assert not {"pointer", "parameter"} <= set(error)
        return document


@dataclass
class World:
    """One deployment. Replace a client by a faulty one to see what becomes of it."""

    dynamodb: Any
    log_rows: Any
    s3: Any
    sqs: Any
    secretsmanager: Any
    events_table: str
    control_table: str
    digests_table: str
    bucket: str = "exports"
    queues: dict[str, str] = field(default_factory=dict)
    admin_key: str = ""

    @property
    def control(self) -> ControlStore:
        return ControlStore(self.dynamodb, self.control_table)

    @property
    def log(self) -> EventStore:
        return EventStore(self.dynamodb, self.events_table, self.digests_table)

    @property
    def reader(self) -> Reader:
        """Reads what plans ask of the log."""
        return Reader(self.log)

    @property
    def tables(self) -> tuple[str, str, str]:
        """The names of all tables."""
        return self.events_table, self.control_table, self.digests_table

    @property
    def exports(self) -> ExportStore:
        return ExportStore(self.dynamodb, self.control_table)

    def org(self, name: str, retention_days: int | None = None) -> str:
        """Make an org; its admin key."""
        made = bootstrap.create_org(
            self.control, name, retention_days=retention_days, now=clock.now()
        )
        return made.secret

    def key(self, *grants: Grant, org: str = ORG, expires_at: int | None = None) -> str:
        """Make a key in the table."""
        minted = keys.mint(
            org, "a key", grants, now=clock.now(), expires_at=expires_at, random=secrets.token_bytes
        )
        self.control.create_key(minted.key)
        return minted.secret

    def call(
        self,
        method: str,
        path: str,
        *,
        key: str | None = "admin",
        body: Any = None,
        query: str | Mapping[str, Any] = "",
        headers: Mapping[str, str] | None = None,
        base64_encoded: bool = False,
    ) -> Response:
        """Call the function to which API Gateway would give this request.

        `body` is sent as it is where it is text or bytes (those as base64), else as JSON.
        """
        route = next((r for r in routes.ROUTES if _fits(r, method, path)), None)
        event = sample("triggers/http-publish")
        event["routeKey"] = f"{method} {route.path}" if route else "$default"
        event["rawPath"] = path
        event["rawQueryString"] = query if isinstance(query, str) else urlencode(query, doseq=True)
        event["requestContext"]["routeKey"] = event["routeKey"]
        event["requestContext"]["http"] |= {"method": method, "path": path}
        given = self.admin_key if key == "admin" else key
        event["headers"] = {
            "content-type": "application/json",
            "user-agent": "a test",
            **({} if given is None else {"authorization": f"Bearer {given}"}),
            **(headers or {}),
        }
        event["isBase64Encoded"] = base64_encoded or isinstance(body, bytes)
        if isinstance(body, bytes):
            event["body"] = base64.b64encode(body).decode()
        else:
            event["body"] = body if body is None or isinstance(body, str) else json.dumps(body)
        function = FUNCTIONS[route.function if route else "query"]
        return self.answer(function, event)

    @staticmethod
    def answer(function: ModuleType, event: Any) -> Response:
        """Call a function with a whole event of API Gateway."""
        given = function.handler(event, Context())
        given["body"].encode()  # a lone surrogate could not be sent
        json.dumps(given)
        return Response(given["statusCode"], given["headers"], given["body"])

    def publish(self, *events: dict[str, Any], org: str = ORG, key: str = "admin") -> list[str]:
        """Publish over HTTP, a thousand at a time; the ids."""
        ids: list[str] = []
        for start in range(0, len(events), 1_000):
            body = {"events": events[start : start + 1_000]}
            answer = self.call("POST", f"/v1/orgs/{org}/events", key=key, body=body)
            assert answer.status == 201, answer.text
            ids += [event["id"] for event in answer.json["events"]]
        return ids

    def search(self, *, org: str = ORG, key: str = "admin", **query: Any) -> Response:
        return self.call("GET", f"/v1/orgs/{org}/events", key=key, query=query)

    def record(self, *messages: dict[str, Any]) -> list[str]:
        """Give the inbox's messages to the function; the ids of those that must come again."""
        answer = record.handler.handler({"Records": list(messages)}, Context())
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]

    def received(self, queue: str) -> list[dict[str, Any]]:
        """Take every message out of a queue."""
        found: list[dict[str, Any]] = []
        while True:
            messages = self.sqs.receive_message(
                QueueUrl=self.queues[queue],
                MaxNumberOfMessages=10,
                MessageAttributeNames=["All"],
                MessageSystemAttributeNames=["All"],
            ).get("Messages", [])
            if not messages:
                return found
            for message in messages:
                self.sqs.delete_message(
                    QueueUrl=self.queues[queue], ReceiptHandle=message["ReceiptHandle"]
                )
            found += messages

    def ask_export(self, **asked: Any) -> str:
        """Ask for an export; its id."""
        body = {"format": "ndjson", "compression": "none"} | asked
        answer = self.call("POST", f"/v1/orgs/{ORG}/exports", body=body)
        assert answer.status == 202, answer.text
        return answer.json["id"]

    def open_session(self, person: str = "usr_1", **asked: Any) -> str:
        """Open a session; its id."""
        body = {"actor": {"id": person}} | asked
        answer = self.call("POST", f"/v1/orgs/{ORG}/sessions", body=body)
        assert answer.status == 201, answer.text
        return answer.json["id"]

    def ask_erasure(self, **asked: Any) -> str:
        """Ask for an erasure; its id."""
        body = {"reason": "they asked for it"} | asked
        answer = self.call("POST", f"/v1/orgs/{ORG}/erasures", body=body)
        assert answer.status == 202, answer.text
        return answer.json["id"]

    def work(self) -> int:
        """Give the messages of the exports queue to workers until none is left; how many."""
        return sum(1 for _ in iter(self.deliver, False))

    def deliver(
        self, sqs: Any = None, *, tries: int | None = None, milliseconds: int = 900_000
    ) -> bool:
        """Give the next message of the exports queue to a worker; False where there is none.

        What the worker raises is raised, and the message is there again. `sqs` is the
        client that delivers, where the workers' own is a faulty one.
        """
        queue = {"QueueUrl": self.queues["exports"]}
        sqs = sqs or self.sqs
        found = sqs.receive_message(
            **queue, MaxNumberOfMessages=1, MessageSystemAttributeNames=["All"]
        ).get("Messages")
        if not found:
            return False
        [got] = found
        receipt = queue | {"ReceiptHandle": got["ReceiptHandle"]}
        event = sample("triggers/sqs-export")
        [message] = event["Records"]
        message["messageId"] = got["MessageId"]
        message["receiptHandle"] = got["ReceiptHandle"]
        message["body"] = got["Body"]
        received = got["Attributes"]["ApproximateReceiveCount"]
        message["attributes"]["ApproximateReceiveCount"] = str(tries or received)
        try:
            assert export.worker.handler(event, Context(milliseconds)) == {"batchItemFailures": []}
        except BaseException:
            sqs.change_message_visibility(**receipt, VisibilityTimeout=0)
            raise
        sqs.delete_message(**receipt)
        return True

    def erase(self, milliseconds: int = 900_000) -> int:
        """Give the messages of the erasures queue to the function until none is left; how many."""
        return sum(1 for _ in iter(lambda: self.deliver_erasure(milliseconds), False))

    def deliver_erasure(self, milliseconds: int = 900_000, sqs: Any = None) -> bool:
        """Give it the next message; False where there is none. As `deliver`, whoever raises."""
        queue = {"QueueUrl": self.queues["erasures"]}
        sqs = sqs or self.sqs
        found = sqs.receive_message(**queue, MaxNumberOfMessages=1).get("Messages")
        if not found:
            return False
        [got] = found
        receipt = queue | {"ReceiptHandle": got["ReceiptHandle"]}
        event = sample("triggers/sqs-erase")
        event["Records"][0] |= {"messageId": got["MessageId"], "body": got["Body"]}
        try:
            assert erase.handler.handler(event, Context(milliseconds)) == {"batchItemFailures": []}
        except BaseException:
            sqs.change_message_visibility(**receipt, VisibilityTimeout=0)
            raise
        sqs.delete_message(**receipt)
        return True

    def shown(self, export_id: str) -> dict[str, Any]:
        answer = self.call("GET", f"/v1/orgs/{ORG}/exports/{export_id}")
        assert answer.status == 200, answer.text
        return answer.json

    def file(self, export_id: str) -> bytes:
        """The finished file, by its key."""
        found = self.exports.get(ORG, export_id)
        assert found is not None
        return self.s3.get_object(Bucket=self.bucket, Key=found.object_key)["Body"].read()

    def objects(self) -> list[str]:
        """The keys of all objects in the bucket."""
        listed = self.s3.list_objects_v2(Bucket=self.bucket)
        return [found["Key"] for found in listed.get("Contents", [])]

    def rows(self, table: str | None = None) -> list[dict[str, Any]]:
        """Every item of a table (of events where none is named), in order."""
        found: list[dict[str, Any]] = []
        start: dict[str, Any] = {}
        while True:
            page = self.dynamodb.scan(TableName=table or self.events_table, Limit=1_000, **start)
            found += page["Items"]
            if "LastEvaluatedKey" not in page:
                return sorted(found, key=lambda item: (item["pk"]["S"], item["sk"]["S"]))
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}

    def everything(self) -> Any:
        """All that a refused request must not have changed.

        That a good key was used is noted, whatever it was used for.
        """
        events, control, digests = map(self.rows, self.tables)
        noted = [row for row in control if not row["pk"]["S"].startswith("used#")]
        return events, noted, digests, self.objects()


def _fits(route: routes.Route, method: str, path: str) -> bool:
    wanted, given = route.path.split("/"), path.split("/")
    return (
        route.method == method
        and len(wanted) == len(given)
        and all(w == g or (w[:1] == "{" and g) for w, g in zip(wanted, given, strict=True))
    )


@pytest.fixture(scope="session")
def clients(dynoxide: Dynoxide) -> SimpleNamespace:
    """The clients as the functions make them; DynamoDB's leads to dynoxide."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "test")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "test")
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_CONFIG_FILE", "/nonexistent")
        patch.delenv("AWS_PROFILE", raising=False)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        patch.setenv("AWS_ENDPOINT_URL_DYNAMODB", dynoxide.url)
        names = ("dynamodb", "s3", "sqs", "secretsmanager")
        made = {name: getattr(aws, name).__wrapped__() for name in names}
        made["log_rows"] = rows.client.__wrapped__()
        for name in ("dynamodb", "log_rows"):
            # Here moto would go through all the addresses that it knows.
            made[name].meta.events.unregister("before-send", botocore_stubber)
            unsigned(made[name])
        return SimpleNamespace(**made)


@pytest.fixture(scope="module")
def moto() -> Iterator[MockAWS]:
    """All that moto stands in for; what it stands for by itself is slow to put up."""
    with mock_aws() as started:
        yield started


@pytest.fixture
def world(
    clients: SimpleNamespace, dynoxide: Dynoxide, moto: MockAWS, monkeypatch: pytest.MonkeyPatch
) -> Iterator[World]:
    """A deployment with the org `acme`, empty otherwise.

    There are some 1,500 of them in a run. So what is the same in each is put where the
    engines keep it, past boto3, which would take ten times as long to ask for it.
    """
    suffix = secrets.token_hex(6)
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "auditlog")
    moto.reset()
    made = World(
        dynamodb=clients.dynamodb,
        log_rows=clients.log_rows,
        s3=clients.s3,
        sqs=clients.sqs,
        secretsmanager=clients.secretsmanager,
        events_table=f"events-{suffix}",
        control_table=f"control-{suffix}",
        digests_table=f"digests-{suffix}",
    )
    for table in made.tables:
        dynoxide.create_table(table)
    for name in ("dynamodb", "s3", "sqs", "secretsmanager"):
        monkeypatch.setattr(aws, name, lambda name=name: getattr(made, name))
    monkeypatch.setattr(rows, "client", lambda: made.log_rows)
    aws.secret.cache_clear()
    _kept("s3", "aws").create_bucket(made.bucket, "us-east-1")
    for name in ("inbox", "exports", "rejects", "erasures", "dlq"):
        queue = _kept("sqs").create_queue(name)
        made.queues[name] = queue.url(urlsplit(clients.sqs.meta.endpoint_url))
    secret = dict.fromkeys(
        ("secret_binary", "description", "tags", "kms_key_id", "client_request_token")
    )
    said = _kept("secretsmanager").create_secret(
        "salt", SECRET, **secret, replica_regions=[], force_overwrite=False
    )
    environment = {
        "EVENTS_TABLE": made.events_table,
        "CONTROL_TABLE": made.control_table,
        "DIGESTS_TABLE": made.digests_table,
        "SALT_SECRET_ARN": json.loads(said)["ARN"],
        "EXPORTS_QUEUE_URL": made.queues["exports"],
        "REJECTS_QUEUE_URL": made.queues["rejects"],
        "ERASURES_QUEUE_URL": made.queues["erasures"],
        "INBOX_DLQ_URL": made.queues["dlq"],
        "EXPORTS_BUCKET": made.bucket,
    }
    monkeypatch.setattr(SETTINGS, "_environment", environment)
    made.admin_key = made.org(ORG)
    yield made
    for table in made.tables:
        dynoxide.delete_table(table)
    aws.secret.cache_clear()


def _kept(service: str, region: str = "us-east-1") -> Any:
    """What moto has of a service."""
    find: Any = get_backend
    return find(service)[DEFAULT_ACCOUNT_ID][region]


@pytest.fixture
def logged(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """What the functions write to their logs, line by line."""
    written = io.StringIO()
    for handler in telemetry.logger._logger.handlers:
        monkeypatch.setattr(handler, "stream", written)
    return written


def message(
    body: Any, *, sent_at: int | None = None, attributes: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """A message of the inbox as Lambda hands it over; `sent_at` in milliseconds."""
    number = next(_numbers)
    raw = sample("triggers/sqs-record")["Records"][0]
    raw["messageId"] = f"m-{number}"
    raw["body"] = body if isinstance(body, str) else json.dumps(body)
    raw["attributes"]["SentTimestamp"] = str(clock.now() // 1_000 if sent_at is None else sent_at)
    raw["messageAttributes"] = {
        name: {"stringValue": value, "dataType": "String"}
        for name, value in (attributes or {}).items()
    }
    return raw


def zipped(value: Any) -> bytes:
    return gzip.compress(value if isinstance(value, bytes) else json.dumps(value).encode())


#: Decides about one call of a client: its method's name, its number, the call itself.
Fault = Callable[[str, int, Callable[[], Any]], Any]


_counting = threading.Lock()


class Watched:
    """A client whose every call passes through `fault`; paginators take the same way."""

    def __init__(self, client: Any, fault: Fault, calls: list[str] | None = None) -> None:
        self._client = client
        self._fault = fault
        self.calls: list[str] = [] if calls is None else calls

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._client, name)
        if name in {"meta", "exceptions", "generate_presigned_url"}:
            return method

        def called(**arguments: Any) -> Any:
            # The reads of a round trip are made at the same time: each has its own number.
            with _counting:
                number = len(self.calls)
                self.calls.append(name)
            return self._fault(name, number, lambda: method(**arguments))

        return called

    def get_paginator(self, name: str) -> Any:
        def paginate(**arguments: Any) -> Iterator[Any]:
            page = getattr(self, name)(**arguments)
            assert not page.get("IsTruncated")
            yield page

        return SimpleNamespace(paginate=paginate)


@dataclass
class Diverted:
    """A client whose PartiQL on one table goes to another client; whatever else is as it was."""

    sound: Any
    table: str
    other: Any

    def batch_execute_statement(self, **arguments: Any) -> Any:
        [table] = {each["Statement"].split('"')[1] for each in arguments["Statements"]}
        client = self.other if table == self.table else self.sound
        return client.batch_execute_statement(**arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.sound, name)


def pages(world: World, **query: Any) -> Iterator[Sequence[dict[str, Any]]]:
    """Every page of a search, by following its cursors."""
    cursor: dict[str, str] = {}
    while True:
        answer = world.search(**query, **cursor)
        assert answer.status == 200, answer.text
        yield answer.json["events"]
        if answer.json["next_cursor"] is None:
            return
        cursor = {"cursor": answer.json["next_cursor"]}
