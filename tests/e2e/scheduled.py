"""What the scheduled functions work on: a past that cannot be published today, and a run."""

import base64
import hashlib
import json
import zlib
from datetime import datetime
from typing import Any

import rfc8785

from tests.e2e.client import Org, aws


def plant(org: Org, moment: datetime, **fields: Any) -> str:
    """Puts an event into the table as the service wrote it at the time; its id."""
    data = rfc8785.dumps(
        {
            "actor": {"id": "u-1"},
            "occurred_at": moment.isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "org": org.name,
            "salt": "AAAAAAAAAAAAAAAAAAAAAA",
            "type": "repo.create",
            "v": 1,
            **fields,
        }
    )
    time = int(moment.timestamp()) * 1_000_000 + moment.microsecond
    packed = zlib.compressobj(wbits=-15)
    item_id = base64.b32hexencode(time.to_bytes(8, "big") + hashlib.sha256(data).digest()[:16])
    event_id = item_id.decode()[:39].lower()
    item: dict[str, Any] = {
        "pk": {"S": org.name},
        "sk": {"S": event_id},
        # 0x01 and raw DEFLATE; what does not use the dictionary reads as well.
        "r": {"B": b"\x01" + packed.compress(data) + packed.flush()},
        "t": {"S": "repo.create"},
        "at": {"N": str(time)},
    }
    if "description" not in fields:
        item["s"] = {"BOOL": True}
    aws(org.stack, "dynamodb").put_item(TableName=org.stack["events_table"], Item=item)
    return event_id


def run_schedule(stack: dict[str, Any], function: str) -> dict[str, int]:
    """Calls a scheduled function as its rule does; what it answers."""
    functions = aws(stack, "lambda")
    pages = functions.get_paginator("list_functions").paginate()
    names = [found["FunctionName"] for page in pages for found in page["Functions"]]
    (name,) = [name for name in names if f"-{function}" in name]
    answer = functions.invoke(FunctionName=name, Payload=b"{}")
    said = json.load(answer["Payload"])
    assert "FunctionError" not in answer, said
    return said
