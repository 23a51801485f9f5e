"""Serves the built-in review to the command line of reviewers elsewhere: JSON, for people with an account."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.daemon.sign_in import SignIn, SignInRefused
from reconciler.daemon.slots import NoSlot, Slots
from reconciler.hosts.failure_answers import FAILURE_ANSWERS
from reconciler.kernel.errors import ReconcilerError
from reconciler.operations.review import list_changes, show_change
from reconciler.planning.report import as_markdown, as_text
from reconciler.presentation.json_text import as_json
from reconciler.review.changes import NoSuchChange
from reconciler.review.review import ChangeRefused, Review
from reconciler.site import Site
from reconciler.store.accounts import AccountRecord
from reconciler.store.changes import ChangeState, Word

CHANGES = "/api/changes"
"""Where changes are, below the server's address."""

_LONGEST_BODY = 64 * 1024
_MOST_AT_ONCE = 8
_MOST_OF_ONE = 3
_WAIT_SECONDS = 60.0
_JSON = "application/json"
_log = structlog.get_logger("reconciler.review")


class MalformedRequest(ReconcilerError):
    """A request that does not have the shape it should have."""

    reference = "malformed-request"


class ReviewApi:
    """The ASGI application that ``reconciler change`` talks to.

    Args:
        site: the installation.
        review: its changes.
        sign_in: who may.
    """

    def __init__(self, site: Site, review: Review, sign_in: SignIn) -> None:
        self._site = site
        self._review = review
        self._sign_in = sign_in
        one = CHANGES + "/{number:int}"
        self._routes: ASGIApp = Starlette(
            routes=[
                Route(CHANGES, self._list, methods=["GET"]),
                Route(one, self._show, methods=["GET"]),
                Route(one + "/reviews", self._say, methods=["POST"]),
                Route(one + "/merge", self._merge, methods=["POST"]),
                Route(one + "/close", self._close, methods=["POST"]),
            ],
            exception_handlers={**FAILURE_ANSWERS, ReconcilerError: _tell, NoSlot: _tell_busy},
        )
        # Planning a change can take long, and a push makes all of them wait: hosts use other threads.
        self._threads = ThreadPoolExecutor(_MOST_AT_ONCE, thread_name_prefix="review")
        self._slots = Slots(_MOST_AT_ONCE, _MOST_OF_ONE, _WAIT_SECONDS)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._routes(scope, receive, send)

    async def _list(self, request: Request) -> Response:
        account = await self._sign_in.account(request.scope)
        wanted = request.query_params.get("state", ChangeState.OPEN)
        if wanted != "all" and wanted not in list(ChangeState):
            raise MalformedRequest(f"{wanted[:40]!r} is no state", hint="open, merged, closed or all")
        state = None if wanted == "all" else ChangeState(wanted)
        return _answer(await self._do(account, lambda: list_changes(self._review, state)))

    async def _show(self, request: Request) -> Response:
        account = await self._sign_in.account(request.scope)
        return await self._shown(account, request.path_params["number"])

    async def _say(self, request: Request) -> Response:
        account, body = await self._asked(request)
        number = request.path_params["number"]
        try:
            word = Word(_text(body, "verdict"))
        except ValueError as error:
            raise MalformedRequest("the verdict is missing", hint="approved, rejected or commented") from error
        head, comment = _head(body), _text(body, "comment")
        if word is Word.APPROVED and head is None:
            hint = "give the head of the change that you looked at"
            raise MalformedRequest("an approval names the head that it is for", hint=hint)
        record = await self._do(account, lambda: self._review.say(account.name, number, word, head, comment))
        _log.info("review", change=number, account=account.name, verdict=word)
        why = self._review.book.cannot_count(record, account.name) if word is Word.APPROVED else ""
        return await self._shown(account, number, (why,) if why else ())

    async def _merge(self, request: Request) -> Response:
        account, body = await self._asked(request)
        number, head = request.path_params["number"], _head(body)
        merged = await self._do(account, lambda: self._review.merge(account, number, head))
        _log.info("merged", change=number, account=account.name, commit=merged.merge_commit)
        return await self._shown(account, number)

    async def _close(self, request: Request) -> Response:
        account, body = await self._asked(request)
        number, comment = request.path_params["number"], _text(body, "comment")
        await self._do(account, lambda: self._review.close(account.name, number, comment))
        return await self._shown(account, number)

    async def _shown(self, account: AccountRecord, number: int, warnings: tuple[str, ...] = ()) -> Response:
        detail = await self._do(account, lambda: show_change(self._site, self._review, number))
        plan = detail.plan
        texts = {"text": as_text(plan), "markdown": as_markdown(plan)} if plan is not None else {}
        return _answer({"detail": detail, "plan": texts, "warnings": warnings})

    async def _asked(self, request: Request) -> tuple[AccountRecord, dict[str, Any]]:
        """Return who asks, and what they say; nothing that a web page could have a browser send unasked."""
        account = await self._sign_in.account(request.scope)
        if request.headers.get("content-type", "").partition(";")[0].strip() != _JSON:
            raise MalformedRequest("the content must be JSON", hint=f"send Content-Type: {_JSON}")
        content = bytearray()
        async for chunk in request.stream():
            content += chunk
            if len(content) > _LONGEST_BODY:
                raise MalformedRequest(f"the content is longer than {_LONGEST_BODY} bytes")
        try:
            body = orjson.loads(content or b"{}")
        except orjson.JSONDecodeError as error:
            raise MalformedRequest("the content is no JSON") from error
        if not isinstance(body, dict):
            raise MalformedRequest("the content is no JSON object")
        return account, body

    async def _do(self, account: AccountRecord, ask: Callable[[], Any]) -> Any:
        async with self._slots.taken_by(account.name):
            return await asyncio.get_running_loop().run_in_executor(self._threads, ask)


def _answer(value: Any, status: int = 200) -> Response:
    return Response(as_json(value, indented=False), status, media_type=_JSON)


def _head(body: dict[str, Any]) -> str | None:
    head = _text(body, "head")
    if head and re.fullmatch(r"[0-9a-fA-F]{7,40}", head) is None:
        raise MalformedRequest(f"{head[:60]!r} is no commit", hint="give 7 to 40 of its digits")
    return head or None


def _text(body: dict[str, Any], name: str) -> str:
    value = body.get(name, "")
    if not isinstance(value, str):
        raise MalformedRequest(f"{name} must be a text")
    return value


async def _tell_busy(_request: Request, error: Exception) -> Response:
    told = {"reference": "busy", "what": str(error), "where": None, "hint": None}
    answer = _answer({"error": told}, 503)
    answer.headers["Retry-After"] = "5"
    return answer


async def _tell(_request: Request, error: Exception) -> Response:
    """Answer with what is wrong, for people to read."""
    assert isinstance(error, ReconcilerError)
    status = 500
    headers = {}
    match error:
        case SignInRefused():
            status = 429 if error.wait else 401
            headers = (
                {"Retry-After": f"{error.wait:.0f}"}
                if error.wait
                else {"WWW-Authenticate": 'Basic realm="Reconciler"'}
            )
        case NoSuchChange():
            status = 404
        case ChangeRefused():
            status = 409
        case MalformedRequest():
            status = 400
    told = {"reference": error.reference, "what": error.what, "where": error.where, "hint": error.hint}
    answer = _answer({"error": told}, status)
    answer.headers.update(headers)
    return answer
