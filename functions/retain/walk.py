"""A walk over rows of the log, oldest first, in batches. Where the time ends, so does it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from auditlog.errors import UnavailableError
from auditlog.store.events import BATCH
from auditlog.store.expiries import Carried
from retain.case import Stores


def _nothing(_rows: list[Carried]) -> None:
    """For a walk that only looks."""


@dataclass(frozen=True, slots=True)
class Walk:
    """What is done on the way.

    `look` sees each row once, and says whether something is to be done to it; `do`
    does it to a batch of those. `save` stores that all before a row is done.
    """

    look: Callable[[Carried], bool]
    save: Callable[[Carried], None]
    do: Callable[[list[Carried]], None] = _nothing

    def over(self, rows: Iterable[Carried], stores: Stores) -> bool:
        """Goes over rows; False where it did not come to their end, and what was done is saved.

        A table that is busy is as if the time were over. A crash does again what came
        after the last save.
        """
        batch: list[Carried] = []
        for number, row in enumerate(rows):
            is_over = stores.is_over
            if is_over or (number and number % stores.saved_every == 0):
                if not self._did(batch):
                    return False
                batch = []
                self.save(row)
                if is_over:
                    return False
            if self.look(row):
                batch.append(row)
            if len(batch) == BATCH:
                if not self._did(batch):
                    return False
                batch = []
        return self._did(batch)

    def _did(self, batch: list[Carried]) -> bool:
        if not batch:
            return True
        try:
            self.do(batch)
        except UnavailableError:
            self.save(batch[0])
            return False
        return True
