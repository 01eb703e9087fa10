"""Orgs, keys and sessions, in the `control` table.

    pk               sk                  what
    org              <org>               the org and its settings (`org_items.py`)
    key#<id>         key                 a key or session with its hash, for authentication
    org#<org>        key#<id>            the same key without its hash, for listing
    org#<org>        session#<id>        the same session without its hash, for listing
    org#<org>        keys                how often a key was made, so that no two are at once
    used#<org>       <id>                the hour in which a key was used last

The two items of a key are written and removed together, in one transaction. The
keys of the platform itself are those of the org `*`, which no org can be called.
A session's items carry the attribute `ttl` and go by themselves.
"""

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from auditlog import clock
from auditlog.errors import ConflictError, LimitReachedError, NotFoundError, UnavailableError
from auditlog.keys import Grant, Key, Person
from auditlog.orgs import Deletion, Org
from auditlog.store import aws
from auditlog.store.items import attributes, values
from auditlog.store.org_items import item_of, org_of, shard_rows

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

_ABSENT = "attribute_not_exists(pk)"
_PRESENT = "attribute_exists(pk)"
_TRIES = 5
#: What is left of a session after its time, so that a list can show that it ended.
_SESSION_KEPT = clock.DAY
_USE_KEPT = 400 * clock.DAY


