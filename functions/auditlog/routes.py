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
    conditional: bool = False
    """Whether it heeds `If-Match`, and answers with an `ETag`."""
    query: Mapping[str, str] = field(default_factory=dict[str, str])
    any_query: bool = False
    """Whether a parameter that is not in `query` is no mistake: somebody else adds them."""
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
ROTATE_KEY = Route(
    "rotate_key",
    "POST",
    _ORG + "/keys/{key_id}/rotation",
    "manage",
    "Make a key with the same name and grants, and let this one expire.",
    {201: "The new key, with its secret, which is shown this once."},
    grant=Grant.ORG_ADMIN,
    body="Rotation",
)
CREATE_SESSION = Route(
    "create_session",
    "POST",
    _ORG + "/sessions",
    "manage",
    "Open a session: a read-only, short-lived credential for one person.",
    {201: "The session, with its token, which is shown this once."},
    grant=Grant.ORG_ADMIN,
    body="NewSession",
)
LIST_SESSIONS = Route(
    "list_sessions",
    "GET",
    _ORG + "/sessions",
    "manage",
    "The org's sessions, oldest first; those that ended, for a day.",
    {200: "All of them, without their tokens."},
    grant=Grant.ORG_ADMIN,
)
REVOKE_SESSION = Route(
    "revoke_session",
    "DELETE",
    _ORG + "/sessions/{session_id}",
    "manage",
    "End a session; takes hold within a minute.",
    {204: "Ended."},
    grant=Grant.ORG_ADMIN,
)
SHOW_SETTINGS = Route(
    "show_settings",
    "GET",
    _ORG + "/settings",
    "manage",
    "What the log keeps, and how far a change of that has got.",
    {200: "The settings; their version is in `ETag`."},
    grant=Grant.ORG_ADMIN,
    conditional=True,
)
CHANGE_SETTINGS = Route(
    "change_settings",
    "PATCH",
    _ORG + "/settings",
    "manage",
    "Change what is named, and nothing else; with `If-Match`, only if nobody has meanwhile.",
    {200: "The settings after the change."},
    grant=Grant.ORG_ADMIN,
    body="SettingsChange",
    conditional=True,
)
CREATE_ERASURE = Route(
    "create_erasure",
    "POST",
    _ORG + "/erasures",
    "manage",
    "Erase the records of all events of one actor, or on one target.",
    {202: "The erasure, which is done in the background."},
    grant=Grant.ORG_ADMIN,
    body="NewErasure",
)
LIST_ERASURES = Route(
    "list_erasures",
    "GET",
    _ORG + "/erasures",
    "manage",
    "The newest 100 erasures, newest first.",
    {200: "The erasures, without whom they were of."},
    grant=Grant.ORG_ADMIN,
)
SHOW_ERASURE = Route(
    "show_erasure",
    "GET",
    _ORG + "/erasures/{erasure_id}",
    "manage",
    "How far an erasure has got.",
    {200: "The erasure."},
    grant=Grant.ORG_ADMIN,
)
CREATE_ORG = Route(
    "create_org",
    "POST",
    "/v1/orgs",
    "manage",
    "Make an org and its first admin key. For the platform's own key.",
    {201: "The org, with the key's secret, which is shown this once."},
    grant=Grant.ORGS_MANAGE,
    body="NewOrg",
)
LIST_ORGS = Route(
    "list_orgs",
    "GET",
    "/v1/orgs",
    "manage",
    "The orgs of the platform by name, 100 a page; deleted ones too.",
    {200: "A page; the end is `next: null`."},
    grant=Grant.ORGS_MANAGE,
    query={"after": "The name behind which the page begins: `next` of the page before."},
)
SHOW_ORG = Route(
    "show_org",
    "GET",
    _ORG,
    "manage",
    "One org: its limits, and how far its deletion has got.",
    {200: "The org."},
    grant=Grant.ORGS_MANAGE,
)
CHANGE_ORG = Route(
    "change_org",
    "PATCH",
    _ORG,
    "manage",
    "Change an org's limits.",
    {200: "The org after the change."},
    grant=Grant.ORGS_MANAGE,
    body="OrgChange",
)
DELETE_ORG = Route(
    "delete_org",
    "DELETE",
    _ORG,
    "manage",
    "Delete an org and everything of it, for ever. Refused under a hold.",
    {202: "It is not to be reached any more, and is being removed."},
    grant=Grant.ORGS_MANAGE,
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

CREDENTIAL = Route(
    "credential",
    "GET",
    "/v1/credential",
    "manage",
    "Whom the credential stands for, and what it may do.",
    {200: "As the log names them; never the secret."},
    query={"org": "One of the token's orgs; the first where it is left out."},
)
CONSOLE = Route(
    "console",
    "GET",
    "/console",
    "console",
    "The console, a web page.",
    {200: "The page.", 304: "The browser has it already."},
    public=True,
    # An issuer sends people back here with what it likes to add.
    any_query=True,
)
CONSOLE_FILE = Route(
    "console_file",
    "GET",
    "/console/{version}/{file}",
    "console",
    "A file of the console, which may be kept for ever.",
    {200: "The file."},
    public=True,
)

ROUTES = (
    HEALTH, OPENAPI, EVENT_TYPES, PUBLISH, SEARCH, TIMELINE, EVENT,
    CREATE_KEY, LIST_KEYS, REVOKE_KEY, ROTATE_KEY,
    CREATE_SESSION, LIST_SESSIONS, REVOKE_SESSION, SHOW_SETTINGS, CHANGE_SETTINGS,
    CREATE_ERASURE, LIST_ERASURES, SHOW_ERASURE,
    CREATE_ORG, LIST_ORGS, SHOW_ORG, CHANGE_ORG, DELETE_ORG,
    CREATE_EXPORT, LIST_EXPORTS, SHOW_EXPORT, DOWNLOAD_EXPORT, DELETE_EXPORT,
    REFERENCE_EXPORT,
    CREDENTIAL, CONSOLE, CONSOLE_FILE,
)  # fmt: skip
