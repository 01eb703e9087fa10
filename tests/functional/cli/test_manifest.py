"""A download against its manifest: at once, and later with `auditlog exports verify`."""

import json
import shutil
from pathlib import Path
from typing import Any

import httpx
import pytest

from auditlog.cli import manifest
from tests.functional.cli.service import Shell, lines_of

FILE = b'[{"id":1},\n{"id":2},\n{"id":3}]\n'
#: The head, the separator and the tail are in no slice.
SLICES = [(1, 8, 1), (11, 18, 2)]
BOTH = ["log", "log.manifest.json"]


@pytest.fixture
def ready(shell: Shell) -> Shell:
    """A shell whose service has an export of two slices."""
    shell.service.file, shell.service.slices, shell.service.looks = FILE, SLICES, ["ready"]
    shell.service.export = {"format": "json"}
    return shell


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def flipped(at: int) -> bytes:
    return FILE[:at] + bytes([FILE[at] ^ 1]) + FILE[at + 1 :]


#: What is wrong with a file, and what is said about it.
DAMAGES = [
    (flipped(5), "slice 1 of 2, bytes 1-8"),
    (flipped(11), "slice 2 of 2, bytes 11-28"),
    (flipped(28), "slice 2 of 2, bytes 11-28"),
    (flipped(0), "outside the slices, bytes 0-0 or bytes 9-10 or bytes 29-30"),
    (flipped(9), "outside the slices"),
    (flipped(30), "outside the slices"),
    (FILE[:-1], "has 30 bytes, but the export has 31"),
    (FILE + b"\n", "has 32 bytes, but the export has 31"),
    (b"", "has 0 bytes, but the export has 31"),
]


@pytest.mark.parametrize(("damaged", "said"), DAMAGES)
def test_a_damaged_download_gets_no_name(
    ready: Shell, tmp_path: Path, damaged: bytes, said: str
) -> None:
    ready.service.damaged = damaged
    result = ready("exports", "download", "x1", "-o", "log", code=1)
    assert said in result.stderr
    assert "Go on with: auditlog exports download x1 -o log\n" in result.stderr
    assert names(tmp_path) == ["log.part"]
    ready.service.damaged = None
    ready("exports", "download", "x1", "-o", "log")
    assert names(tmp_path) == BOTH


@pytest.mark.parametrize(("damaged", "said"), DAMAGES)
def test_a_file_that_is_damaged_later_is_found_offline(
    ready: Shell, tmp_path: Path, damaged: bytes, said: str
) -> None:
    ready("exports", "download", "x1", "-o", "log")
    (tmp_path / "log").write_bytes(damaged)
    result = ready("exports", "verify", "log", code=1)
    assert said in result.stderr
    assert "auditlog exports download x1 -o log --force" in result.stderr
    assert result.stdout == ""
    assert (tmp_path / "log").read_bytes() == damaged


def test_every_slice_that_is_damaged_is_named(ready: Shell, tmp_path: Path) -> None:
    ready("export", "-o", "log")
    (tmp_path / "log").write_bytes(bytes(len(FILE)))
    said = ready("exports", "verify", "log", code=1).stderr
    assert all(f"  {place}" in said for place in ("slice 1 of 2", "slice 2 of 2", "outside"))


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"version": 2}, "is of version 2, and this command knows 1"),
        ({"version": 2, "slices": "otherwise"}, "is of version 2, and this command knows 1"),
        ({"version": 0}, "no good manifest"),
        ({"slices": None}, "no good manifest"),
        ({"rest_sha256": "12"}, "no good manifest"),
        ({"events": 4}, "its slices hold 3 events, but it says 4"),
        ({"bytes": 20}, "slice 2 of 2, bytes 11-28, ends behind the file's 20"),
        ({"bytes": 40}, "bytes is 40 in it, but the export has 31"),
        ({"left_out": {"events": 7, "types": {}, "fields": {}}}, "left_out is 7 in it"),
        ({"rest_sha256": 64 * "0"}, "outside the slices"),
    ],
)
def test_a_manifest_that_cannot_be_right_stops_the_download(
    ready: Shell, tmp_path: Path, told: dict[str, Any], said: str
) -> None:
    ready.service.manifest = told
    result = ready("export", "-o", "log", code=1)
    assert said in result.stderr
    assert "auditlog exports download x1 -o log" in result.stderr
    assert names(tmp_path) == ["log.part"]


