"""Requests for every route of the table, with things that exist and bodies that are good."""

from collections.abc import Callable
from typing import Any

import console.handler
from auditlog import keys
from auditlog.keys import Grant
from auditlog.routes import (
    CHANGE_ORG,
    CHANGE_SETTINGS,
    CREATE_ERASURE,
    CREATE_EXPORT,
    CREATE_KEY,
    CREATE_ORG,
    CREATE_SESSION,
    PUBLISH,
    REFERENCE_EXPORT,
    ROTATE_KEY,
    TIMELINE,
    Route,
)
from tests.functional.conftest import ORG, Response, World, an_event

Ask = Callable[..., Response]


def asking(world: World, *routes: Route) -> Ask:
    """What asks for these routes: with things that exist and a good body, unless told otherwise."""
    makers: dict[str, Callable[[], Any]] = {
        "event_id": lambda: world.publish(an_event())[0],
        "key_id": lambda: keys.key_id(world.key(Grant.EVENTS_READ)),
        "export_id": lambda: an_export(world),
        "session_id": world.open_session,
        "erasure_id": lambda: world.ask_erasure(actor="usr_nobody"),
        "version": lambda: console.handler.files.version,
        "file": lambda: console.handler.files.names[0],
    }
    things = {
        name: make()
        for name, make in makers.items()
        if any(f"{{{name}}}" in route.path for route in routes)
    }
    platform_key = world.key(*keys.PLATFORM_GRANTS, org=keys.PLATFORM)
    good = {
        PUBLISH.name: an_event(),
        CREATE_KEY.name: {"name": "another", "grants": ["events:read"]},
        CREATE_EXPORT.name: {"format": "json"},
        ROTATE_KEY.name: {},
        CREATE_SESSION.name: {"actor": {"id": "usr_1"}},
        CHANGE_SETTINGS.name: {"record_reads": False},
        CREATE_ERASURE.name: {"actor": "usr_nobody", "reason": "asked for"},
        CREATE_ORG.name: {"name": "another"},
        CHANGE_ORG.name: {"limits": {"keys": 7}},
    }
    queries = {TIMELINE.name: "interval=day"}

    def ask(route: Route, *, path: str = "", org: str = ORG, **how: Any) -> Response:
        path = path or route.path.format(**things | {"org": org})
        how = {"body": good.get(route.name), "query": queries.get(route.name, "")} | how
        if how.get("key", "admin") == "admin" and route.grant in keys.PLATFORM_GRANTS:
            how["key"] = platform_key
        method = how.pop("method", route.method)
        answer = world.call(method, path, **how)
        if route is REFERENCE_EXPORT and answer.status == 503:  # it is being made
            world.work()
            answer = world.call(method, path, **how)
        return answer

    return ask


def an_export(world: World) -> str:
    """An export that is ready."""
    export_id = world.ask_export()
    world.work()
    return export_id
