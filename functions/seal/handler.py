"""On a schedule: digests the log of every org in which something was written lately.

Searches read digests in the place of the log; see `auditlog/digest.py` for why
they may. What one run does not reach is the next one's.
"""

from functools import partial
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from auditlog import clock
from auditlog.digest import MAX_RUN, WATERMARK
from auditlog.errors import AuditlogError, UnavailableError
from auditlog.event import MAX_AHEAD
from auditlog.settings import SETTINGS
from auditlog.store import aws
from auditlog.store.digests import ACTIVE_SLOT
from auditlog.store.events import EventStore
from auditlog.telemetry import count, logger, metered
from seal.builder import Builder, OutOfTime

#: Milliseconds kept back from the function's time, to store a batch and log.
_MARGIN_MS = 20_000
#: Seconds for one partition, before the others have had their turn.
_SLICE = 20.0
#: After this time everything that was written when it was last said to be has
#: passed the watermark, also what was dated ahead.
_QUIET_AFTER = ACTIVE_SLOT + MAX_AHEAD + WATERMARK


@metered
def handler(_event: dict[str, Any], context: LambdaContext) -> dict[str, int]:
    """Lambda's entry: a scheduled event."""
    deadline = clock.monotonic() + (context.get_remaining_time_in_millis() - _MARGIN_MS) / 1_000
    events = EventStore(aws.dynamodb(), SETTINGS.events_table, SETTINGS.digests_table)
    digests = events.digests
    names = ("partitions", "blocks", "segments", "marks_removed", "unfinished", "failed")
    done: dict[str, Any] = dict.fromkeys(names, 0)
    waiting = _in_turn(list(digests.active()), clock.now())
    while waiting and clock.monotonic() < deadline:
        partition, active_at = waiting.pop(0)
        began, until = clock.now(), min(deadline, clock.monotonic() + _SLICE)
        if not digests.take(partition, began, began + MAX_RUN):
            continue
        builder = Builder(partition, events, began, is_over=partial(_is_past, until))
        try:
            is_quiet = builder.run() and active_at + _QUIET_AFTER < began
            digests.forget_active(partition, active_at if is_quiet else active_at - 1)
            digests.leave(partition)
        except OutOfTime:
            digests.leave(partition)
            waiting.append((partition, active_at))
        except UnavailableError:
            # One partition is busy; the others need not wait for it, and it is
            # free again before long.
            done["unfinished"] += 1
        except AuditlogError:
            # Something is wrong with this one, and will be tomorrow: it is
            # searched without digests, and the others have theirs.
            logger.exception("partition", org=partition)
            done["failed"] += 1
        done["partitions"] += 1
        done["blocks"] += builder.blocks
        done["segments"] += builder.segments
        done["marks_removed"] += builder.marks_removed
    done["unfinished"] += len(waiting)
    count("BlocksDigested", done["blocks"])
    count("PartitionsFailed", done["failed"])
    logger.info("seal", **done)
    return done


def _in_turn(partitions: list[tuple[str, int]], now: int) -> list[tuple[str, int]]:
    """In another order each run, so that the last ones are first at some time."""
    first = now // ACTIVE_SLOT % max(1, len(partitions))
    return partitions[first:] + partitions[:first]


def _is_past(moment: float) -> bool:
    return clock.monotonic() > moment
