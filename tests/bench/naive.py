"""The naive way, in a process of its own: boto3's resource, native maps, `json.dumps`, `gzip`."""

import gzip
import io
import json
import sys
import time
from collections.abc import Iterable
from typing import Any

import boto3
from boto3.dynamodb.conditions import Key

from tests.bench import large
from tests.bench.large import Entry
from tests.bench.measure import in_a_process, most_memory

_MODULE = "tests.bench.naive"


def fill(client: Any, table: str, entries: Iterable[Entry]) -> None:
    """The same records as native maps, as the naive writer keeps them."""
    large.send(client, table, entries, _put)


def _put(entry: Entry) -> str:
    # Numbers with a fraction are text: the resource takes no float.
    record = json.loads(entry.record.data, parse_float=str)
    item = {"pk": large.ORG, "sk": entry.record.id, **record}
    return json.dumps({"PutRequest": {"Item": {name: _native(item[name]) for name in item}}})


def _native(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case dict():
            return {"M": {name: _native(each) for name, each in value.items()}}
        case list():
            return {"L": [_native(each) for each in value]}
        case None:
            return {"NULL": True}
        case _:
            return {"S": value}


def run(url: str, table: str) -> dict[str, Any]:
    """Exports a table; `wall` and `cpu` in seconds, `events`, `bytes`, and `memory` in MB."""
    return in_a_process(_MODULE, {"url": url, "table": table})


def _exported(url: str, table: str) -> tuple[int, int]:
    """How many events, in how many bytes."""
    native, events, file, start = _table(url, table), 0, io.BytesIO(), {}
    with gzip.GzipFile(fileobj=file, mode="wb", compresslevel=6) as packed:
        while True:
            page = native.query(KeyConditionExpression=Key("pk").eq(large.ORG), **start)
            for item in page["Items"]:
                packed.write(json.dumps(item, default=str).encode() + b"\n")
            events += len(page["Items"])
            if "LastEvaluatedKey" not in page:
                break
            start = {"ExclusiveStartKey": page["LastEvaluatedKey"]}
    return events, len(file.getvalue())


def _table(url: str, name: str) -> Any:
    resource = boto3.resource(
        "dynamodb",
        endpoint_url=url,
        aws_access_key_id="test",
        aws_secret_access_key="test",
        region_name="us-east-1",
    )
    return resource.Table(name)


def _main(url: str, table: str) -> dict[str, Any]:
    wall, cpu = time.perf_counter(), time.process_time()
    events, size = _exported(url, table)
    return {
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "events": events,
        "bytes": size,
        "memory": most_memory(),
    }


if __name__ == "__main__":
    print(json.dumps(_main(**json.load(sys.stdin))))
