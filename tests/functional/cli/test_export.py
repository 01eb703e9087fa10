"""`auditlog export` and `exports`: waiting, downloading and checking."""

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.functional.cli.service import Service, Shell, Stream, Terminal, lines_of, ndjson

FILE = ndjson({"id": 1}, {"id": 2}, {"id": 3}).encode()
ARRAY = b'[{"id":1},\n{"id":"]"},\n{"id":[3]}]\n'
#: Three rows: one of them takes three lines, and one holds a lone carriage return.
TABLE = b'id,metadata\r\n1,"a\r\nb\n""c"""\r\n2,\r\n3,"x\ry"\r\n'


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_export_waits_downloads_and_checks(shell: Shell, tmp_path: Path) -> None:
    shell.service.file, shell.service.looks = FILE, ["queued", "running", "ready"]
    arguments = ["--format", "ndjson", "--type", "repo", "--type", "org", "--actor", "a"]
    result = shell("export", *arguments, "--no-hidden", "--as", "ann", "-o", "log.ndjson")
    assert result.stdout == (
        f"log.ndjson: 3 events, {len(FILE)} bytes, both checked, "
        "and every byte by SHA-256 (1 slice)\n"
    )
    assert (tmp_path / "log.ndjson").read_bytes() == FILE
    assert names(tmp_path) == ["log.ndjson", "log.ndjson.manifest.json"]
    kept = json.loads((tmp_path / "log.ndjson.manifest.json").read_bytes())
    assert kept == shell.service.described()
    assert shell.service.asked == {
        "type": ["repo", "org"],
        "actor": "a",
        "format": "ndjson",
        "compression": "none",
        "include_hidden": False,
    }
    assert shell.service.requests[0].headers["X-Actor-Id"] == "ann"
    assert len(shell.slept) == 2


@pytest.mark.parametrize(
    ("form", "compression", "file", "name"),
    [
        ("json", "none", ARRAY, "acme-x1.json"),
        ("csv", "none", TABLE, "acme-x1.csv"),
        ("csv", "none", b"\xef\xbb\xbf" + TABLE, "acme-x1.csv"),
        (
            "csv",
            "gzip",
            gzip.compress(TABLE[:13], mtime=0) + gzip.compress(TABLE[13:], mtime=0),
            "acme-x1.csv.gz",
        ),
        (
            "ndjson",
            "gzip",
            gzip.compress(FILE[:9], mtime=0) + gzip.compress(FILE[9:], mtime=0),
            "acme-x1.ndjson.gz",
        ),
    ],
)
def test_every_form_is_counted(
    shell: Shell, tmp_path: Path, form: str, compression: str, file: bytes, name: str
) -> None:
    shell.service.file, shell.service.looks = file, ["ready"]
    shell.service.export = {"format": form, "compression": compression}
    (done,) = lines_of(shell("export", "--format", form, "--compression", compression, "--json"))
    assert (tmp_path / name).read_bytes() == file
    assert (done["file"], done["events"], done["bytes"]) == (name, 3, len(file))
    assert not {"download_url", "manifest_url"} & set(done)
    assert done["manifest"]["file"] == f"{name}.manifest.json"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"events": 4}, "holds 3 events, but the export has 4"),
        ({"bytes": 99}, "but the export has 99"),
        ({"format": "json"}, "is not what the export should be"),
        ({"format": "csv"}, "holds 2 events, but the export has 3"),
        ({"compression": "gzip"}, "is not what the export should be"),
    ],
)
def test_a_file_that_is_not_what_was_told_gets_no_name(
    shell: Shell, tmp_path: Path, told: dict[str, Any], said: str
) -> None:
    shell.service.file, shell.service.looks, shell.service.export = FILE, ["ready"], told
    result = shell("export", "-o", "log", code=1)
    assert said in result.stderr
    assert "auditlog exports download x1 -o log" in result.stderr
    assert names(tmp_path) == ["log.part"]


def test_a_form_that_is_newer_than_the_command_is_not_even_downloaded(
    shell: Shell, tmp_path: Path
) -> None:
    shell.service.looks, shell.service.export = ["ready"], {"format": "parquet"}
    result = shell("exports", "download", "x1", "-o", "log", code=1)
    assert "does not know parquet" in result.stderr
    assert "Update" in result.stderr
    assert names(tmp_path) == []


