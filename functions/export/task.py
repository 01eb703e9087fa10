"""What a message of the `exports` queue asks for: one step of one export."""

import json
from dataclasses import dataclass
from typing import Any

from auditlog.span import Span
from auditlog.store.slices import FINISH, PLAN, slice_step


@dataclass(frozen=True, slots=True)
class Task:
    """A step: cut the range into slices, write one of them, or put the file together."""

    org: str
    export_id: str
    slice: Span | None = None
    finish: bool = False

    @property
    def step(self) -> str:
        """What it is called among the steps of its export."""
        if self.slice is not None:
            return slice_step(self.slice.first)
        return FINISH if self.finish else PLAN

    def message(self) -> str:
        """The body of its message."""
        body: dict[str, Any] = {"org": self.org, "export_id": self.export_id}
        if self.slice is not None:
            body["slice"] = [self.slice.first, self.slice.end]
        if self.finish:
            body["finish"] = True
        return json.dumps(body)

    @classmethod
    def of(cls, message: str) -> "Task":
        """The task of a message's body."""
        body = json.loads(message)
        bounds = body.get("slice")
        return cls(
            body["org"],
            body["export_id"],
            None if bounds is None else Span(*bounds),
            body.get("finish", False),
        )
