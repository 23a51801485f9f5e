"""Serves the hosted repository to plain git clients: smart HTTP, for people with an account.

git itself does the work, by ``upload-pack`` and ``receive-pack``; what is here is what ``git http-backend`` does
around them (gitprotocol-http(5)), with bounds, and with who pushes put down before it happens.
"""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
from collections.abc import AsyncIterator, Sequence
from typing import IO

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.daemon.git_requests import RequestRefused, packet, ref_updates, spool
from reconciler.daemon.sign_in import SignIn, SignInRefused
from reconciler.review.review import Review
from reconciler.store.pushes import RefUpdate

GIT = "/git/desired.git"
"""Where the repository is served, below the server's address."""

MOST_PUSHED = 128 * 1024 * 1024
"""Bytes that may be pushed at once. git itself refuses a bigger pack, in words that its user sees."""

MOST_ASKED = 16 * 1024 * 1024
"""Bytes of a request to fetch."""

_PUSH_SECONDS = 300.0
_FETCH_SECONDS = 900.0
_MOST_FETCHES = 8
_MOST_PUSHES = 4
_CHUNK = 64 * 1024
_SERVICES = ("git-upload-pack", "git-receive-pack")
_UNCACHED = {"Expires": "Fri, 01 Jan 1980 00:00:00 GMT", "Pragma": "no-cache", "Cache-Control": "no-cache"}
_SETTINGS = (
    f"receive.maxInputSize={MOST_PUSHED}",
    "receive.unpackLimit=1",
    "uploadpack.allowFilter=true",
    "http.receivepack=true",
)
_log = structlog.get_logger("reconciler.git")


class GitServer:
    """The ASGI application that git clients talk to.

    Args:
        review: whose repository it is.
        sign_in: who may.
    """

    def __init__(self, review: Review, sign_in: SignIn) -> None:
        self._review = review
        self._folder = review.repository.folder
        self._sign_in = sign_in
        self._fetches = asyncio.Semaphore(_MOST_FETCHES)
        self._pushes = asyncio.Semaphore(_MOST_PUSHES)
        self._routes: ASGIApp = Starlette(
            routes=[
                Route(f"{GIT}/info/refs", self._info, methods=["GET"]),
                Route(f"{GIT}/git-upload-pack", self._upload_pack, methods=["POST"]),
                Route(f"{GIT}/git-receive-pack", self._receive_pack, methods=["POST"]),
            ],
            exception_handlers={RequestRefused: _tell_refused, SignInRefused: tell_sign_in},
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._routes(scope, receive, send)

    async def _info(self, request: Request) -> Response:
        """Say which refs there are, or for protocol version 2 what can be asked."""
        await self._sign_in.account(request.scope)
        service = request.query_params.get("service", "")
        if service not in _SERVICES:
            raise RequestRefused(403, "only the smart protocol is spoken here: use git 1.6.6 or later")
        command = self._command(service, "--advertise-refs")
        done = await asyncio.to_thread(_run, command, _environment(request), subprocess.DEVNULL)
        head = b"" if _version_2(request) else packet(f"# service={service}\n".encode()) + b"0000"
        return Response(head + done, media_type=f"application/x-{service}-advertisement", headers=_UNCACHED)

    async def _upload_pack(self, request: Request) -> Response:
        """Send what a clone or a fetch asks for."""
        await self._sign_in.account(request.scope)
        _demand_type(request, "git-upload-pack")
        body = await spool(request, MOST_ASKED)
        return StreamingResponse(
            self._packs(body, _environment(request)),
            media_type="application/x-git-upload-pack-result",
            headers=_UNCACHED,
        )

    async def _packs(self, body: IO[bytes], environment: dict[str, str]) -> AsyncIterator[bytes]:
        async with self._fetches, asyncio.timeout(_FETCH_SECONDS):
            process = await asyncio.create_subprocess_exec(
                *self._command("git-upload-pack"),
                stdin=body,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env=environment,
                start_new_session=True,
            )
            assert process.stdout is not None
            try:
                while chunk := await process.stdout.read(_CHUNK):
                    yield chunk
            finally:  # the client may be gone
                body.close()
                if process.returncode is None and not process.stdout.at_eof():
                    _end(process.pid)
                await process.wait()

    async def _receive_pack(self, request: Request) -> Response:
        """Take a push: all of it first, so that a slow client keeps nobody waiting, then one at a time."""
        account = await self._sign_in.account(request.scope)
        _demand_type(request, "git-receive-pack")
        async with self._pushes:
            body = await spool(request, 2 * MOST_PUSHED)
            try:
                updates = ref_updates(body)
                environment = _environment(request)
                answer = await asyncio.to_thread(self._push, account.name, updates, body, environment)
            finally:
                body.close()
        for update in updates:
            _log.info("push", account=account.name, ref=update.ref, old=update.old[:10], new=update.new[:10])
        return Response(answer, media_type="application/x-git-receive-pack-result", headers=_UNCACHED)

    def _push(
        self, account: str, updates: Sequence[RefUpdate], body: IO[bytes], environment: dict[str, str]
    ) -> bytes:
        return self._review.push(
            account, updates, lambda: _run(self._command("git-receive-pack"), environment, body, _PUSH_SECONDS)
        )

    def _command(self, service: str, *options: str) -> list[str]:
        settings = [word for setting in _SETTINGS for word in ("-c", setting)]
        return ["git", *settings, service.removeprefix("git-"), "--stateless-rpc", *options, str(self._folder)]


async def tell_sign_in(_request: Request, error: Exception) -> Response:
    """Answer somebody who is not let in; git and browsers then ask for name and password."""
    assert isinstance(error, SignInRefused)
    headers = {"WWW-Authenticate": 'Basic realm="Reconciler", charset="UTF-8"'}
    if error.wait:
        return PlainTextResponse(f"{error.what}\n", 429, {"Retry-After": f"{error.wait:.0f}"})
    return PlainTextResponse(f"{error.what}\n", 401, headers)


async def _tell_refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestRefused)
    return PlainTextResponse(f"{error}\n", error.status)


