"""What serves the console: the page, its files, and what browsers are told about them."""

import base64
import gzip
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

import console.handler
from auditlog.errors import ConfigurationError
from auditlog.settings import SETTINGS
from console.files import TYPES, Files
from tests.functional.conftest import Context, Watched, World, sample

FILES = console.handler.files
URL = "https://id.example.com"
ISSUER = {"issuer": f"{URL}/realms/a", "audience": "https://audit.example.com"}
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:{pictures}; "
    "connect-src 'self'{issuer}; form-action 'none'; base-uri 'none'; frame-ancestors 'none'; "
    "require-trusted-types-for 'script'; trusted-types 'none'"
)


def get(path: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    """What the gateway would send: the status, the headers by their names, the bytes."""
    event = sample("triggers/http-publish")
    event["rawPath"], event["rawQueryString"], event["body"] = path, "", None
    event["requestContext"]["http"] |= {"method": "GET", "path": path}
    event["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
    answer = console.handler.handler(event, Context())
    body = answer["body"]
    sent = base64.b64decode(body) if answer["isBase64Encoded"] else body.encode()
    return answer["statusCode"], {n.lower(): v for n, v in answer["headers"].items()}, sent


def file(name: str, **headers: str) -> tuple[int, dict[str, str], bytes]:
    return get(f"/console/{FILES.version}/{name}", **headers)


def told(page: bytes) -> Any:
    """What the page is told of the deployment."""
    [said] = re.findall(r'<meta name="auditlog-config" content="([^"]*)">', page.decode())
    return json.loads(html.unescape(said))


# -- the page -----------------------------------------------------------------------------------


def test_the_page_carries_what_a_browser_is_told(world: World) -> None:
    status, headers, page = get("/console")
    assert status == 200
    assert headers.pop("permissions-policy").count("=()") > 10
    assert headers == {
        "content-type": "text/html; charset=utf-8",
        "cache-control": "no-cache",
        "vary": "Accept-Encoding",
        "etag": headers["etag"],
        "content-security-policy": POLICY.format(pictures="", issuer=""),
        "cross-origin-opener-policy": "same-origin",
        "cross-origin-resource-policy": "same-origin",
        "referrer-policy": "no-referrer",
        "strict-transport-security": "max-age=63072000",
        "x-content-type-options": "nosniff",
    }
    assert told(page) == {"oidc": None, "avatars": []}


def test_it_names_this_version_and_leaves_nothing_to_fill_in(world: World) -> None:
    _, _, page = get("/console")
    text = page.decode()
    assert re.fullmatch(r"[0-9a-f]{16,}", FILES.version)
    addresses = re.findall(r'(?:href|src)="([^"]+)"', text)
    assert addresses
    for address in addresses:
        # Relative: the API may lie under a path.
        folder, version, name = address.split("/")
        assert (folder, version) == ("console", FILES.version)
        assert FILES.get(version, name), name
    assert not re.findall(r"\{\w+\}", text)


def test_nothing_in_it_would_be_stopped_by_its_own_policy(world: World) -> None:
    text = get("/console")[2].decode()
    scripts = re.findall(r"<script\b[^>]*>.*?</script>", text, re.DOTALL)
    assert len(scripts) == text.count("<script") >= 1
    for script in scripts:
        assert re.fullmatch(r'<script type="module" src="[^"]+"></script>', script)
    assert not re.search(r"<style|\sstyle=|\son\w+=|<base|<form|<iframe|javascript:", text)


def test_a_browser_that_has_it_is_told_so(world: World) -> None:
    _, first, _ = get("/console")
    for known in (first["etag"], f'"x", {first["etag"]}'):
        status, headers, sent = get("/console", if_none_match=known)
        assert (status, sent) == (304, b"")
        assert "content-type" not in headers
        assert {**headers, "content-type": first["content-type"]} == first
    for other in ('W/"x"', "", first["etag"][:-2]):
        assert get("/console", if_none_match=other)[0] == 200


def test_an_issuer_sends_people_back_with_what_it_likes(world: World) -> None:
    for query in ("code=a&state=b&iss=x&session_state=y", "error=access_denied", "code=%ff", "a&a"):
        assert world.call("GET", "/console", key=None, query=query).status == 200


def test_nobody_is_asked_who_they_are_and_no_table_for_anything(world: World) -> None:
    world.dynamodb = Watched(world.dynamodb, lambda *_: pytest.fail("a table was asked"))
    for key in (None, "alk_bad", world.admin_key):
        assert world.call("GET", "/console", key=key).status == 200
        assert world.call("GET", f"/console/{FILES.version}/main.js", key=key).status == 200


# -- of a deployment ----------------------------------------------------------------------------


def deployed(monkeypatch: pytest.MonkeyPatch, issuer: Any = None, avatars: str = "") -> None:
    environment = {"OIDC_ISSUER": json.dumps(issuer) if issuer else "", "CONSOLE_AVATARS": avatars}
    monkeypatch.setattr(SETTINGS, "_environment", environment)


def test_an_issuer_without_a_client_for_the_console_changes_nothing(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain, page = get("/console")
    deployed(monkeypatch, ISSUER)
    _, headers, same = get("/console")
    assert (headers, same) == (plain, page)


@pytest.mark.parametrize(
    ("client", "origins"),
    [
        ({"client_id": "c"}, f" {URL}"),
        ({"client_id": "c", "token_endpoint": f"{URL}/x/token"}, f" {URL}"),
        (
            {"client_id": "c", "token_endpoint": "https://Tokens.example.com:8443/t?x=y"},
            f" {URL} https://tokens.example.com:8443",
        ),
        # One goes there; nothing is asked of it.
        ({"client_id": "c", "authorization_endpoint": "https://in.example.com/a"}, f" {URL}"),
    ],
)
def test_the_page_may_talk_to_the_issuer_and_to_where_it_gives_out_tokens(
    world: World, monkeypatch: pytest.MonkeyPatch, client: Any, origins: str
) -> None:
    deployed(monkeypatch, ISSUER | {"console": client})
    _, headers, page = get("/console")
    assert headers["content-security-policy"] == POLICY.format(pictures="", issuer=origins)
    assert told(page)["oidc"] == {
        "issuer": ISSUER["issuer"],
        "client_id": "c",
        "scope": "openid profile",
        "token_endpoint": None,
        "authorization_endpoint": None,
        "parameters": {},
        **client,
    }


def test_what_a_deployment_says_stays_within_its_attribute(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    hostile = "\"'><script>alert(1)</script>&quot;{version}\u2028"
    client = {"client_id": hostile, "parameters": {"resource": hostile}}
    deployed(monkeypatch, ISSUER | {"console": client})
    _, _, page = get("/console")
    oidc = told(page)["oidc"]
    assert oidc["client_id"] == oidc["parameters"]["resource"] == hostile
    assert b"<script>alert" not in page


def test_pictures_come_from_the_origins_that_are_named(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, plain, _ = get("/console")
    deployed(monkeypatch, avatars="https://a.example.com https://b.example.com:8443")
    _, headers, page = get("/console")
    pictures = " https://a.example.com https://b.example.com:8443"
    assert headers["content-security-policy"] == POLICY.format(pictures=pictures, issuer="")
    assert told(page)["avatars"] == ["https://a.example.com", "https://b.example.com:8443"]
    assert headers["etag"] != plain["etag"]


def test_an_issuer_that_cannot_be_read_is_not_taken_for_none(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed(monkeypatch, ISSUER | {"issuer": "http://id.example.com"})
    assert get("/console")[0] == 500
    with pytest.raises(ConfigurationError, match="OIDC_ISSUER"):
        console.handler._front(FILES, SETTINGS.oidc_issuer, ())


# -- the files ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES.names)
def test_a_file_is_kept_for_ever_and_is_what_it_says(world: World, name: str) -> None:
    status, headers, sent = file(name)
    assert status == 200
    assert sent == (Path(console.handler.__file__).parent / "page" / name).read_bytes()
    assert headers == {
        "content-type": TYPES[name.rpartition(".")[2]],
        "cache-control": "public, max-age=31536000, immutable",
        "vary": "Accept-Encoding",
        "cross-origin-resource-policy": "same-origin",
        "x-content-type-options": "nosniff",
    }


@pytest.mark.parametrize(
    ("accepted", "packs"),
    [
        ("gzip", True),
        ("br, gzip;q=0.5, deflate", True),
        ("GZIP", True),
        ("x-gzip", True),
        ("gzip; q=0.001", True),
        ("", False),
        ("identity", False),
        ("br", False),
        ("*", False),
        ("gzip;q=0", False),
        ("gzip ; q=0.000 , br", False),
        ("gzipped", False),
    ],
)
def test_packed_or_not_it_is_the_same_bytes(world: World, accepted: str, packs: bool) -> None:
    for path in ("/console", f"/console/{FILES.version}/main.js"):
        _, plain, whole = get(path)
        _, headers, sent = get(path, accept_encoding=accepted)
        assert (headers.get("content-encoding") == "gzip") is packs
        assert {n: v for n, v in headers.items() if n != "content-encoding"} == plain
        assert (gzip.decompress(sent) if packs else sent) == whole
        assert not packs or len(sent) < len(whole)


@pytest.mark.parametrize(
    "path",
    [
        "/console/0123456789abcdef0123/main.js",
        "/console/{version}x/main.js",
        "/console/{version}/nothing.js",
        "/console/{version}/index.html",
        "/console/{version}/Main.js",
        "/console/{version}/main.js.map",
        "/console/{version}/handler.py",
        "/console/{version}/..%2Fhandler.py",
        "/console/{version}/%2e%2e%2fhandler.py",
        "/console/{version}/..",
        "/console/../handler.py",
        "/console/{version}/..\\handler.py",
        "/console/{version}/main.js\x00.css",
        "/console/{version}/\U0001f600.js",
        "/console/{version}/../{version}/main.js",
        "/console/{version}//main.js",
        "/console//main.js",
        "/console/{version}/",
        "/console/{version}",
        "/console/",
        "/consoles",
    ],
)
def test_what_is_no_file_is_a_problem_that_nobody_keeps(world: World, path: str) -> None:
    path = path.replace("{version}", FILES.version)
    for answer in (
        world.call("GET", path, key=None),
        World.answer(console.handler, console_event(path)),
    ):
        answer.is_problem(404)
        assert answer.header("cache-control") == "no-store"
        assert answer.header("content-encoding") is None
        assert "handler" not in answer.json["detail"]


def console_event(path: str) -> Any:
    """As the gateway would hand it over if it took every path below for the console's."""
    event = sample("triggers/http-publish")
    event["rawPath"], event["rawQueryString"], event["body"], event["headers"] = path, "", None, {}
    event["requestContext"]["http"] |= {"method": "GET", "path": path}
    return event


@pytest.mark.parametrize("method", ["HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_another_method_is_not_taken(world: World, method: str) -> None:
    for path in ("/console", f"/console/{FILES.version}/main.js"):
        answer = world.call(method, path, key=None)
        answer.is_problem(405)
        assert answer.header("allow") == "GET"
        assert answer.header("cache-control") == "no-store"


def test_a_file_takes_no_query(world: World) -> None:
    path = f"/console/{FILES.version}/main.js"
    answer = world.call("GET", path, key=None, query="v=2")
    answer.is_problem(400)
    assert answer.header("cache-control") == "no-store"


# -- their version ------------------------------------------------------------------------------


def folder(tmp_path: Path, **files: str) -> Files:
    """Files of which `main__js` is `main.js`."""
    made = tmp_path / str(len(list(tmp_path.iterdir())))
    made.mkdir()
    for name, text in {"index__html": "<p>", "main__js": "1", "style__css": "", **files}.items():
        (made / name.replace("__", ".")).write_text(text)
    return Files(made)


def test_the_same_files_have_the_same_version(tmp_path: Path) -> None:
    first, second = folder(tmp_path), folder(tmp_path)
    assert first.version == second.version
    packed = [each.get(each.version, "main.js") for each in (first, second)]
    assert packed[0] is not None
    assert packed[1] is not None
    assert packed[0].packed == packed[1].packed


@pytest.mark.parametrize(
    "change",
    [
        {"main__js": "2"},
        {"main__js": "11"},
        {"style__css": " "},
        {"index__html": "<b>"},
        {"icon__svg": ""},
        {"main__js": "", "style__css": "1"},
    ],
)
def test_other_files_have_another(tmp_path: Path, change: dict[str, str]) -> None:
    assert folder(tmp_path, **change).version != folder(tmp_path).version


@pytest.mark.parametrize(
    "name", ["Main.js", "a_b.js", "a.html", "a.woff2", "a.js.map", "notes", ".x.js"]
)
def test_a_name_that_could_not_be_served_is_refused(tmp_path: Path, name: str) -> None:
    folder(tmp_path)
    (tmp_path / "0" / name).write_text("")
    with pytest.raises(ValueError, match="is not a name"):
        Files(tmp_path / "0")


def test_no_folder_within_is_taken_for_a_file(tmp_path: Path) -> None:
    folder(tmp_path)
    (tmp_path / "0" / "more").mkdir()
    with pytest.raises(ValueError, match="more is not a name"):
        Files(tmp_path / "0")
