"""Reports to the connection layer that a request proved who sends it. Checks no credentials itself."""

from __future__ import annotations

from typing import Protocol

from starlette.types import Scope

CONNECTION = "connection"
"""The key of the connection in a request's ``state``; missing where the application runs on another server."""


class Vouched(Protocol):
    """A connection as an application sees it."""

    identity: str | None
    """Whose connection it is; ``None`` until a request on it proved that."""

    def vouch(self, identity: str) -> None:
        """Count the connection as authenticated from now on."""


def vouch(scope: Scope, kind: str, name: str) -> None:
    """Count the connection of a request as authenticated.

    Args:
        scope: the request's.
        kind: whose credentials it carried: ``host``, ``account`` or ``ticket``.
        name: the name of that host or account, or the beginning of the ticket.
    """
    connection: Vouched | None = scope.get("state", _NO_STATE).get(CONNECTION)
    if connection is not None and connection.identity is None:
        connection.vouch(f"{kind} {name}")


_NO_STATE: dict[str, Vouched] = {}
