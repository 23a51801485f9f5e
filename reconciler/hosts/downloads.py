"""Serves artifacts to hosts that show a ticket: an ASGI application beside the agents' inbox."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import ThreadPoolExecutor

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.artifacts.store import ArtifactStore
from reconciler.hosts.failure_answers import FAILURE_ANSWERS
from reconciler.hosts.tickets import DOWNLOADS, Tickets
from reconciler.hosts.vouching import vouch


class Downloads:
    """The ASGI application that pushed hosts fetch their files from; all else it hands on.

    Args:
        artifacts: the files.
        tickets: who may fetch which of them.
        rest: answers every other request.
    """

    def __init__(self, artifacts: ArtifactStore, tickets: Tickets, rest: ASGIApp) -> None:
        self._artifacts = artifacts
        self._tickets = tickets
        self._rest = rest
        # Invented tickets wait for each other, and keep no file that is being sent waiting.
        self._redeeming = ThreadPoolExecutor(1, thread_name_prefix="tickets")
        self._own: ASGIApp = Starlette(
            routes=[Route(DOWNLOADS + "{ticket}/{name}", self._download, methods=["GET"])],
            exception_handlers=FAILURE_ANSWERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        own = scope["type"] == "http" and scope["path"].startswith(DOWNLOADS)
        await (self._own if own else self._rest)(scope, receive, send)

    async def _download(self, request: Request) -> Response:
        redeem, ticket = self._tickets.redeem, request.path_params["ticket"]
        sha256 = await asyncio.get_running_loop().run_in_executor(self._redeeming, redeem, ticket, time.time())
        if sha256 is None:
            return JSONResponse({"error": "this ticket is not good, or no longer"}, 403)
        vouch(request.scope, "ticket", ticket[:16])
        path = self._artifacts.find(sha256)
        if path is None:
            return JSONResponse({"error": "no such artifact is kept here"}, 404)
        return FileResponse(path, media_type="application/octet-stream")
