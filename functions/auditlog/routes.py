"""Every route of the HTTP API, as data.

The functions bind these to code, the stack makes API Gateway's routes of them,
and the specification is written from them: one table, so that the three agree.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditlog import filters
from auditlog.keys import Grant


@dataclass(frozen=True, slots=True)
class Route:
    """One route. `path` is a template as OpenAPI and API Gateway write it."""

    name: str
    method: str
    path: str
    function: str
    summary: str
    success: Mapping[int, str]
    grant: Grant | None = None
    public: bool = False
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    body: str | None = None
    """The name of the body's shape in `openapi.BODIES`; None where no body is read."""


_ORG = "/v1/orgs/{org}"
_EXPORT = _ORG + "/exports/{export_id}"

SEARCH_PARAMETERS: Mapping[str, str] = {
    **filters.PARAMETERS,
    "order": "`desc` (newest first, the default) or `asc`.",
    "limit": "1 to 1,000 events; 100 by default.",
    "cursor": "`next_cursor` of the page before, for the same org, filter and order.",
    "explain": "`true` adds what the page read, and what that cost.",
}

TIMELINE_PARAMETERS: Mapping[str, str] = {
    "interval": "`hour`, `day` or `week` (UTC, weeks from Monday); at most 1,000 of them.",
    **filters.PARAMETERS,
}

HEALTH = Route(
    "health",
    "GET",
    "/v1/health",
    "query",
    "Whether the service answers.",
    {200: "It does."},
    public=True,
)
OPENAPI = Route(
    "openapi",
    "GET",
    "/v1/openapi.json",
    "query",
    "This specification.",
    {200: "OpenAPI 3.1."},
    public=True,
)
EVENT_TYPES = Route(
    "event_types",
    "GET",
    "/v1/event-types",
    "query",
    "The catalog of event types.",
    {200: "Every type that is listed; an open scope takes others too."},
)
PUBLISH = Route(
    "publish",
    "POST",
    _ORG + "/events",
    "publish",
    "Publish one event, or up to 1,000. All are stored, or none where one breaks a rule.",
    {201: "The table has all of them."},
    grant=Grant.EVENTS_WRITE,
    body="Events",
)
SEARCH = Route(
    "search",
    "GET",
    _ORG + "/events",
    "query",
    "Search the log, a page at a time.",
    {200: "A page; the end is `next_cursor: null` and only that."},
    grant=Grant.EVENTS_READ,
    query=SEARCH_PARAMETERS,
)
TIMELINE = Route(
    "timeline",
    "GET",
    _ORG + "/timeline",
    "query",
    "Counts per hour, day or week, and the most frequent types, actors and countries.",
    {200: "The counts; `exact` says whether they cover all that was asked."},
    grant=Grant.EVENTS_READ,
    query=TIMELINE_PARAMETERS,
)
EVENT = Route(
    "event",
    "GET",
    _ORG + "/events/{event_id}",
    "query",
    "One event.",
    {200: "The event."},
    grant=Grant.EVENTS_READ,
)
CREATE_KEY = Route(
    "create_key",
    "POST",
    _ORG + "/keys",
    "manage",
    "Make a key.",
    {201: "The key, with its secret, which is shown this once."},
    grant=Grant.ORG_ADMIN,
    body="NewKey",
)
LIST_KEYS = Route(
    "list_keys",
    "GET",
    _ORG + "/keys",
    "manage",
    "The org's keys, oldest first.",
    {200: "All of them, without their secrets."},
    grant=Grant.ORG_ADMIN,
)
REVOKE_KEY = Route(
    "revoke_key",
    "DELETE",
    _ORG + "/keys/{key_id}",
    "manage",
    "Revoke a key; takes hold within a minute.",
    {204: "Revoked."},
    grant=Grant.ORG_ADMIN,
)
CREATE_EXPORT = Route(
    "create_export",
    "POST",
    _ORG + "/exports",
    "export",
    "Ask for a download of the log.",
    {202: "The export, which is made in the background."},
    grant=Grant.EXPORTS_CREATE,
    body="NewExport",
)
LIST_EXPORTS = Route(
    "list_exports",
    "GET",
    _ORG + "/exports",
    "export",
    "The newest 100 exports, newest first.",
    {200: "The exports."},
    grant=Grant.EXPORTS_CREATE,
)
SHOW_EXPORT = Route(
    "show_export",
    "GET",
    _EXPORT,
    "export",
    "One export, with a fresh link once it is ready.",
    {200: "The export."},
    grant=Grant.EXPORTS_CREATE,
)
DOWNLOAD_EXPORT = Route(
    "download_export",
    "GET",
    _EXPORT + "/download",
    "export",
    "The file of an export.",
    {302: "A link that works for 15 minutes."},
    grant=Grant.EXPORTS_CREATE,
)
DELETE_EXPORT = Route(
    "delete_export",
    "DELETE",
    _EXPORT,
    "export",
    "Cancel an export, or remove its file.",
    {204: "It is neither made nor kept any more."},
    grant=Grant.EXPORTS_CREATE,
)

REFERENCE_EXPORT = Route(
    "reference_export",
    "GET",
    "/api/organizations/{org}/audit-log/export",
    "export",
    "The whole log as the reference exports it: a JSON array of its entries.",
    {302: "A link to the file that works for 15 minutes; 503 until the file is there."},
    grant=Grant.EXPORTS_CREATE,
    query={"q": filters.PARAMETERS["q"]},
)

ROUTES = (
    HEALTH, OPENAPI, EVENT_TYPES, PUBLISH, SEARCH, TIMELINE, EVENT,
    CREATE_KEY, LIST_KEYS, REVOKE_KEY,
    CREATE_EXPORT, LIST_EXPORTS, SHOW_EXPORT, DOWNLOAD_EXPORT, DELETE_EXPORT,
    REFERENCE_EXPORT,
)  # fmt: skip
