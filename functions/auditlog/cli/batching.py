"""Events cut into what one request or one message may carry."""

from collections.abc import Iterable, Iterator

from auditlog.cli.reading import Item

MAX_EVENTS = 1_000
MAX_BYTES = 1 << 20


def batches(items: Iterable[Item], most: int, room: int) -> Iterator[list[Item]]:
    """Lists of at most `most` items whose texts, with a comma after each, fit in `room` bytes.

    An item that does not fit alone comes alone, for the receiver to refuse.
    """
    batch: list[Item] = []
    taken = 0
    for item in items:
        size = len(item.text.encode("utf-8", "surrogatepass")) + 1
        if batch and (len(batch) == most or taken + size > room):
            yield batch
            batch, taken = [], 0
        batch.append(item)
        taken += size
    if batch:
        yield batch