def _demand_type(request: Request, service: str) -> None:
    """Take nothing that a web page could have a browser send without asking."""
    if request.headers.get("content-type") != f"application/x-{service}-request":
        raise RequestRefused(415, f"the content must be application/x-{service}-request")


def _version_2(request: Request) -> bool:
    return "version=2" in request.headers.get("git-protocol", "").split(":")


def _environment(request: Request) -> dict[str, str]:
    """Return what git may know: nothing of the daemon's own environment but where programs are."""
    environment = {
        "PATH": os.environ.get("PATH", os.defpath),
        "LC_ALL": "C",
        "GIT_CONFIG_NOSYSTEM": "1",
        "GIT_CONFIG_GLOBAL": os.devnull,
    }
    protocol = request.headers.get("git-protocol", "")
    if re.fullmatch(r"[A-Za-z0-9=:.,-]{1,200}", protocol):
        environment["GIT_PROTOCOL"] = protocol
    return environment


def _run(command: list[str], environment: dict[str, str], stdin: IO[bytes] | int, seconds: float = 60.0) -> bytes:
    """Run git to its end and return what it says.

    Raises:
        RequestRefused: it took too long, or cannot be run.
    """
    try:
        process = subprocess.Popen(
            command,
            env=environment,
            stdin=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except FileNotFoundError as error:
        raise RequestRefused(503, "there is no git executable on the server") from error
    try:
        output, complaints = process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired as error:
        _end(process.pid)
        process.communicate()
        raise RequestRefused(503, f"git did not come to an end in {seconds:.0f} s") from error
    if process.returncode != 0:
        _log.warning("git failed", exit_code=process.returncode, said=complaints[-500:])
    return output


def _end(process: int) -> None:
    """End git and what it started."""
    try:
        os.killpg(process, signal.SIGKILL)
    except ProcessLookupError:
        return