def test_a_broken_download_goes_on_where_it_broke(shell: Shell, tmp_path: Path) -> None:
    shell.service.file, shell.service.looks = FILE, ["ready"]
    usual = shell.service
    shell.service.first = [
        usual_answer(usual),
        lambda _: httpx.Response(200, stream=Stream(FILE[:10], broken=True)),
        usual_answer(usual),
        lambda _: httpx.Response(403, text="<Error>expired</Error>"),
    ]
    shell("export", "-o", "log")
    assert (tmp_path / "log").read_bytes() == FILE
    asked = [r for r in shell.service.requests if r.url.host == "files.example"]
    assert [r.headers.get("Range") for r in asked] == [None, "bytes=10-", "bytes=10-"]


def usual_answer(service: Service) -> Callable[[httpx.Request], httpx.Response]:
    """What the service would have said, had `first` been empty."""

    def answer(request: httpx.Request) -> httpx.Response:
        held, service.first = service.first, []
        service.requests.pop()
        response = service(request)
        service.first = held
        return response

    return answer


@pytest.mark.parametrize("state", ["failed", "cancelled", "expired"])
def test_an_export_that_will_never_be_ready_ends_the_waiting(shell: Shell, state: str) -> None:
    shell.service.looks = ["running", state]
    result = shell("export", code=1)
    assert f"export x1 is {state}" in result.stderr
    assert ("no room" in result.stderr) is (state == "failed")
    assert "auditlog export" in result.stderr


def test_a_file_is_not_replaced_unless_asked(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("precious")
    shell.service.file, shell.service.looks = FILE, ["ready"]
    shell("export", "-o", "log", code=2)
    assert shell.service.requests == []
    shell("exports", "download", "x1", "-o", "log", "--force")
    assert (tmp_path / "log").read_bytes() == FILE


@pytest.mark.parametrize("width", [80, 100, 140, 200])
def test_exports_are_readable_on_any_terminal(shell: Shell, terminal: Terminal, width: int) -> None:
    whole = {"id": "00064a5f0c3e1b2d9f8e7d6c", "expires_at": "2026-01-10T03:04:05.123456Z"}
    shell.service.export = {**whole, "created_at": "2026-01-02T03:04:05.123456Z"}
    shell.service.looks, shell.service.file = ["ready"], FILE
    terminal(width)
    shown = shell("exports", "list").stdout
    assert max(map(len, shown.splitlines())) <= width
    whole_ones = [whole["id"], "2026-01-02T03:04:05Z", "2026-01-10T03:04:05Z", "ndjson none"]
    assert all(text in shown for text in whole_ones)
    assert shown.startswith("ID " if width >= 140 else whole["id"])


def test_no_exports_are_said_to_be_none(shell: Shell) -> None:
    shell.service.exports = False
    result = shell("exports", "list")
    assert (result.stdout, result.stderr) == ("", "No exports.\n")
    assert shell("exports", "list", "--json").output == ""


def test_a_table_and_a_profile_are_asked_for(shell: Shell) -> None:
    shell.service.file, shell.service.looks = TABLE, ["ready"]
    shell.service.export = {"format": "csv"}
    shell("export", "--format", "csv", "--bom", "-o", "log")
    both = {"compression": "none"}
    assert shell.service.asked == {"format": "csv", "bom": True, **both}
    shell.service.file, shell.service.export = ARRAY, {"format": "json", "profile": "hf"}
    shell("export", "--profile", "hf", "-o", "other")
    assert shell.service.asked == {"format": "json", "profile": "hf", **both}


@pytest.mark.parametrize(
    "options",
    [
        ["--bom"],
        ["--bom", "--format", "ndjson"],
        ["--profile", "hf", "--format", "csv"],
        ["--format", "xml"],
    ],
)
def test_what_cannot_be_is_not_asked_for(shell: Shell, options: list[str]) -> None:
    shell("export", *options, code=2)
    assert shell.service.requests == []


def test_an_export_is_asked_for_with_a_query(shell: Shell) -> None:
    shell.service.file, shell.service.looks = FILE, ["ready"]
    shell("export", "--format", "ndjson", "--query", "type:repo -actor:bot", "-o", "log")
    assert shell.service.asked["q"] == "type:repo -actor:bot"
    shell("export", "--format", "ndjson", "-q", "engine", "-o", "other")
    assert shell.service.asked["q"] == "engine"


def test_exports_are_listed_and_removed(shell: Shell) -> None:
    shell.service.looks = ["queued"]
    assert "Ann" in shell("exports", "list").stdout
    assert [e["id"] for e in lines_of(shell("exports", "list", "--json"))] == ["x1"]
    shell("exports", "delete", "x1")
    assert shell.service.requests[-1].method == "DELETE"
