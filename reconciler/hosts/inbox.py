"""The agents' inbox: an ASGI application that speaks the wire protocol. Decides nothing about packages.

A check-in is the hot path: it touches memory only, and the answer is 204 unless something is new.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Protocol

import orjson
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.artifacts.store import ArtifactStore
from reconciler.hosts.bodies import LONGEST_ENROLMENT, LONGEST_REPORT, Messages, TooBusy, TooLarge
from reconciler.hosts.enrolment import EnrolmentRefused, PlacementUnknown, enrol
from reconciler.hosts.failure_answers import FAILURE_ANSWERS
from reconciler.hosts.logs import AttemptLogs
from reconciler.hosts.reports import Reports
from reconciler.hosts.roster import Member, Roster
from reconciler.hosts.vouching import vouch
from reconciler.kernel import protocol
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.wire import WireError, encode
from reconciler.store.attempts import AttemptStore
from reconciler.store.hosts import HostStore

_LONGEST_CHECK_IN = 8 * 1024
_LONGEST_DIGEST = 64
_NOTHING_ASKED = "pushed"
"""The digest of the assignment that an agent gets whose host is kept by WinRM."""

_ATTEMPT_ID = re.compile(r"[0-9a-f-]{8,64}")
_log = structlog.get_logger("reconciler.inbox")


class Keeper(Protocol):
    """What the inbox tells of, and asks. Called on the event loop; must not block."""

    def placement(self, host: str) -> str | None:
        """Return the environment that the desired state puts a host into, or ``None``.

        Raises:
            PlacementUnknown: nobody can tell now.
        """

    def reported(self, host: str) -> None:
        """A host has reported, and the report is kept."""

    def enrolled(self, host: str) -> None:
        """A host has enrolled."""

    def spoke_again(self, host: str) -> None:
        """A host that was held to be silent has checked in."""


class Inbox:
    """The ASGI application that agents talk to."""

    def __init__(
        self,
        roster: Roster,
        hosts: HostStore,
        attempts: AttemptStore,
        artifacts: ArtifactStore,
        logs: AttemptLogs,
        keeper: Keeper,
    ) -> None:
        self._roster = roster
        self._hosts = hosts
        self._attempts = attempts
        self._reports = Reports(hosts, attempts)
        self._artifacts = artifacts
        self._logs = logs
        self._keeper = keeper
        self._messages = Messages()
        # Threads that only enrolled hosts use, and one for enrolments: neither waits for people or for git.
        self._workers = ThreadPoolExecutor(4, thread_name_prefix="inbox")
        self._enrolling = ThreadPoolExecutor(1, thread_name_prefix="enrol")
        self._rest: ASGIApp = Starlette(
            routes=[
                Route(protocol.ENROL, _answering_errors(self._enrol), methods=["POST"]),
                Route(protocol.REPORT, _answering_errors(self._report), methods=["POST"]),
                Route(protocol.ARTIFACTS + "{sha256}", _answering_errors(self._artifact), methods=["GET"]),
                Route(protocol.LOGS + "{attempt}", _answering_errors(self._keep_log), methods=["PUT"]),
            ],
            exception_handlers=FAILURE_ANSWERS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "http" and scope["path"] == protocol.CHECK_IN:
            await self._check_in(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    async def _check_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        member = self._authenticate(scope)
        if member is None:
            await _answer(send, 401, _UNKNOWN_HOST)
            return
        try:
            check_in = orjson.loads(await _read_small(receive))
            report, assignment, busy = check_in["report"], check_in["assignment"], check_in.get("busy")
        except (ValueError, KeyError, TypeError, AttributeError, TooLarge):
            await _answer(send, 400, b'{"error":"malformed check-in"}')
            return
        if member.pushed:
            await self._stand_down(member, assignment, send)
            return
        self._roster.saw(member, busy if isinstance(busy, str) else None, time.time())
        if member.silent:
            member.silent = False
            self._keeper.spoke_again(member.name)
        # Before the state in force was read again after a start, there is nothing to give out: hosts go on by
        # what they have.
        new = member.assignment if assignment != member.assigned else None
        if report == member.report and new is None:
            await _answer(send, 204, b"")
            return
        answer = protocol.CheckInAnswer(
            assignment=new,
            assignment_digest=member.assigned if new is not None else "",
            send_report=report != member.report,
        )
        body = orjson.dumps(encode(answer))
        await _answer(send, 200, body)

    async def _stand_down(self, member: Member, assignment: object, send: Send) -> None:
        """Ask nothing of an agent whose host the server keeps itself: two must not work on one machine."""
        if assignment == _NOTHING_ASKED:
            await _answer(send, 204, b"")
            return
        nothing = Assignment(member.name, member.environment, member.revision)
        answer = protocol.CheckInAnswer(assignment=nothing, assignment_digest=_NOTHING_ASKED)
        await _answer(send, 200, orjson.dumps(encode(answer)))

    def _authenticate(self, scope: Scope) -> Member | None:
        for name, value in scope["headers"]:
            if name == b"authorization":
                scheme, _, credentials = value.decode("latin-1").partition(" ")
                host, _, key = credentials.partition(":")
                if scheme.lower() != "bearer" or not key:
                    return None
                member = self._roster.authenticate(host.upper(), protocol.hash_key(key))
                if member is not None:
                    vouch(scope, "host", member.name)
                return member
        return None

    async def _enrol(self, request: Request) -> Response:
        wanted = await self._messages.read(protocol.EnrolRequest, request, LONGEST_ENROLMENT, "")
        letting_in = partial(enrol, self._hosts, self._keeper.placement, wanted, time.time())
        record = await asyncio.get_running_loop().run_in_executor(self._enrolling, letting_in)
        self._roster.enrol(record)
        _log.info("enrolled", host=record.name, environment=record.environment)
        self._keeper.enrolled(record.name)
        return Response(status_code=204)

    async def _report(self, request: Request) -> Response:
        member = self._authenticate(request.scope)
        if member is None:
            return Response(_UNKNOWN_HOST, 401)
        report = await self._messages.read(protocol.Report, request, LONGEST_REPORT, member.name)
        if any(_ATTEMPT_ID.fullmatch(attempt.id) is None for attempt in report.attempts):
            raise WireError("an attempt's id is malformed", where=member.name)
        if len(report.digest) > _LONGEST_DIGEST or len(report.assignment) > _LONGEST_DIGEST:
            raise WireError("a digest is too long", where=member.name)
        if member.pushed:
            return Response(status_code=204)  # the server sees for itself what such a host has
        await self._in_thread(self._reports.keep, member, report, time.time())
        self._keeper.reported(member.name)
        return Response(status_code=204)

    async def _artifact(self, request: Request) -> Response:
        member = self._authenticate(request.scope)
        if member is None:
            return Response(_UNKNOWN_HOST, 401)
        path = self._artifacts.find(request.path_params["sha256"])
        if path is None:
            return JSONResponse({"error": "no such artifact is kept here"}, 404)
        return FileResponse(path, media_type="application/octet-stream")

    async def _keep_log(self, request: Request) -> Response:
        member = self._authenticate(request.scope)
        if member is None:
            return Response(_UNKNOWN_HOST, 401)
        attempt = request.path_params["attempt"]
        if _ATTEMPT_ID.fullmatch(attempt) is None or not await self._in_thread(
            self._attempts.belongs_to, attempt, member.name
        ):
            return JSONResponse({"error": "no such attempt was reported by this host"}, 404)
        async with self._messages.budget.read(request, protocol.LONGEST_LOG * 2, member.name) as body:
            await self._in_thread(self._logs.keep, attempt, body)
        return Response(status_code=204)

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work, *arguments)


_UNKNOWN_HOST = b'{"error":"this host is not enrolled here, or its key is not the one it enrolled with"}'
_Endpoint = Callable[[Request], Any]


def _answering_errors(endpoint: _Endpoint) -> _Endpoint:
    """Turn what is wrong with a request into an answer that says so."""

    async def answer(request: Request) -> Response:
        try:
            response: Response = await endpoint(request)
        except EnrolmentRefused as error:
            _log.warning("enrolment refused", why=str(error))
            return JSONResponse({"error": str(error)}, 403)
        except PlacementUnknown as error:
            return JSONResponse({"error": str(error)}, 503)
        except TooBusy as error:
            return JSONResponse({"error": str(error)}, 503, {"Retry-After": "5"})
        except TooLarge as error:
            return JSONResponse({"error": str(error)}, 413)
        except WireError as error:
            _log.warning("malformed message", path=request.url.path, why=str(error))
            return JSONResponse({"error": str(error)}, 400)
        return response

    return answer


async def _read_small(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LONGEST_CHECK_IN:
            raise TooLarge(f"the body is longer than {_LONGEST_CHECK_IN} bytes")
    return body


async def _answer(send: Send, status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))] if body else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
