"""The agents' inbox: an ASGI application that speaks the wire protocol. Decides nothing about packages.

A check-in is the hot path: it touches memory only, and the answer is 204 unless something is new.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeVar

import orjson
import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.artifacts.store import ArtifactStore
from reconciler.hosts.bodies import LONGEST_ENROLMENT, LONGEST_REPORT, Messages, TooBusy, TooLarge
from reconciler.hosts.enrolment import DecisionAwaited, EnrolmentRefused, Enrolments, PlacementUnknown
from reconciler.hosts.failure_answers import FAILURE_ANSWERS
from reconciler.hosts.logs import AttemptLogs
from reconciler.hosts.machines import Machines, why_barred
from reconciler.hosts.rates import Rates, Sent, TooMuch
from reconciler.hosts.reports import Reports
from reconciler.hosts.roster import Member, Roster, know_starts
from reconciler.hosts.vouching import vouch
from reconciler.kernel import protocol
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.screening import screen_report
from reconciler.kernel.wire import WireError, decode, encode
from reconciler.store.attempts import AttemptStore
from reconciler.store.hosts import HostStore
from reconciler.store.machines import MachineStore
from reconciler.store.replacements import ReplacementStore

_Done = TypeVar("_Done")

_LONGEST_CHECK_IN = 8 * 1024
_LONGEST_NAME = 256
_NOTHING_ASKED = "pushed"
"""The digest of the assignment that an agent gets whose host is kept by WinRM."""

_QUARANTINED = "quarantined"
"""The digest of the assignment that a machine in quarantine gets."""

_MACHINE = protocol.MACHINE_HEADER.lower().encode()

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


@dataclass(frozen=True, slots=True)
class Records:
    """Where the inbox keeps what it takes in, and what it gives out."""

    hosts: HostStore
    replacements: ReplacementStore
    machines: MachineStore
    attempts: AttemptStore
    artifacts: ArtifactStore
    logs: AttemptLogs


class Inbox:
    """The ASGI application that agents talk to."""

    def __init__(self, roster: Roster, records: Records, keeper: Keeper) -> None:
        self._roster = roster
        self._attempts = records.attempts
        self._reports = Reports(records.hosts, records.attempts)
        self._enrolments = Enrolments(records.hosts, records.replacements, keeper.placement)
        self._machines = Machines(records.machines)
        self._artifacts = records.artifacts
        self._logs = records.logs
        self._keeper = keeper
        self._rates = Rates()
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
        member, machine = self._authenticate(scope)
        if member is None:
            await _answer(send, 401, self._unknown(scope))
            return
        try:
            check_in = orjson.loads(await _read_small(receive))
            report, assignment = check_in["report"], check_in["assignment"]
            busy, sequence = check_in.get("busy"), check_in.get("sequence")
        except (ValueError, KeyError, TypeError, AttributeError, TooLarge):
            await _answer(send, 400, b'{"error":"malformed check-in"}')
            return
        if member.pushed:
            await self._stand_down(member, assignment, send)
            return
        renew = False
        try:
            refused = await self._why_not(member, machine, scope)
        except TooMuch as error:
            await _answer(send, 429, orjson.dumps({"error": str(error)}), error.wait)
            return
        if refused:
            await self._stand_down(member, assignment, send, refused)
            return
        if isinstance(sequence, int):
            if sequence < member.sequence:  # the same again is a request that was sent twice
                renew = await self._went_back(member, scope)
            member.sequence = sequence
        self._roster.saw(member, busy if busy is not None and _is_name(busy) else None, time.time())
        if member.silent:
            member.silent = False
            self._keeper.spoke_again(member.name)
        # Before the state in force was read again after a start, there is nothing to give out: hosts go on by
        # what they have.
        new = member.assignment if assignment != member.assigned else None
        if report == member.report and new is None and not renew:
            await _answer(send, 204, b"")
            return
        answer = protocol.CheckInAnswer(
            assignment=new,
            assignment_digest=member.assigned if new is not None else "",
            send_report=report != member.report,
            renew=renew,
        )
        body = orjson.dumps(encode(answer))
        await _answer(send, 200, body)

    async def _why_not(self, member: Member, machine: bytes, scope: Scope) -> str:
        """Return why a machine gets nothing as a host; empty where it speaks for it.

        Raises:
            TooMuch: as by `_meet`.
        """
        if machine.partition(b" ")[0] == member.run:
            return ""
        return await self._meet(member, machine, scope)

    async def _meet(self, member: Member, machine: bytes, scope: Scope) -> str:
        """Take in another start of the host's agent; return why it gets nothing, empty where it may go on.

        Raises:
            TooMuch: it starts all the time, or two machines take turns too fast.
        """
        if refused := why_barred(member, machine):
            return refused
        self._rates.spend(_payer(member, machine, scope), Sent.STARTS, 1, time.monotonic())
        refused = await self._in_thread(self._machines.meet, member, machine, _address(scope), time.time())
        self._keeper.reported(member.name)
        return refused

    async def _went_back(self, member: Member, scope: Scope) -> bool:
        """Put on record that an agent counts its check-ins from an earlier number: it needs a new run."""
        with suppress(TooMuch):
            self._rates.spend(member.name, Sent.STARTS, 1, time.monotonic())
            await self._in_thread(self._machines.went_back, member, _address(scope), time.time())
        return True

    async def _stand_down(self, member: Member, assignment: object, send: Send, why: str = "") -> None:
        """Ask nothing of an agent whose host the server keeps itself, or that is not the host's own.

        Two must not work on one machine, and nothing is given to a machine in quarantine.
        """
        digest = _QUARANTINED if why else _NOTHING_ASKED
        if assignment == digest:
            await _answer(send, 204, b"")
            return
        nothing = Assignment(member.name, member.environment, member.revision)
        notice = f"this machine is in quarantine and is asked for nothing: {why}" if why else ""
        answer = protocol.CheckInAnswer(assignment=nothing, assignment_digest=digest, notice=notice)
        await _answer(send, 200, orjson.dumps(encode(answer)))

    def _authenticate(self, scope: Scope) -> tuple[Member | None, bytes]:
        """Return the host that a request proves itself to be from, and what it says of its machine."""
        given = machine = b""
        for name, value in scope["headers"]:
            if name == b"authorization":
                given = value
            elif name == _MACHINE:
                machine = value
        scheme, _, credentials = given.decode("latin-1").partition(" ")
        host, _, key = credentials.partition(":")
        if scheme.lower() != "bearer" or not key:
            return None, machine
        member = self._roster.authenticate(host.upper(), protocol.hash_key(key))
        if member is not None:
            vouch(scope, "host", member.name)
        return member, machine

    def _unknown(self, scope: Scope) -> bytes:
        """Return what a host is told whose key proves nothing."""
        given = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
        why = self._roster.why_unknown(protocol.hash_key(given.decode("latin-1").partition(":")[2]))
        return orjson.dumps({"error": why}) if why else _UNKNOWN_HOST

    async def _enrol(self, request: Request) -> Response:
        understand = partial(decode, protocol.EnrolRequest)
        wanted = await self._messages.read(understand, request, LONGEST_ENROLMENT, "")
        address = _address(request.scope)
        letting_in = partial(self._enrolments.enrol, wanted, address, time.time())
        try:
            record = await asyncio.get_running_loop().run_in_executor(self._enrolling, letting_in)
        except DecisionAwaited:
            self._keeper.reported(wanted.host.upper())
            raise
        before = self._roster.find(record.name)
        member = self._roster.enrol(record)
        if before is not None and before.key_sha256 == record.key_sha256:
            know_starts(member, before.starts)
        _log.info("enrolled", host=record.name, environment=record.environment, address=address)
        self._keeper.enrolled(record.name)
        return Response(status_code=204)

    async def _report(self, request: Request) -> Response:
        member, machine = self._authenticate(request.scope)
        if member is None:
            return Response(self._unknown(request.scope), 401)
        if refused := why_barred(member, machine):
            return _quarantined(refused)
        self._rates.spend(_payer(member, machine, request.scope), Sent.REPORTS, 1, time.monotonic())
        now = time.time()
        report = await self._messages.read(partial(screen_report, now=now), request, LONGEST_REPORT, member.name)
        if member.pushed:
            return Response(status_code=204)  # the server sees for itself what such a host has
        if refused := await self._why_not(member, machine, request.scope):
            return _quarantined(refused)
        if not report.kept:
            raise WireError("; ".join(report.notes), where=member.name)
        self._rates.spend(member.name, Sent.ATTEMPTS, len(report.attempts), time.monotonic())
        await self._in_thread(self._reports.keep, member, report, now)
        self._keeper.reported(member.name)
        if not report.notes:
            return Response(status_code=204)
        return JSONResponse(encode(protocol.ReportAnswer(report.notes)))

    async def _artifact(self, request: Request) -> Response:
        member, machine = self._authenticate(request.scope)
        if member is None:
            return Response(self._unknown(request.scope), 401)
        if refused := _why_no_files(member, machine):
            return JSONResponse({"error": refused}, 403)
        path = self._artifacts.find(request.path_params["sha256"])
        if path is None:
            return JSONResponse({"error": "no such artifact is kept here"}, 404)
        return FileResponse(path, media_type="application/octet-stream")

    async def _keep_log(self, request: Request) -> Response:
        member, machine = self._authenticate(request.scope)
        if member is None:
            return Response(self._unknown(request.scope), 401)
        if refused := _why_no_files(member, machine):
            return JSONResponse({"error": refused}, 403)
        attempt = request.path_params["attempt"]
        if _ATTEMPT_ID.fullmatch(attempt) is None or not await self._in_thread(
            self._attempts.belongs_to, attempt, member.name
        ):
            return JSONResponse({"error": "no such attempt was reported by this host"}, 404)
        self._rates.spend(member.name, Sent.LOGS, 1, time.monotonic())
        async with self._messages.budget.read(request, protocol.LONGEST_LOG * 2, member.name) as body:
            self._rates.spend(member.name, Sent.LOG_BYTES, len(body), time.monotonic())
            await self._in_thread(self._logs.keep, attempt, body)
        return Response(status_code=204)

    async def _in_thread(self, work: Callable[..., _Done], *arguments: Any) -> _Done:
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
        except TooMuch as error:
            _log.warning("too much from a host", host=error.where, why=error.what)
            return JSONResponse({"error": str(error)}, 429, {"Retry-After": f"{error.wait:.0f}"})
        except WireError as error:
            _log.warning("malformed message", path=request.url.path, why=str(error))
            return JSONResponse({"error": str(error)}, 400)
        return response

    return answer


def _is_name(busy: object) -> bool:
    return isinstance(busy, str) and len(busy) <= _LONGEST_NAME and busy.isprintable()


async def _read_small(receive: Receive) -> bytes:
    message = await receive()
    body: bytes = message.get("body", b"")
    while message.get("more_body"):
        message = await receive()
        body += message.get("body", b"")
        if len(body) > _LONGEST_CHECK_IN:
            raise TooLarge(f"the body is longer than {_LONGEST_CHECK_IN} bytes")
    return body


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return str(client[0]) if client else "unknown"


def _payer(member: Member, machine: bytes, scope: Scope) -> str:
    """Return whose budget a request is taken from: another machine with the host's key has one of its own."""
    if machine.partition(b" ")[0] == member.run:
        return member.name
    return f"{member.name} at {_address(scope)}"


def _why_no_files(member: Member, machine: bytes) -> str:
    """Return why a machine may neither fetch artifacts nor hand over logs; empty where it may.

    Only the start that last checked in and was served may: whoever leaves out or makes up the header is another.
    """
    if refused := why_barred(member, machine):
        return f"this machine is in quarantine: {refused}"
    if machine.partition(b" ")[0] != member.run:
        return "another start of the agent speaks for this host: check in first"
    return ""


def _quarantined(why: str) -> Response:
    return JSONResponse({"error": f"this machine is in quarantine: {why}"}, 403)


async def _answer(send: Send, status: int, body: bytes, wait: float = 0.0) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))] if body else []
    if wait:
        headers.append((b"retry-after", b"%d" % wait))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
