"""Serves the hosted repository to plain git clients: smart HTTP, for people with an account.

git itself does the work, by ``upload-pack`` and ``receive-pack``; what is here is what ``git http-backend`` does
around them (gitprotocol-http(5)), with bounds, and with who pushes put down before it happens.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import IO, Any, TypeVar

import structlog
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from reconciler.daemon.git_answers import refusal
from reconciler.daemon.git_process import end, environment_of, git_command, run
from reconciler.daemon.git_requests import PushRequest, RequestRefused, packet, read_push, rewind, spool
from reconciler.daemon.pack_limits import PackLimits, PackRefused, check_pack
from reconciler.daemon.sign_in import SignIn, SignInRefused
from reconciler.daemon.slots import NoSlot, Slots
from reconciler.hosts.failure_answers import FAILURE_ANSWERS
from reconciler.review.caps import AccountCaps, CapReached
from reconciler.review.push_check import LARGEST_FILE_VARIABLE
from reconciler.review.review import Review
from reconciler.settings import Settings
from reconciler.store.shortages import LOW_SPACE

GIT = "/git/desired.git"
"""Where the repository is served, below the server's address."""

UNPACKED = 4
"""How many times its own size a push may have once unpacked."""

MOST_ASKED = 16 * 1024 * 1024
"""Bytes of a request to fetch."""

_PUSH_SECONDS = 120.0
_FETCH_SECONDS = 900.0
_CHUNK = 64 * 1024
_SERVICES = ("git-upload-pack", "git-receive-pack")
_UNCACHED = {"Expires": "Fri, 01 Jan 1980 00:00:00 GMT", "Pragma": "no-cache", "Cache-Control": "no-cache"}
_log = structlog.get_logger("reconciler.git")

T = TypeVar("T")


