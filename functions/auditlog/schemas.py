"""What the API answers with, as JSON Schema for the specification."""

from typing import Any

from auditlog import erasures
from auditlog.event import EVENT
from auditlog.exports import State
from auditlog.formats import Compression, Format, Profile
from auditlog.keys import ALL_GRANTS, SESSION_GRANTS, Grant
from auditlog.timeline import INTERVALS

REF = "#/components/schemas/"
_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "string"}
_COUNT = {"type": "integer", "minimum": 0}
_NUMBER = {"type": "number", "minimum": 0}


def answers() -> dict[str, Any]:
    """The shapes of all answers, by name."""
    nullable_time = {"type": ["string", "null"], "format": "date-time"}
    event = EVENT.json_schema(ref_template=REF + "{model}")
    recorded = event["properties"] | {
        "erased_at": {
            **_TIME,
            "description": "Then nothing else is left than type, time, id and `record_hash`.",
        },
        "record_hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
        "org": _TEXT,
        "v": {"const": 1},
        "salt": _TEXT,
        "id": {"type": "string", "pattern": "^[0-9a-v]{39}$"},
        "recorded_at": _TIME,
        "summary": {"type": "string", "description": "There only where `description` is not."},
    }
    key = {
        "id": _TEXT,
        "name": _TEXT,
        "grants": {"type": "array", "items": {"enum": [grant.value for grant in ALL_GRANTS]}},
        "created_at": _TIME,
        "expires_at": nullable_time,
        "last_used_at": nullable_time,
        "replaced_by": {"type": ["string", "null"]},
    }
    nullable_count = {"type": ["integer", "null"]}
    limits = fields(
        events_per_day=nullable_count, exports_at_once=nullable_count, keys=nullable_count
    )
    session = {
        "id": _TEXT,
        "actor": fields(id=_TEXT, name={"type": ["string", "null"]}),
        "grants": array({"enum": [grant.value for grant in SESSION_GRANTS]}),
        "created_at": _TIME,
        "expires_at": _TIME,
    }
    org = {
        "name": _TEXT,
        "state": {"enum": ["active", "deleting", "deleted"]},
        "created_at": _TIME,
        "limits": limits,
        "deletion": {
            "oneOf": [
                {"type": "null"},
                fields(
                    requested_at=_TIME,
                    requested_by=_TEXT,
                    completed_at=nullable_time,
                    events=_COUNT,
                ),
            ]
        },
    }
    return {
        "Health": fields(status={"const": "ok"}),
        "Specification": {"type": "object"},
        "EventTypes": fields(
            event_types=array(
                fields(
                    type=_TEXT,
                    scope=_TEXT,
                    group=_TEXT,
                    description=_TEXT,
                    operation=_TEXT,
                    hidden={"type": "boolean"},
                )
            )
        ),
        "Published": fields(
            recorded=_COUNT,
            duplicates=_COUNT,
            events=array(
                fields(id=_TEXT, type=_TEXT, occurred_at=_TIME, duplicate={"type": "boolean"})
            ),
        ),
        "RecordedEvent": {
            "type": "object",
            "properties": recorded,
            "required": ["type", "occurred_at", "org", "v", "id", "recorded_at"],
        },
        "Page": optional(
            fields(
                events=array({"$ref": REF + "RecordedEvent"}),
                next_cursor={"type": ["string", "null"]},
            ),
            explain=fields(
                items=_COUNT,
                bytes=_COUNT,
                digests_used=_COUNT,
                blocks_skipped=_COUNT,
                read_units=_NUMBER,
                round_trips=_COUNT,
            ),
        ),
        "Timeline": fields(
            interval={"enum": list(INTERVALS)},
            since=_TIME,
            until=_TIME,
            exact={"type": "boolean"},
            covered=fields(since=_TIME, until=_TIME),
            total=_COUNT,
            buckets=array(fields(start=_TIME, events=_COUNT)),
            types=array(fields(type=_TEXT, events=_COUNT)),
            actors=array(optional(fields(id=_TEXT, events=_COUNT), name=_TEXT)),
            countries=array(fields(country=_TEXT, events=_COUNT)),
        ),
        "Key": fields(**key),
        "MintedKey": fields(**key, secret=_TEXT),
        "OpenedSession": fields(**session, token=_TEXT, link=_TEXT),
        "Sessions": fields(sessions=array(fields(**session))),
        "Settings": fields(
            retention_days=nullable_count,
            hold={
                "oneOf": [
                    {"type": "null"},
                    fields(reason=_TEXT, placed_at=_TIME, effective_at=nullable_time),
                ]
            },
            shards=array(fields(since=_TIME, number={"type": "integer", "minimum": 1})),
            record_reads={"type": "boolean"},
            purged_before=nullable_time,
            retention=fields(
                state={"enum": ["current", "working"]},
                last_run_at=nullable_time,
                purge={
                    "oneOf": [
                        {"type": "null"},
                        fields(**{"from": _TIME}, until=_TIME, events=_COUNT, deleted=_COUNT),
                    ]
                },
                removed=_COUNT,
                behind={"type": "boolean"},
            ),
            limits=limits,
        ),
        "Erasure": fields(
            id=_TEXT,
            state={"enum": [state.value for state in erasures.State]},
            of={"enum": ["actor", "target"]},
            reason=_TEXT,
            requested_by=_TEXT,
            created_at=_TIME,
            completed_at=nullable_time,
            events=_COUNT,
            exports=array(_TEXT),
            error={"type": ["string", "null"]},
        ),
        "Erasures": fields(erasures=array({"$ref": REF + "Erasure"})),
        "Org": fields(**org),
        "MadeOrg": fields(**org, key_id=_TEXT, secret=_TEXT),
        "Orgs": fields(orgs=array({"$ref": REF + "Org"}), next={"type": ["string", "null"]}),
        "Keys": fields(keys=array({"$ref": REF + "Key"})),
        "Export": fields(
            id=_TEXT,
            state={"enum": [state.value for state in State]},
            format={"enum": [each.value for each in Format]},
            compression={"enum": [each.value for each in Compression]},
            profile={"enum": [each.value for each in Profile]},
            bom={"type": "boolean"},
            filter={"type": "object", "additionalProperties": array(_TEXT)},
            requested_by=fields(id=_TEXT, name=_TEXT, credential=_TEXT),
            created_at=_TIME,
            completed_at=nullable_time,
            expires_at=nullable_time,
            progress=fields(events=_COUNT, fraction={"type": "number", "minimum": 0, "maximum": 1}),
            events={"type": ["integer", "null"]},
            left_out={"type": ["integer", "null"]},
            bytes={"type": ["integer", "null"]},
            download_url={"type": ["string", "null"], "format": "uri"},
            manifest_url={"type": ["string", "null"], "format": "uri"},
            error={"type": ["string", "null"]},
        ),
        "Exports": fields(exports=array({"$ref": REF + "Export"})),
        "Credential": fields(
            org={"type": ["string", "null"]},
            actor=optional(fields(id=_TEXT, type=_TEXT), name=_TEXT),
            credential=fields(type=_TEXT, id=_TEXT, name=_TEXT),
            grants=array({"enum": [grant.value for grant in Grant]}),
            expires_at=nullable_time,
            records_reads={"type": "boolean"},
        ),
        "Problem": {
            **fields(
                type=_TEXT, title=_TEXT, status={"type": "integer"}, detail=_TEXT, request_id=_TEXT
            ),
            "description": "RFC 9457. `errors` stands there where a place can be named.",
        },
    }


def fields(**properties: Any) -> dict[str, Any]:
    """An object that has all of these."""
    return {"type": "object", "properties": properties, "required": list(properties)}


def optional(shape: dict[str, Any], **properties: Any) -> dict[str, Any]:
    """An object that may have these too."""
    return {**shape, "properties": shape["properties"] | properties}


def array(items: Any) -> dict[str, Any]:
    """A list of these."""
    return {"type": "array", "items": items}
