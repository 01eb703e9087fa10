"""What a message of the `erasures` queue asks for: to go on with one erasure, or one deletion."""

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """An erasure of an org, or, without one, the deletion of the org."""

    org: str
    erasure_id: str | None = None

    def message(self) -> str:
        """The body of its message."""
        if self.erasure_id is None:
            return json.dumps({"org": self.org, "deletion": True})
        return json.dumps({"org": self.org, "erasure_id": self.erasure_id})

    @classmethod
    def of(cls, message: str) -> "Task":
        """The task of a message's body; raises `KeyError` where it names neither."""
        body = json.loads(message)
        if body.get("deletion") is True:
            return cls(body["org"])
        return cls(body["org"], body["erasure_id"])
