"""A WinRM service as the wire shows it: answers in the shape of Windows', in the order that a test sets."""

from __future__ import annotations

import base64
import http.server
import ipaddress
import re
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from reconciler.grants.model import Transport, WinRMGrant
from reconciler.hosts.winrm.connection import Connection
from reconciler.hosts.winrm.opening import open_protocol
from reconciler.hosts.winrm.target import PORT, Target

_EXCHANGES = Path(__file__).with_name("exchanges")

TIMED_OUT = 2150858793
SHELL_GONE = 2150858843


@dataclass(frozen=True, slots=True)
class Reply:
    """What the service does at one request: answers from a file, or hangs up after it has taken it."""

    file: str
    values: dict[str, str] = field(default_factory=dict)
    status: int = 200


HANGS_UP = Reply("")
NOT_ALLOWED = Reply("", status=401)


def running(output: bytes) -> Reply:
    return Reply("running", {"output": base64.b64encode(output).decode()})


def done(output: bytes = b"", code: int = 0) -> Reply:
    return Reply("done", {"output": base64.b64encode(output).decode(), "code": str(code)})


def fault(code: int, text: str = "It did not work.", subcode: str = "w:InternalError") -> Reply:
    return Reply("fault", {"fault": str(code), "text": text, "subcode": subcode}, 500)


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked: the last word of the action, and the whole message."""

    action: str
    message: str


class Service:
    """Plays its replies by action, in order; where none is left it answers that all is well."""

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.replies: dict[str, list[Reply]] = {}
        self.shells = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}/wsman"

    def play(self, action: str, *replies: Reply) -> None:
        self.replies.setdefault(action, []).extend(replies)

    def actions(self) -> list[str]:
        return [request.action for request in self.requests]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _answer(self, request: Request) -> Reply:
        left = self.replies.get(request.action)
        if left:
            return left.pop(0)
        usual = {"Create": "create", "Command": "command", "Signal": "signal", "Delete": "delete"}
        return done() if request.action == "Receive" else Reply(usual[request.action])

    def _handler(service) -> type[http.server.BaseHTTPRequestHandler]:
        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                message = self.rfile.read(int(self.headers["Content-Length"])).decode()
                action = re.search(r"<a:Action[^>]*>[^<]*/(\w+)</a:Action>", message)
                asked = re.search(r"<a:MessageID>uuid:([^<]+)<", message)
                assert action is not None
                assert asked is not None
                request = Request(action[1], message)
                service.requests.append(request)
                reply = service._answer(request)
                if reply is HANGS_UP:
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                if request.action == "Create" and reply.status == 200:
                    service.shells += 1
                values = {"asked": asked[1], "shell": f"SHELL-{service.shells}", "command": "COMMAND"}
                text = (_EXCHANGES / f"{reply.file}.xml").read_text("utf-8") if reply.file else ""
                for name, value in (values | reply.values).items():
                    text = text.replace(f"{{{name}}}", value)
                self.send_response(reply.status)
                self.send_header("Content-Type", "application/soap+xml;charset=UTF-8")
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@pytest.fixture
def service() -> Iterator[Service]:
    service = Service()
    yield service
    service.close()


@pytest.fixture
def answered() -> list[str]:
    """Grows by one whenever the host has answered."""
    return []


@pytest.fixture
def connection(service: Service, answered: list[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Connection]:
    monkeypatch.setenv("PROD_WINRM_PASSWORD", "correct horse")
    grant = WinRMGrant("prod", (), (), transport=Transport.BASIC, user="admin", password="env:PROD_WINRM_PASSWORD")
    target = Target("PROD-07", service.url, "127.0.0.1", PORT, grant)
    address = ipaddress.ip_address("127.0.0.1")
    connection = Connection("PROD-07", lambda: open_protocol(target, address), lambda: answered.append("answered"))
    yield connection
    connection.close()
