"""Erasures, and deletions of orgs, that stand still are handed in once more."""

import json

from auditlog import clock
from auditlog.orgs import Org
from auditlog.store.erasures import ErasureStore
from auditlog.store.queue import Queue

#: Before this time nothing is taken for stuck.
PATIENCE = clock.HOUR


def hand_in(org: Org, erasures: ErasureStore, queue: Queue, now: int) -> int:
    """Sends the messages of an org's unfinished work again; how many.

    A step that comes twice is done once. Under a hold nothing is waited for: an erasure
    ends itself once it looks, and the hold waits for that. Costs nothing but for orgs of
    which something was ever erased: for those, what `ErasureStore.running` does.
    """
    waiting: list[dict[str, str | bool]] = []
    if org.deletion is not None:
        if org.deletion.completed_at is None and org.deletion.asked_at + PATIENCE <= now:
            waiting = [{"org": org.name, "deletion": True}]
    elif org.erased_at is not None:
        waiting = [
            {"org": org.name, "erasure_id": erasure.id}
            for erasure in erasures.running(org.name)
            if org.hold is not None or erasure.asked_at + PATIENCE <= now
        ]
    for message in waiting:
        queue.send(json.dumps(message), group=org.name)
    return len(waiting)
