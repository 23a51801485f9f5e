"""Hands each request to the application that its path belongs to, by how the path begins."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.types import ASGIApp, Receive, Scope, Send


class ByPrefix:
    """An ASGI application that is made of several.

    Args:
        applications: by how the paths begin that each answers; no prefix begins with another.
        rest: answers every other request; asked for most of them.
    """

    def __init__(self, applications: Mapping[str, ASGIApp], rest: ASGIApp) -> None:
        self._applications = tuple(applications.items())
        self._rest = rest

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        path = scope.get("path", "")
        found = next((app for prefix, app in self._applications if path.startswith(prefix)), self._rest)
        await found(scope, receive, send)
