"""Every error that auditlog raises on purpose.

    AuditlogError
    ├── CatalogError              a catalog file breaks its own rules (deployment fault)
    ├── ConfigurationError        the environment lacks what this function needs
    ├── DamagedRecordError        stored bytes that no known version can read
    ├── ProblemError              what a caller may be told; each has its HTTP status
    │   ├── UnauthenticatedError  401  no credential, or not a good one
    │   ├── NotFoundError         404  no such org, thing or route for this credential
    │   ├── MethodNotAllowedError 405  the path exists, the method does not
    │   ├── ForbiddenError        403  the credential lacks the grant
    │   ├── ConflictError         409  the state of the thing forbids it
    │   ├── GoneError             410  it was here, and is not any more
    │   ├── PreconditionFailedError 412  it is not as `If-Match` says any more
    │   ├── TooLargeError         413  more bytes or items than the limit
    │   ├── MalformedError        400  not JSON, or not this query
    │   ├── InvalidError          422  JSON that breaks a rule
    │   ├── LimitReachedError     429  the org has used what the platform lets it use
    │   └── UnavailableError      503  try the same again after `retry_after` seconds
    └── StoreError                AWS refused in a way that no caller can mend

`ProblemError` carries what RFC 9457 wants; `problems.problem` is the only place
that turns one into a response. What is not a `ProblemError` is a 500 whose
cause goes to the log and never to the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where.

    Exactly one of `pointer` (RFC 6901, into the body as sent) and `parameter`
    (a name in the query) is set; neither where no place can be named.
    """

    detail: str
    pointer: str | None = None
    parameter: str | None = None

    def as_dict(self) -> dict[str, str]:
        """The form that `errors` has in a problem document."""
        named = {"pointer": self.pointer, "parameter": self.parameter}
        return {k: v for k, v in named.items() if v is not None} | {"detail": self.detail}


@dataclass(frozen=True, slots=True)
class Standing:
    """How much of a limit is left: of `quota`, for `reset` seconds at the least.

    `window` is the length of the limit's period in seconds; None where it is not
    counted by time.
    """

    limit: str
    quota: int
    left: int
    reset: int
    window: int | None = None

    def given_back(self, unused: int) -> "Standing":
        """The same once so much of it was not needed."""
        return replace(self, left=min(self.quota, self.left + unused))

    def fields(self) -> dict[str, str]:
        """The header fields of draft-ietf-httpapi-ratelimit-headers."""
        window = "" if self.window is None else f";w={self.window}"
        return {
            "RateLimit-Policy": f'"{self.limit}";q={self.quota}{window}',
            "RateLimit": f'"{self.limit}";r={self.left};t={self.reset}',
        }


class AuditlogError(Exception):
    """The root of the tree."""


class CatalogError(AuditlogError):
    """A catalog file breaks its own rules; names the file, the type and the rule."""


class ConfigurationError(AuditlogError):
    """The environment lacks a variable that this function needs."""


class DamagedRecordError(AuditlogError):
    """Stored bytes that no version of the record's form can read."""


class StoreError(AuditlogError):
    """AWS refused a call in a way that the caller can do nothing about."""


class ProblemError(AuditlogError):
    """Something that the caller is told, with its place where one can be named."""

    status: ClassVar[int]
    title: ClassVar[str]

    def __init__(self, detail: str, faults: Sequence[Fault] = ()) -> None:
        super().__init__(detail)
        self.detail = detail
        self.faults = tuple(faults)


class UnauthenticatedError(ProblemError):
    """No credential, or one that is not good."""

    status = 401
    title = "Not authenticated"


class NotFoundError(ProblemError):
    """No such thing for this credential; also where it exists for another org."""

    status = 404
    title = "Not found"


class MethodNotAllowedError(ProblemError):
    """The path exists, the method does not."""

    status = 405
    title = "Method not allowed"

    def __init__(self, detail: str, allowed: Sequence[str]) -> None:
        super().__init__(detail)
        self.allowed = tuple(allowed)


class ForbiddenError(ProblemError):
    """The credential is good for this org, but lacks the grant."""

    status = 403
    title = "Forbidden"


class ConflictError(ProblemError):
    """The state of the thing forbids the request."""

    status = 409
    title = "Conflict"


class GoneError(ProblemError):
    """It was here, and is not any more."""

    status = 410
    title = "Gone"


class PreconditionFailedError(ProblemError):
    """The thing is not any more as `If-Match` says."""

    status = 412
    title = "Precondition failed"


class TooLargeError(ProblemError):
    """More bytes or more items than a limit allows."""

    status = 413
    title = "Too large"


class MalformedError(ProblemError):
    """Not JSON, or not a query that this route takes."""

    status = 400
    title = "Malformed request"


class InvalidError(ProblemError):
    """JSON that breaks a rule of the event."""

    status = 422
    title = "Invalid content"


class LimitReachedError(ProblemError):
    """The org has used all of something that the platform lets it use.

    `standing` says which limit it is, and when more is to be had.
    """

    status = 429
    title = "Limit reached"

    def __init__(self, detail: str, standing: Standing) -> None:
        super().__init__(detail)
        self.standing = standing
        self.retry_after = standing.reset

    @classmethod
    def of_keys(cls, quota: int) -> "LimitReachedError":
        """An org that has as many keys as it may."""
        detail = f"The org has {quota} keys, which is all it may have; revoke one."
        return cls(detail, Standing("keys", quota, 0, reset=3_600))

    @classmethod
    def of_exports(cls, quota: int) -> "LimitReachedError":
        """An org that has as many exports under way as it may."""
        detail = f"{quota} exports are under way, which is all there may be: wait, or cancel one."
        return cls(detail, Standing("exports", quota, 0, reset=60))


class UnavailableError(ProblemError):
    """A passing fault; the same request is safe to send again."""

    status = 503
    title = "Temporarily unavailable"

    def __init__(self, detail: str, retry_after: int = 1) -> None:
        super().__init__(detail)
        self.retry_after = retry_after
