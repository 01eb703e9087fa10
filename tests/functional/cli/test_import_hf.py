"""`auditlog import --from hf`: the reference's own download, found again as events."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.functional.cli.service import Shell, lines_of, ndjson


def entry(number: int, **more: Any) -> dict[str, Any]:
    return {
        "_id": f"{number:024x}",
        "createdAt": f"2026-02-03T04:05:06.{number:03d}Z",
        "type": "repo.create",
        "message": f"Created acme/{number}",
        "author": {"_id": "a" * 24, "user": "ada", "avatarUrl": "", "type": "user"},
        "ip": "203.0.113.7",
        "location": {"formatted": "Paris, France", "country": "FR", "city": "Paris"},
        **more,
    }


FORMS = {
    "array": json.dumps([entry(1), entry(2)]),
    "lines": ndjson(entry(1), entry(2)),
    "indented": json.dumps([entry(1), entry(2)], indent=2),
}


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("form", FORMS)
def test_import_takes_the_download_and_finds_its_events(
    shell: Shell, tmp_path: Path, form: str, packed: bool
) -> None:
    file = tmp_path / "audit-log.json"
    content = FORMS[form].encode()
    file.write_bytes(gzip.compress(content) if packed else content)
    first = shell("import", "--from", "hf", str(file))
    assert first.stdout == "read 2: recorded 2, duplicates 0, refused 0\n"
    newest, oldest = lines_of(shell("search", "--json"))
    assert (newest["key"], oldest["key"]) == (f"{2:024x}", f"{1:024x}")
    assert oldest["occurred_at"] == "2026-02-03T04:05:06.001000Z"
    assert oldest["description"] == "Created acme/1"
    assert oldest["actor"] == {"id": "a" * 24, "name": "ada", "type": "user"}
    assert oldest["ip"] == "203.0.113.0"
    assert oldest["metadata"] == {"hf": {"location": {"formatted": "Paris, France"}}}


def test_importing_again_records_nothing(shell: Shell) -> None:
    text = json.dumps([entry(number) for number in range(20)])
    shell("import", "--from", "hf", "-", stdin=text)
    again = shell("import", "--from", "hf", "-", "--batch", "7", stdin=text)
    assert again.stdout == "read 20: recorded 0, duplicates 20, refused 0\n"
    assert len(shell.service.stored) == 20


def test_import_says_what_is_refused_and_why(shell: Shell) -> None:
    text = ndjson(
        entry(1),
        entry(2, createdAt="yesterday"),
        entry(3, data={"t": "\ud800"}),
        entry(4, type="repo.paint"),
        entry(5, data={"large": "x" * 300_000}),
        entry(6, ip="203.0.113.7:443"),
        {"Records": 1},
    ) + ndjson(entry(7, data=0)).replace('"data": 0', '"data": 1e' + "9" * 20)
    (summary,) = lines_of(shell("import", "--from", "hf", "-", "--json", stdin=text, code=1))
    assert (summary["read"], summary["recorded"]) == (8, 1)
    reasons = {refusal["line"]: refusal["reasons"][0] for refusal in summary["refused"]}
    assert sorted(reasons) == [2, 3, 4, 5, 6, 7, 8]
    for line, words in {
        2: "/createdAt: expected RFC 3339",
        3: "lone surrogate",
        4: "not a type of the catalog",
        5: "at most 262144",
        6: "would not be truncated",
        7: "not an entry",
        8: "exponent",
    }.items():
        assert words in reasons[line]


def test_the_help_names_both_origins(shell: Shell) -> None:
    shown = shell("import", "--help").stdout
    assert "cloudtrail" in shown
    assert "hf" in shown