@pytest.mark.parametrize(
    ("slices", "said"),
    [
        ([(1, 11, 1), (11, 18, 2)], "slice 2 of 2, bytes 11-28, begins before slice 1 ends"),
        ([(11, 18, 2), (1, 8, 1)], "slice 2 of 2, bytes 1-8, begins before slice 1 ends"),
        ([(1, 8, 1), (11, 18, 1)], "its slices hold 2 events, but it says 3"),
        ([(1, 8, 3), (11, 99, 0)], "slice 2 of 2, bytes 11-109, ends behind the file's 31"),
    ],
)
def test_slices_that_cannot_be_right_stop_the_download(
    ready: Shell, tmp_path: Path, slices: list[tuple[int, int, int]], said: str
) -> None:
    ready.service.slices = slices
    assert said in ready("export", "-o", "log", code=1).stderr
    assert names(tmp_path) == ["log.part"]


def test_the_manifest_of_another_export_is_no_proof(ready: Shell, tmp_path: Path) -> None:
    other = {**ready.service.described()["export"], "id": "x2"}
    ready.service.manifest = {"export": other}
    assert "id is x2 in it, but the export has x1" in ready("export", "-o", "log", code=1).stderr
    assert names(tmp_path) == ["log.part"]


def test_an_export_that_is_older_than_manifests_is_checked_as_before(
    ready: Shell, tmp_path: Path
) -> None:
    ready.service.manifest = None
    result = ready("export", "-o", "log")
    assert result.stdout == "log: 3 events, 31 bytes, both checked\n"
    assert "none to check" in result.stderr
    assert names(tmp_path) == ["log"]
    (done,) = lines_of(ready("export", "-o", "other", "--json"))
    assert done["manifest"] is None
    ready.service.damaged = FILE.replace(b",", b" ", 1)
    assert "is not what the export should be" in ready("export", "-o", "third", code=1).stderr
    # Nor is there anything to check it against later.
    assert "cannot read log.manifest.json" in ready("exports", "verify", "log", code=2).stderr


def test_a_manifest_whose_link_has_run_out_is_asked_for_again(ready: Shell) -> None:
    usual = ready.service.download

    def download_then_refuse(request: httpx.Request) -> httpx.Response:
        if request.url.host == "files.example":
            ready.service.first = [lambda _: httpx.Response(403, text="<Error>expired</Error>")]
        return usual(request)

    ready.service.download = download_then_refuse
    ready("export", "-o", "log")
    asked = [r.url.host for r in ready.service.requests]
    assert asked[-4:] == ["files.example", "manifests.example", "api.example", "manifests.example"]


def test_a_manifest_that_cannot_be_had_says_so(ready: Shell, tmp_path: Path) -> None:
    usual = ready.service.download
    ready.service.download = lambda request: (
        usual(request) if request.url.host == "files.example" else httpx.Response(404)
    )
    result = ready("export", "-o", "log", code=1)
    assert "the manifest of export x1 cannot be had: Not Found (404)" in result.stderr
    assert names(tmp_path) == ["log.part"]


