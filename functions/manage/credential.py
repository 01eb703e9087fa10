"""What a credential is: whom it stands for, where, how long, and what it may do."""

from dataclasses import replace

from auditlog import routes
from auditlog.errors import Fault, MalformedError, NotFoundError
from auditlog.http import Answer, Request
from manage.door import api, time


@api.route(routes.CREDENTIAL)
def show_credential(request: Request) -> Answer:
    """The caller, as the log would name them; the platform's key has no org."""
    named = request.query.get("org", ())
    if len(named) > 1:
        reason = Fault("expected one value", parameter="org")
        raise MalformedError("The query names more than one org.", [reason])
    if named:
        caller = api.authentication.caller(request.headers, named[0])
        request = replace(request, caller=caller)
    who = request.who
    org = None if who.org is None else api.control.org(who.org)
    if org is None and who.org is not None:
        raise NotFoundError("No such org.")
    return Answer(
        200,
        {
            "org": who.org,
            "actor": dict(who.actor),
            "credential": dict(who.credential),
            "grants": [grant.value for grant in who.grants],
            "expires_at": time(who.expires_at),
            "records_reads": org is not None and org.record_reads,
        },
    )
