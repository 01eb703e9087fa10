"""Where jsii's Python classes do not match jsii's Python protocols.

The classes of the CDK are generated, and so are the protocols that their
methods take, but with other names of parameters here and there; a type checker
then finds that a `Role` is no `IRole`. jsii checks each argument when it is
called, so nothing is lost.
"""

from typing import Any


def as_protocol(construct: object) -> Any:
    """`construct`, for a parameter whose generated protocol does not match it."""
    return construct