def test_a_manifest_without_end_is_not_read(
    ready: Shell, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ready("export", "-o", "log")
    monkeypatch.setattr(manifest, "MAX_BYTES", 100)
    assert "longer than 100 bytes" in ready("export", "-o", "other", code=1).stderr
    assert "too long for a manifest" in ready("exports", "verify", "log", code=2).stderr
    assert names(tmp_path) == [*BOTH, "other.part"]


@pytest.mark.parametrize("there", BOTH)
def test_neither_file_nor_manifest_is_replaced_unless_asked(
    ready: Shell, tmp_path: Path, there: str
) -> None:
    (tmp_path / there).write_text("precious")
    for command in (["export"], ["exports", "download", "x1"]):
        assert f"{there} exists" in ready(*command, "-o", "log", code=2).stderr
    assert ready.service.requests == []
    assert names(tmp_path) == [there]
    ready("export", "-o", "log", "--force")
    assert names(tmp_path) == BOTH
    assert ready("exports", "verify", "log").stdout.startswith("log: 3 events")


def test_a_manifest_never_stands_beside_a_file_that_is_not_its_own(
    ready: Shell, tmp_path: Path
) -> None:
    ready("export", "-o", "log")
    ready.service.damaged = flipped(5)
    result = ready("export", "-o", "log", "--force", code=1)
    assert "auditlog exports download x1 -o log --force" in result.stderr
    ready("exports", "verify", "log")
    ready.service.damaged, ready.service.manifest = None, None
    ready("export", "-o", "log", "--force")
    assert names(tmp_path) == ["log"]


def test_what_the_profile_cannot_say_is_counted(ready: Shell, tmp_path: Path) -> None:
    left_out = {"events": 5, "types": {"aws.s3.put": 5}, "fields": {"metadata": 2}}
    ready.service.export = {"format": "json", "profile": "hf", "left_out": 5}
    ready.service.manifest = {"left_out": left_out}
    said = "; 5 events left out, which the profile hf cannot say\n"
    assert ready("export", "--profile", "hf", "-o", "log").stdout.endswith(said)
    assert ready("exports", "verify", "log").stdout.endswith(said)
    (done,) = lines_of(ready("exports", "download", "x1", "-o", "other", "--json"))
    assert done["left_out"] == 5
    assert done["manifest"] == {
        "file": "other.manifest.json",
        "slices": 2,
        "bounds": {"since": None, "until": "2026-01-02T03:19:05.000000Z"},
        "left_out": left_out,
    }


def test_a_file_is_verified_offline_wherever_it_is(ready: Shell, tmp_path: Path) -> None:
    downloaded = ready("export", "-o", "log").stdout
    asked = len(ready.service.requests)
    assert ready("exports", "verify", "log").stdout == downloaded
    (tmp_path / "kept").mkdir()
    shutil.move(tmp_path / "log.manifest.json", tmp_path / "kept" / "proof")
    missing = ready("exports", "verify", "log", code=2).stderr
    assert "cannot read log.manifest.json" in missing
    assert "--manifest" in missing
    (done,) = lines_of(ready("exports", "verify", "log", "--manifest", "kept/proof", "--json"))
    assert (done["file"], done["id"], done["org"]) == ("log", "x1", "acme")
    assert (done["events"], done["bytes"], done["left_out"]) == (3, 31, 0)
    assert (done["manifest"]["file"], done["manifest"]["slices"]) == ("kept/proof", 2)
    assert "cannot read gone" in ready(
        "exports", "verify", "gone", "--manifest", "kept/proof", code=2
    ).stderr  # fmt: skip
    assert len(ready.service.requests) == asked


@pytest.mark.parametrize("content", [b"", b"[]", b"{", FILE, b'{"version":"\xff"}', b"[" * 99_999])
def test_what_is_no_manifest_is_said_to_be_none(
    ready: Shell, tmp_path: Path, content: bytes
) -> None:
    (tmp_path / "log").write_bytes(FILE)
    (tmp_path / "log.manifest.json").write_bytes(content)
    result = ready("exports", "verify", "log", code=1)
    assert "log.manifest.json is no good manifest" in result.stderr


def test_a_manifest_may_have_members_that_are_not_known_yet(ready: Shell, tmp_path: Path) -> None:
    ready.service.manifest = {
        "signed_by": "somebody",
        "slices": ready.service.described()["slices"],
    }
    ready.service.manifest["slices"][0]["crc"] = 7
    ready("export", "-o", "log")
    assert "signed_by" in json.loads((tmp_path / "log.manifest.json").read_bytes())


def test_an_export_without_events_has_a_manifest_too(ready: Shell) -> None:
    ready.service.file, ready.service.slices = b"[]\n", [(1, 0, 0)]
    ready.service.export = {"format": "json", "events": 0}
    said = "log: 0 events, 3 bytes, both checked, and every byte by SHA-256 (1 slice)\n"
    assert ready("export", "-o", "log").stdout == said
