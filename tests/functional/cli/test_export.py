"""`auditlog export` and `exports`: waiting, downloading and checking."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.functional.cli.service import Service, Shell, Stream, lines_of, ndjson

FILE = ndjson({"id": 1}, {"id": 2}, {"id": 3}).encode()


def test_export_waits_downloads_and_checks(shell: Shell, tmp_path: Path) -> None:
    shell.service.file, shell.service.looks = FILE, ["queued", "running", "ready"]
    arguments = ["--format", "ndjson", "--type", "repo", "--type", "org", "--actor", "a"]
    result = shell("export", *arguments, "--no-hidden", "--as", "ann", "-o", "log.ndjson")
    assert result.stdout == f"log.ndjson: 3 events, {len(FILE)} bytes, both checked\n"
    assert (tmp_path / "log.ndjson").read_bytes() == FILE
    assert [path.name for path in tmp_path.iterdir()] == ["log.ndjson"]
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
        ("json", "none", b'[{"id":1},\n{"id":"]"},\n{"id":[3]}]\n', "acme-x1.json"),
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
    assert "download_url" not in done


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"events": 4}, "holds 3 events, but the export has 4"),
        ({"bytes": 99}, "but the export has 99"),
        ({"format": "json"}, "is not what the export should be"),
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
    assert [path.name for path in tmp_path.iterdir()] == ["log.part"]


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


def test_exports_are_listed_and_removed(shell: Shell) -> None:
    shell.service.looks = ["queued"]
    assert "Ann" in shell("exports", "list").stdout
    assert [e["id"] for e in lines_of(shell("exports", "list", "--json"))] == ["x1"]
    shell("exports", "delete", "x1")
    assert shell.service.requests[-1].method == "DELETE"
