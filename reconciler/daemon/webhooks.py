"""Takes webhooks of the forge as hints to look: an ASGI application. What they say changes nothing."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.approval import webhooks
from reconciler.approval.webhooks import READERS, NotGenuine, NotUnderstood, is_about
from reconciler.hosts.bodies import BodyBudget, TooBusy, TooLarge
from reconciler.hosts.failure_answers import FAILURE_ANSWERS

WEBHOOKS = "/webhooks/"
"""Where the daemon takes webhooks, each forge's behind its name."""

LONGEST_DELIVERY = 4 * 1024 * 1024
"""Bytes that a delivery may have. One that is longer is lost; looks by the clock stand behind it."""

MOST_HELD = 16 * 1024 * 1024
"""Bytes of all deliveries together that are being received: whose they are is known only once they are there."""

MOST_REMEMBERED = 1000
"""Deliveries that are known again."""

QUIET_SECONDS = 60.0
"""Seconds in which a refusal is told of once, so that nobody fills the log."""

_log = structlog.get_logger("reconciler.webhooks")


class Webhooks:
    """The ASGI application that the forge calls when something happened.

    Args:
        forge: the forge's name in the settings; its deliveries alone are taken.
        project: deliveries about others are taken, and are no hint.
        secret: what they are signed with; empty where none is set up, and then none is taken.
        hint: called for each that is genuine and new, on the event loop.
    """

    def __init__(self, forge: str, project: str, secret: str, hint: Callable[[], None]) -> None:
        self._forge = forge
        self._project = project
        self._secret = secret
        self._hint = hint
        self._seen: OrderedDict[str, None] = OrderedDict()
        self._told_at = -QUIET_SECONDS
        self._untold = 0
        self._budget = BodyBudget(MOST_HELD, MOST_HELD)
        self._routes: ASGIApp = Starlette(
            routes=[Route(WEBHOOKS + "{forge}", self._take, methods=["POST"])], exception_handlers=FAILURE_ANSWERS
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._routes(scope, receive, send)

    async def _take(self, request: Request) -> Response:
        forge = request.path_params["forge"]
        if forge != self._forge or not self._secret:
            return JSONResponse({"error": "no webhook of this forge is taken here"}, 404)
        try:
            async with self._budget.read(request, LONGEST_DELIVERY, forge) as body:
                return self._taken(forge, request, body)
        except TooLarge as error:
            self._refused("a delivery is too long", str(error))
            return JSONResponse({"error": error.what}, 413)
        except TooBusy as error:
            self._refused("too many deliveries at once", str(error))
            return JSONResponse({"error": error.what}, 503)

    def _taken(self, forge: str, request: Request, body: bytes) -> Response:
        """Answer a delivery that is all there."""
        sent = webhooks.Request(dict(request.headers.items()), body, time.time())
        try:
            delivery = READERS[forge](sent, self._secret)
        except NotGenuine as error:
            self._refused("a webhook is not the forge's", str(error))
            return JSONResponse({"error": error.what}, 401)
        except NotUnderstood as error:
            self._refused("a webhook is not understood", str(error))
            return JSONResponse({"error": str(error)}, 400)
        if is_about(delivery, self._project) and self._is_new(delivery.name):
            self._hint()
        return Response(status_code=204)

    def _is_new(self, name: str) -> bool:
        """Return whether a delivery is seen for the first time, as far as it is remembered."""
        if name in self._seen:
            return False
        self._seen[name] = None
        while len(self._seen) > MOST_REMEMBERED:
            self._seen.popitem(last=False)
        return True

    def _refused(self, what: str, why: str) -> None:
        now = time.monotonic()
        if now - self._told_at < QUIET_SECONDS:
            self._untold += 1
            return
        _log.warning(what, forge=self._forge, why=why, more=self._untold)
        self._told_at, self._untold = now, 0
