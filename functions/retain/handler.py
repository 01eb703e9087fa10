"""On a schedule: applies each org's policy to what its log holds.

What one run does not reach is the next one's. Until then nobody sees what is past
its time: reads clamp to the policy.
"""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock, trail
from auditlog.catalog import Catalog
from auditlog.errors import AuditlogError, UnavailableError
from auditlog.orgs import Org
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.control import ControlStore
from auditlog.store.digests import DigestStore
from auditlog.store.erasures import ErasureStore
from auditlog.store.expiries import ExpiryStore
from auditlog.store.queue import Queue
from auditlog.store.retention import RetentionStore
from auditlog.telemetry import count, logger, metered
from retain import stuck
from retain.case import Stores
from retain.turns import take_turns

#: Milliseconds kept back from the function's time, to finish a batch and the log.
_MARGIN_MS = 15_000


@metered
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Lambda's entry: a scheduled event."""
    stores = _stores(
        clock.monotonic() + (context.get_remaining_time_in_millis() - _MARGIN_MS) / 1e3
    )
    names = ("orgs", "deleted", "extended", "unfinished", "overdue")
    done: dict[str, Any] = dict.fromkeys(names, 0)
    orgs = list(stores.control.orgs())
    for org in orgs:
        _hand_in(org, stores)
    for name, told in take_turns([org for org in orgs if not org.deletion], stores).items():
        done["orgs"] += 1
        done["deleted"] += told.deleted
        done["extended"] += told.extended
        done["unfinished"] += not told.is_whole
        if told.error is not None:
            logger.error("org", org=name, exc_info=told.error)
        if told.overdue_since is not None:
            done["overdue"] += 1
            logger.warning("overdue", org=name, oldest=clock.text(told.overdue_since))
    count("EventsDeleted", done["deleted"])
    count("EventsExtended", done["extended"])
    count("OrgsOverdue", done["overdue"])
    logger.info("retention", **done)
    return done


def _hand_in(org: Org, stores: Stores) -> None:
    """What cannot be handed in now is in the next run."""
    if stores.is_over:
        return
    erasures = ErasureStore(aws.dynamodb(), SETTINGS.control_table)
    queue = Queue(aws.sqs(), SETTINGS.erasures_queue_url)
    try:
        stuck.hand_in(org, erasures, queue, clock.now())
    except UnavailableError:
        return
    except AuditlogError:
        logger.exception("not handed in", org=org.name)


def _stores(deadline: float) -> Stores:
    client = aws.dynamodb()
    return Stores(
        control=ControlStore(client, SETTINGS.control_table),
        log=ExpiryStore(client, SETTINGS.events_table),
        digests=DigestStore(client, SETTINGS.digests_table),
        progress=RetentionStore(client, SETTINGS.control_table),
        erasures=ErasureStore(client, SETTINGS.control_table),
        record=partial(trail.record, catalog=Catalog.default()),
        deadline=deadline,
        now=clock.now,
    )