class ControlStore:
    """Reads and writes orgs and keys. Safe to share between threads."""

    def __init__(self, client: "DynamoDBClient", table: str) -> None:
        self._client = client
        self._table = table

    # -- orgs -------------------------------------------------------------------------------

    def create_org(self, org: Org, first_key: Key) -> None:
        """Makes an org with its first key, or neither.

        Raises `ConflictError` where the org exists, also where it was deleted. Six
        write units (three items in a transaction).
        """
        try:
            self._write(*map(_put_new, (item_of(org), *_key_items(first_key))))
        except aws.ConditionFailedError:
            raise ConflictError(f"The org {org.name} exists already, or did.") from None

    def save_org(self, org: Org) -> Org:
        """Stores an org as changed since it was read, with its next `revision`.

        Raises `ConflictError` where somebody else has changed it meanwhile: read it
        again. A write unit for each KB, which is one or two.
        """
        saved = replace(org, revision=org.revision + 1)
        condition, bound = "revision = :before", {":before": org.revision}
        if not org.revision:
            condition, bound = "attribute_exists(pk) AND attribute_not_exists(revision)", {}
            condition = f"({condition}) OR revision = :zero"
            bound = {":zero": 0}
        try:
            with aws.translated("dynamodb:PutItem"):
                self._client.put_item(
                    TableName=self._table,
                    Item=attributes(item_of(saved)),
                    ConditionExpression=condition,
                    ExpressionAttributeValues=attributes(bound),
                )
        except aws.ConditionFailedError:
            raise ConflictError(f"The org {org.name} was changed meanwhile.") from None
        return saved

    def mark_deleted(self, name: str, asked_by: str, now: int) -> Org | None:
        """Ends an org: from now on it is not to be reached. None where there is none.

        What is left of it is for `erase` to remove. Raises `ConflictError` under a hold.
        Does nothing where it was ended before. Three units or so.
        """
        for _ in range(_TRIES):
            org = self.any_org(name)
            if org is None or org.deletion is not None:
                return org
            if org.hold is not None:
                raise ConflictError("The org is under a hold: nothing of it may be removed.")
            try:
                return self.save_org(replace(org, deletion=Deletion(now, asked_by)))
            except ConflictError:
                continue
        raise UnavailableError("The org is being changed by others; send the same again.")

    def change_shards(self, org: Org, shards: tuple[tuple[int, int], ...]) -> None:
        """Changes an org's shards, of which nobody has changed anything meanwhile.

        Raises `ConflictError` where somebody has. One write unit.
        """
        changed = shard_rows(replace(org, shards=shards))
        bound = {":old": shard_rows(org), ":new": changed, ":zero": 0, ":one": 1}
        same = "shards = :old" if shard_rows(org) else "attribute_not_exists(shards)"
        counted = (
            "version = if_not_exists(version, :one) + :one, "
            "revision = if_not_exists(revision, :zero) + :one"
        )
        try:
            with aws.translated("dynamodb:UpdateItem"):
                self._client.update_item(
                    TableName=self._table,
                    Key=attributes({"pk": "org", "sk": org.name}),
                    UpdateExpression=f"SET {counted}, shards = :new"
                    if changed
                    else f"SET {counted} REMOVE shards",
                    ConditionExpression=f"attribute_exists(pk) AND {same}",
                    ExpressionAttributeValues=attributes(bound),
                )
        except aws.ConditionFailedError:
            raise ConflictError(f"The shards of {org.name} were changed meanwhile.") from None

    def org(self, name: str) -> Org | None:
        """An org by its name, strongly consistent; one read unit. None once it is deleted."""
        org = self.any_org(name)
        return None if org is None or org.deletion else org

    def any_org(self, name: str) -> Org | None:
        """As `org`, and also one that is being deleted, or was."""
        found = self._get("org", name)
        return None if found is None else org_of(found)

    def orgs(self) -> Iterator[Org]:
        """Every org, by name, deleted ones too; half a read unit for each 4 KB, some 20 orgs."""
        return map(org_of, self._query("org", ""))

    def orgs_after(self, name: str, most: int) -> list[Org]:
        """Up to `most` orgs behind a name, in order; half a read unit for each 4 KB."""
        with aws.translated("dynamodb:Query"):
            found = self._client.query(
                TableName=self._table,
                KeyConditionExpression="pk = :pk AND sk > :after",
                ExpressionAttributeValues=attributes({":pk": "org", ":after": name or " "}),
                Limit=most,
            )
        return [org_of(values(item)) for item in found["Items"]]

    # -- keys -------------------------------------------------------------------------------

    def create_key(self, key: Key, *, most: int | None = None) -> None:
        """Stores a new key, or session; of keys an org has at most `most`.

        Raises what `check_room` does. Atomic; four write units (two
        items in a transaction), and where there is a limit two more and a listing.
        """
        if most is None:
            self._write(*map(_put_new, _key_items(key)))
            return
        for _ in range(_TRIES):
            changes = self._changes(key.org)
            self.check_room(key.org, most, key.created_at)
            try:
                self._write(*map(_put_new, _key_items(key)), _one_more_key(key.org, changes))
            except aws.ConditionFailedError:
                continue  # Another was made at the same time: count again.
            return
        raise UnavailableError("Too many keys are being made at once; send the same again.")

    def key(self, key_id: str) -> Key | None:
        """A key or session by its id, strongly consistent; one read unit."""
        found = self._get(f"key#{key_id}", "key")
        return None if found is None else _key(key_id, found["org"], found)

    def keys(self, org: str) -> list[Key]:
        """An org's keys, oldest first, with empty hashes and their last use; strongly consistent.

        Two read units for each 4 KB, some 20 keys.
        """
        used = {item["sk"]: item["at"] for item in self._query(f"used#{org}", "")}
        return [replace(key, used_at=used.get(key.id)) for key in self._listed(org, "key#")]

    def sessions(self, org: str) -> list[Key]:
        """An org's sessions that were not revoked, oldest first; as `keys`."""
        return self._listed(org, "session#")

    def replace_key(self, old: Key, new: Key, expires_at: int, *, most: int | None = None) -> None:
        """Stores a key in the place of another one, which expires then.

        Raises what `check_room` does, and `NotFoundError` where the org has no such key, or
        it was replaced already. Atomic; eight write units, and where there is a limit two
        more and a listing.
        """
        for _ in range(_TRIES):
            counted: list[dict[str, Any]] = []
            if most is not None:
                counted = [_one_more_key(old.org, self._changes(old.org))]
                self.check_room(old.org, most, new.created_at, replaced=True)
            replaced = (_replaced(place, new.id, expires_at) for place in _places(old))
            try:
                self._write(*counted, *map(_put_new, _key_items(new)), *replaced)
            except aws.ConditionFailedError:
                found = self.key(old.id)
                if found is None or found.replaced_by is not None:
                    raise NotFoundError("No such key, or it was replaced already.") from None
                continue  # Another key was made at the same time: count again.
            return
        raise UnavailableError("Too many keys are being made at once; send the same again.")

    def check_room(self, org: str, most: int, now: int, *, replaced: bool = False) -> None:
        """Raises `LimitReachedError` where an org has `most` keys already.

        Those that were replaced and are still good are counted by themselves, or alone if
        `replaced`: of them, too, there are at most as many. Costs a listing.
        """
        listed = self._listed(org, "key#")
        waiting = sum(key.replaced_by is not None and key.is_live(now) for key in listed)
        if (waiting if replaced else len(listed) - waiting) >= most:
            raise LimitReachedError.of_keys(most)

    def delete_key(self, org: str, key_id: str, *, session: bool = False) -> None:
        """Revokes a key, or session, of this org; `NotFoundError` where it has no such one.

        Atomic; four write units. Containers that have it cached go on taking it for
        as long as `authentication.KEY_CACHED_FOR` says.
        """
        kind = "session" if session else "key"
        places = [(f"org#{org}", f"{kind}#{key_id}"), (f"key#{key_id}", "key")]
        try:
            self._write(
                *(
                    {
                        "Delete": {
                            "Key": attributes({"pk": pk, "sk": sk}),
                            "ConditionExpression": _PRESENT,
                        }
                    }
                    for pk, sk in places
                )
            )
        except aws.ConditionFailedError:
            raise NotFoundError(f"No such {kind}.") from None

    def say_used(self, org: str, key_id: str, hour: int) -> None:
        """Notes that a key was used in an hour (microseconds). One write unit.

        Nobody waits for it, and nothing depends on it.
        """
        with aws.translated("dynamodb:UpdateItem"):
            self._client.update_item(
                TableName=self._table,
                Key=attributes({"pk": f"used#{org}", "sk": key_id}),
                UpdateExpression="SET #at = :at, #ttl = :ttl",
                ExpressionAttributeNames={"#at": "at", "#ttl": "ttl"},
                ExpressionAttributeValues=attributes(
                    {":at": hour, ":ttl": (hour + _USE_KEPT) // clock.SECOND}
                ),
            )

    def _changes(self, org: str) -> int:
        """How often a key of the org was made, or replaced."""
        return (self._get(f"org#{org}", "keys") or {}).get("changes", 0)

    def _listed(self, org: str, prefix: str) -> list[Key]:
        found = self._query(f"org#{org}", prefix)
        listed = [_key(item["sk"].removeprefix(prefix), org, item) for item in found]
        return sorted(listed, key=lambda key: (key.created_at, key.id))

    def _write(self, *writes: dict[str, dict[str, Any]]) -> None:
        items: Any = [
            {kind: {"TableName": self._table, **write} for kind, write in each.items()}
            for each in writes
        ]
        with aws.translated("dynamodb:TransactWriteItems"):
            self._client.transact_write_items(TransactItems=items)

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


def _put_new(item: dict[str, Any]) -> dict[str, Any]:
    return {"Put": {"Item": attributes(item), "ConditionExpression": _ABSENT}}


def _replaced(place: tuple[str, str], by: str, expires_at: int) -> dict[str, Any]:
    """An item of a key that is good for a while yet, beside the one that took its place."""
    pk, sk = place
    return {
        "Update": {
            "Key": attributes({"pk": pk, "sk": sk}),
            "UpdateExpression": "SET expires_at = :at, replaced_by = :new",
            "ConditionExpression": f"{_PRESENT} AND attribute_not_exists(replaced_by)",
            "ExpressionAttributeValues": attributes({":at": expires_at, ":new": by}),
        }
    }


def _one_more_key(org: str, changes: int) -> dict[str, Any]:
    """That nobody has made a key since `changes` were counted."""
    return {
        "Update": {
            "Key": attributes({"pk": f"org#{org}", "sk": "keys"}),
            "UpdateExpression": "SET changes = :next",
            "ConditionExpression": "changes = :seen OR attribute_not_exists(changes)",
            "ExpressionAttributeValues": attributes({":seen": changes, ":next": changes + 1}),
        }
    }


def _places(key: Key) -> list[tuple[str, str]]:
    kind = "key" if key.person is None else "session"
    return [(f"key#{key.id}", "key"), (f"org#{key.org}", f"{kind}#{key.id}")]


def _key_items(key: Key) -> tuple[dict[str, Any], dict[str, Any]]:
    listed: dict[str, Any] = {
        "name": key.name,
        "grants": [grant.value for grant in key.grants],
        "created_at": key.created_at,
        "expires_at": key.expires_at,
    }
    if key.person is not None and key.expires_at is not None:
        listed["person"] = {"id": key.person.id, "name": key.person.name}
        listed["ttl"] = (key.expires_at + _SESSION_KEPT) // clock.SECOND
    (pk, sk), (list_pk, list_sk) = _places(key)
    return (
        {"pk": pk, "sk": sk, "org": key.org, "hash": key.hash, **listed},
        {"pk": list_pk, "sk": list_sk, **listed},
    )


def _key(key_id: str, org: str, item: dict[str, Any]) -> Key:
    person = item.get("person")
    return Key(
        id=key_id,
        org=org,
        name=item["name"],
        grants=tuple(Grant(grant) for grant in item["grants"]),
        created_at=item["created_at"],
        expires_at=item.get("expires_at"),
        hash=item.get("hash", b""),
        person=Person(person["id"], person.get("name")) if person else None,
        replaced_by=item.get("replaced_by"),
    )
