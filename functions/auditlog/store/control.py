"""Orgs and keys, in the `control` table.

    pk               sk             what
    org              <org>          the org and its settings
    key#<key id>     key            a key with its hash, for authentication
    org#<org>        key#<key id>   the same key without its hash, for listing

The two items of a key are written and removed together, in one transaction.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditlog.errors import ConflictError, NotFoundError
from auditlog.keys import Grant, Key
from auditlog.layout import UNSHARDED
from auditlog.orgs import Org
from auditlog.store import aws
from auditlog.store.items import attributes, values

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ABSENT = "attribute_not_exists(pk)"
_PRESENT = "attribute_exists(pk)"


class ControlStore:
    """Reads and writes orgs and keys. Safe to share between threads."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    def create_org(self, org: Org, first_key: Key) -> None:
        """Makes an org with its first key, or neither.

        Raises `ConflictError` where the org exists. Six write units (three
        items in a transaction).
        """
        item = {
            "pk": "org",
            "sk": org.name,
            "retention_days": org.retention_days,
            "created_at": org.created_at,
            "shards": _rows(org),
        }
        try:
            self._put_new(item, *_key_items(first_key))
        except aws.ConditionFailedError:
            raise ConflictError(f"The org {org.name} exists already.") from None

    def change_shards(self, org: Org, shards: tuple[tuple[int, int], ...]) -> None:
        """Changes an org's shards, of which nobody has changed anything meanwhile.

        Raises `ConflictError` where somebody has. One write unit.
        """
        changed = _rows(replace(org, shards=shards))
        names = {":old": _rows(org), ":new": changed}
        same = "shards = :old" if _rows(org) else "attribute_not_exists(shards)"
        try:
            with aws.translated("dynamodb:UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key=attributes({"pk": "org", "sk": org.name}),
                    UpdateExpression="SET shards = :new" if changed else "REMOVE shards",
                    ConditionExpression=f"attribute_exists(pk) AND {same}",
                    ExpressionAttributeValues=attributes(names),
                )
        except aws.ConditionFailedError:
            raise ConflictError(f"The shards of {org.name} were changed meanwhile.") from None

    def org(self, name: str) -> Org | None:
        """An org by its name, strongly consistent; one read unit."""
        found = self._get("org", name)
        return None if found is None else _org(found)

    def orgs(self) -> Iterator[Org]:
        """Every org, by name; half a read unit for each 4 KB, some 40 orgs."""
        return map(_org, self._query("org", ""))

    def create_key(self, key: Key) -> None:
        """Stores a new key. Atomic; four write units (two items in a transaction)."""
        self._put_new(*_key_items(key))

    def key(self, key_id: str) -> Key | None:
        """A key by its id, strongly consistent; one read unit."""
        found = self._get(f"key#{key_id}", "key")
        return None if found is None else _key(key_id, found["org"], found)

    def keys(self, org: str) -> list[Key]:
        """An org's keys, oldest first, with empty hashes; strongly consistent.

        One read unit for each 4 KB, some 20 keys.
        """
        found = self._query(f"org#{org}", "key#")
        listed = [_key(item["sk"].removeprefix("key#"), org, item) for item in found]
        return sorted(listed, key=lambda key: (key.created_at, key.id))

    def delete_key(self, org: str, key_id: str) -> None:
        """Revokes a key of this org; raises `NotFoundError` where it has no such key.

        Atomic; four write units. Containers that have the key cached go on
        taking it for as long as `http.KEY_CACHED_FOR` says.
        """
        places = [(f"org#{org}", f"key#{key_id}"), (f"key#{key_id}", "key")]
        try:
            with aws.translated("dynamodb:TransactWriteItems"):
                self._client.transact_write_items(
                    TransactItems=[
                        {
                            "Delete": {
                                "TableName": self._table,
                                "Key": attributes({"pk": pk, "sk": sk}),
                                "ConditionExpression": _PRESENT,
                            }
                        }
                        for pk, sk in places
                    ]
                )
        except aws.ConditionFailedError:
            raise NotFoundError("No such key.") from None

    def _put_new(self, *items: dict[str, Any]) -> None:
        with aws.translated("dynamodb:TransactWriteItems"):
            self._client.transact_write_items(
                TransactItems=[
                    {
                        "Put": {
                            "TableName": self._table,
                            "Item": attributes(item),
                            "ConditionExpression": _ABSENT,
                        }
                    }
                    for item in items
                ]
            )

    def _get(self, pk: str, sk: str) -> dict[str, Any] | None:
        with aws.translated("dynamodb:GetItem"):
            found = self._client.get_item(
                TableName=self._table,
                Key=attributes({"pk": pk, "sk": sk}),
                ConsistentRead=True,
            )
        return values(found["Item"]) if "Item" in found else None

    def _query(self, pk: str, prefix: str) -> Iterator[dict[str, Any]]:
        start: dict[str, Any] = {}
        while True:
            condition, bound = "pk = :pk", {":pk": pk}
            if prefix:
                condition, bound = condition + " AND begins_with(sk, :sk)", bound | {":sk": prefix}
            with aws.translated("dynamodb:Query"):
                page = self._client.query(
                    TableName=self._table,
                    KeyConditionExpression=condition,
                    ExpressionAttributeValues=attributes(bound),
                    ConsistentRead=True,
                    **start,
                )
            yield from map(values, page["Items"])
            last = page.get("LastEvaluatedKey")
            if not last:
                return
            start = {"ExclusiveStartKey": last}


def _key_items(key: Key) -> tuple[dict[str, Any], dict[str, Any]]:
    listed = {
        "name": key.name,
        "grants": [grant.value for grant in key.grants],
        "created_at": key.created_at,
        "expires_at": key.expires_at,
    }
    return (
        {"pk": f"key#{key.id}", "sk": "key", "org": key.org, "hash": key.hash, **listed},
        {"pk": f"org#{key.org}", "sk": f"key#{key.id}", **listed},
    )


def _org(item: dict[str, Any]) -> Org:
    changes = item.get("shards") or UNSHARDED
    shards = tuple((since, number) for since, number in changes)
    return Org(item["sk"], item.get("retention_days"), item["created_at"], shards)


def _rows(org: Org) -> list[list[int]] | None:
    """An org's shards as they are stored; None where it never had but one."""
    return None if org.shards == UNSHARDED else [list(change) for change in org.shards]


def _key(key_id: str, org: str, item: dict[str, Any]) -> Key:
    return Key(
        id=key_id,
        org=org,
        name=item["name"],
        grants=tuple(Grant(grant) for grant in item["grants"]),
        created_at=item["created_at"],
        expires_at=item.get("expires_at"),
        hash=item.get("hash", b""),
    )
