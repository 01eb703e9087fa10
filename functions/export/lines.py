"""Events as lines of a file: in its format, in the words of its profile."""

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from auditlog import columns, reference
from auditlog.answers import Answers, Entry, time_of
from auditlog.exports import MOST_TYPES, OTHER_TYPES
from auditlog.formats import Format, Profile


@dataclass(slots=True)
class Lines:
    """Writes events out, and counts what could not be said.

    `left_out` are whole events, by type, those of very many types together; `unsaid`
    is what is missing of those that were written, by field.
    """

    answers: Answers
    format: Format
    profile: Profile
    left_out: Counter[str] = field(default_factory=Counter[str], init=False)
    unsaid: Counter[str] = field(default_factory=Counter[str], init=False)

    def of(self, entries: Sequence[Entry]) -> tuple[list[bytes], Sequence[Entry]]:
        """A line for each event, without its end, and the events that have one."""
        if self.format is Format.CSV:
            return [self._row(entry) for entry in entries], entries
        if self.profile is Profile.HF:
            return self._reference(entries)
        return self.answers.lines(entries), entries

    def _row(self, entry: Entry) -> bytes:
        event_id, recorded_at, record, described = entry
        summary = None if described else self.answers.summary(record)
        return columns.row(event_id, time_of(recorded_at), json.loads(record), summary)

    def _leave_out(self, kind: str) -> None:
        # An open scope has no end of types, and this is kept in an item.
        known = kind in self.left_out or len(self.left_out) < MOST_TYPES
        self.left_out[kind if known else OTHER_TYPES] += 1

    def _reference(self, entries: Iterable[Entry]) -> tuple[list[bytes], list[Entry]]:
        lines: list[bytes] = []
        written: list[Entry] = []
        for entry in entries:
            event_id, _, data, _ = entry
            record = json.loads(data)
            message = record.get("description")
            if message is None and "actor" in record:
                message = self.answers.summary(data)
            said = reference.entry(event_id, record, message or "")
            if said is None:
                self._leave_out(record["type"])
                continue
            line, unsaid = said
            self.unsaid.update(unsaid)
            lines.append(line)
            written.append(entry)
        return lines, written