class GitServer:
    """The ASGI application that git clients talk to.

    Args:
        review: whose repository it is.
        sign_in: who may.
        settings: how much may be pushed.
        caps: how much one account may have.
    """

    def __init__(self, review: Review, sign_in: SignIn, settings: Settings, caps: AccountCaps) -> None:
        self._review = review
        self._folder = review.repository.folder
        self._sign_in = sign_in
        self._caps = caps
        self._spool_folder = settings.data
        self._most_pushed = settings.push_bytes
        self._largest_file = settings.push_file_bytes
        self._limits = PackLimits(settings.push_file_bytes, UNPACKED * settings.push_bytes)
        # One account never takes all of them, however slowly it sends or reads.
        self._asks = Slots(total=8, of_one=4, wait_seconds=20.0)
        self._fetches = Slots(total=8, of_one=2, wait_seconds=20.0)
        self._received = Slots(total=16, of_one=2, wait_seconds=20.0)
        self._pushes = Slots(total=4, of_one=1, wait_seconds=_PUSH_SECONDS)
        self._workers = ThreadPoolExecutor(16, thread_name_prefix="git")
        self._routes: ASGIApp = Starlette(
            routes=[
                Route(f"{GIT}/info/refs", self._info, methods=["GET"]),
                Route(f"{GIT}/git-upload-pack", self._upload_pack, methods=["POST"]),
                Route(f"{GIT}/git-receive-pack", self._receive_pack, methods=["POST"]),
            ],
            exception_handlers={
                **FAILURE_ANSWERS,
                RequestRefused: _tell_refused,
                SignInRefused: tell_sign_in,
                NoSlot: _tell_busy,
            },
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._routes(scope, receive, send)

    async def _info(self, request: Request) -> Response:
        """Say which refs there are, or for protocol version 2 what can be asked."""
        account = await self._sign_in.account(request.scope)
        service = request.query_params.get("service", "")
        if service not in _SERVICES:
            raise RequestRefused(403, "only the smart protocol is spoken here: use git 1.6.6 or later")
        command, environment = self._command(service, "--advertise-refs"), self._environment(request)
        async with self._asks.taken_by(account.name):
            done = await self._in_thread(lambda: run(command, environment, subprocess.DEVNULL))
        head = b"" if _version_2(request) else packet(f"# service={service}\n".encode()) + b"0000"
        return Response(head + done, media_type=f"application/x-{service}-advertisement", headers=_UNCACHED)

    async def _upload_pack(self, request: Request) -> Response:
        """Send what a clone or a fetch asks for."""
        account = await self._sign_in.account(request.scope)
        _demand_type(request, "git-upload-pack")
        async with self._asks.taken_by(account.name):
            body = await spool(request, MOST_ASKED, self._spool_folder)
        return _Holding(
            self._fetching(account.name, body),
            self._packs(body, self._environment(request)),
            media_type="application/x-git-upload-pack-result",
            headers=_UNCACHED,
        )

    @asynccontextmanager
    async def _fetching(self, account: str, body: IO[bytes]) -> AsyncIterator[None]:
        with body:
            async with self._fetches.taken_by(account), asyncio.timeout(_FETCH_SECONDS):
                yield

    async def _packs(self, body: IO[bytes], environment: dict[str, str]) -> AsyncIterator[bytes]:
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
            if process.returncode is None and not process.stdout.at_eof():
                end(process.pid)
            await process.wait()

    async def _receive_pack(self, request: Request) -> Response:
        """Take a push: all of it first, so that a slow client keeps nobody waiting, then one at a time."""
        account = await self._sign_in.account(request.scope)
        _demand_type(request, "git-receive-pack")
        if shutil.disk_usage(self._spool_folder).free < LOW_SPACE + 2 * self._most_pushed:
            raise RequestRefused(503, "the disk of the server is nearly full: nothing can be pushed now")
        async with self._received.taken_by(account.name):
            with await spool(request, 2 * self._most_pushed, self._spool_folder) as body:
                push = read_push(body)
                try:
                    await self._in_thread(lambda: self._check(body, push))
                    async with self._pushes.taken_by(account.name):
                        environment = self._environment(request)
                        answer = await self._in_thread(lambda: self._push(account.name, push, body, environment))
                except (PackRefused, CapReached, NoSlot) as error:
                    _log.warning("push refused", account=account.name, why=str(error))
                    answer = refusal(push.capabilities, push.updates, str(error))
                else:
                    for update in push.updates:
                        old, new = update.old[:10], update.new[:10]
                        event = "push refused" if f"ng {update.ref} ".encode() in answer else "push"
                        _log.info(event, account=account.name, ref=update.ref, old=old, new=new)
        return Response(answer, media_type="application/x-git-receive-pack-result", headers=_UNCACHED)

    def _check(self, body: IO[bytes], push: PushRequest) -> None:
        """Check how much a push brings.

        Raises:
            PackRefused: it is too much.
        """
        size = os.fstat(body.fileno()).st_size - push.pack_at
        if size > self._most_pushed:
            raise PackRefused(f"the push has {size} bytes; at most {self._most_pushed} are allowed")
        try:
            check_pack(body, push.pack_at, self._limits)
        finally:
            rewind(body)

    def _push(self, account: str, push: PushRequest, body: IO[bytes], environment: dict[str, str]) -> bytes:
        def take() -> bytes:
            self._caps.demand(account, push.updates)
            return run(self._command("git-receive-pack"), environment, body, _PUSH_SECONDS)

        return self._review.push(account, push.updates, take)

    def _command(self, service: str, *options: str) -> list[str]:
        most = f"receive.maxInputSize={self._most_pushed}"
        return git_command(most, service.removeprefix("git-"), "--stateless-rpc", *options, str(self._folder))

    def _environment(self, request: Request) -> dict[str, str]:
        return {**environment_of(request), LARGEST_FILE_VARIABLE: str(self._largest_file)}

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._workers, work)


class _Holding(StreamingResponse):
    """A response that holds something for as long as it is sent, and is not begun where that cannot be had."""

    def __init__(
        self, held: AbstractAsyncContextManager[None], content: AsyncIterator[bytes], **options: Any
    ) -> None:
        super().__init__(content, **options)
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._held:
            await super().__call__(scope, receive, send)


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


async def _tell_busy(_request: Request, error: Exception) -> Response:
    return PlainTextResponse(f"{error}\n", 503, {"Retry-After": "5"})


def _demand_type(request: Request, service: str) -> None:
    """Take nothing that a web page could have a browser send without asking."""
    if request.headers.get("content-type") != f"application/x-{service}-request":
        raise RequestRefused(415, f"the content must be application/x-{service}-request")


def _version_2(request: Request) -> bool:
    return "version=2" in request.headers.get("git-protocol", "").split(":")
