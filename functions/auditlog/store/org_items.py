"""An org as an item of the `control` table, and back.

Compatibility: what an older release did not write has the value here that it
meant there.
"""

from typing import Any

from auditlog.layout import UNSHARDED
from auditlog.orgs import Deletion, Limits, Org
from auditlog.policy import Former, Hold


def item_of(org: Org) -> dict[str, Any]:
    """The whole item, with its keys."""
    hold, deletion = org.hold, org.deletion
    return {
        "pk": "org",
        "sk": org.name,
        "retention_days": org.retention_days,
        "created_at": org.created_at,
        "shards": shard_rows(org),
        "hold": None if hold is None else [hold.reason, hold.placed_at, hold.effective_at],
        "purged_before": org.purged_before,
        "former": [[f.days, f.ended_at, f.reached] for f in org.former],
        "changed_at": org.changed_at,
        "carried_from": org.carried_from,
        "record_reads": org.record_reads,
        "limits": [org.limits.events_per_day, org.limits.exports_at_once, org.limits.keys],
        "version": org.version,
        "revision": org.revision,
        "erased_at": org.erased_at,
        "deletion": None
        if deletion is None
        else [deletion.asked_at, deletion.asked_by, deletion.completed_at, deletion.events],
    }


def org_of(item: dict[str, Any]) -> Org:
    """The org of an item."""
    shards = tuple((since, number) for since, number in item.get("shards") or UNSHARDED)
    limits = item.get("limits")
    return Org(
        name=item["sk"],
        retention_days=item.get("retention_days"),
        created_at=item["created_at"],
        shards=shards,
        hold=Hold(*item["hold"]) if item.get("hold") else None,
        purged_before=item.get("purged_before", 0),
        former=tuple(Former(*each) for each in item.get("former") or ()),
        changed_at=item.get("changed_at", 0),
        carried_from=item.get("carried_from", 0),
        record_reads=item.get("record_reads", False),
        limits=Limits(*limits) if limits else Limits(),
        version=item.get("version", 1),
        revision=item.get("revision", 0),
        erased_at=item.get("erased_at"),
        deletion=Deletion(*item["deletion"]) if item.get("deletion") else None,
    )


def shard_rows(org: Org) -> list[list[int]] | None:
    """An org's shards as they are stored; None where it never had but one."""
    return None if org.shards == UNSHARDED else [list(change) for change in org.shards]
