"""A small server that speaks the wire protocol to one host, in this process: for the agent's own tests.

It decides nothing: it hands out the assignment that a test gives it, and keeps what the agent sends.
"""

from __future__ import annotations

import json
import re
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from reconciler.kernel import protocol
from reconciler.kernel.assignment import Assignment
from reconciler.kernel.attempts import Attempt
from reconciler.kernel.wire import decode, encode


class AgentServer:
    """Keeps what the agent sent; hands out one assignment and artifacts. Faults are put in by its attributes."""

    def __init__(self, context: ssl.SSLContext | None = None, port: int = 0) -> None:
        self.token = "token"  # noqa: S105 - a test's own
        self.key_sha256: str | None = None
        self.enrolments: list[protocol.EnrolRequest] = []
        self.assignment: Assignment | None = None
        self.artifacts: dict[str, bytes] = {}
        self.logs: dict[str, str] = {}
        self.check_ins: list[protocol.CheckIn] = []
        self.reports: list[protocol.Report] = []
        self.requests: list[tuple[str, str, str | None]] = []
        self.open_connections: list[socket.socket] = []
        self.connections = 0
        self.cut_artifacts_after: list[int] = []
        self.answer_check_in_with: bytes | None = None
        self.date: Callable[[], str] | None = None
        self.lose_answers = 0
        self.fail_reports = 0
        self.refuse_report: Callable[[protocol.Report], tuple[int, dict[str, str]] | None] = lambda _report: None
        self.report_notes: tuple[str, ...] = ()
        self.machines: list[str] = []
        self.changed = threading.Condition()
        handler = type("Handler", (_Handler,), {"owner": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", port), handler)
        self._http.daemon_threads = True
        if context is not None:
            self._http.socket = context.wrap_socket(self._http.socket, server_side=True)
        self.port = self._http.server_address[1]
        self.url = f"{'https' if context else 'http'}://127.0.0.1:{self.port}"
        self._thread = threading.Thread(
            target=self._http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop answering, and break off every connection."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        for connection in self.open_connections:
            with suppress(OSError):  # it may have ended already
                connection.shutdown(socket.SHUT_RDWR)

    def assign(self, assignment: Assignment) -> None:
        """Hand out ``assignment`` from now on."""
        with self.changed:
            self.assignment = assignment

    def wait_for(self, holds: Callable[[AgentServer], Any], seconds: float = 90.0) -> Any:
        """Wait until ``holds`` is true of what the agent sent, and return what it gave."""
        with self.changed:
            assert self.changed.wait_for(lambda: holds(self), seconds), (
                "the agent did not send what was waited for"
            )
            return holds(self)

    def attempts(self) -> list[Attempt]:
        """Every ended attempt reported, each once, in order."""
        found = {a.id: a for report in self.reports for a in report.attempts if a.ended_at is not None}
        return list(found.values())


class _Handler(BaseHTTPRequestHandler):
    owner: AgentServer
    protocol_version = "HTTP/1.1"
    _more_headers: Mapping[str, str] = {}
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self.owner.connections += 1
        self.owner.open_connections.append(self.connection)

    def do_POST(self) -> None:
        body = self._read()
        data = json.loads(body)
        owner = self.owner
        with owner.changed:
            status, answer = self._post(data)
            lost = owner.lose_answers > 0
            owner.lose_answers -= lost
            owner.changed.notify_all()
        if lost:
            self.close_connection = True
        else:
            self._answer(status, answer)

    def _post(self, data: Any) -> tuple[int, bytes]:
        owner = self.owner
        if self.path == protocol.ENROL:
            request = decode(protocol.EnrolRequest, data)
            owner.enrolments.append(request)
            if request.token != owner.token or owner.key_sha256 not in (None, request.key_sha256):
                return 403, b'{"error":"no"}'
            owner.key_sha256 = request.key_sha256
            return 204, b""
        if not self._known():
            return 401, b'{"error":"unknown host"}'
        if self.path == protocol.CHECK_IN:
            check_in = decode(protocol.CheckIn, data)
            owner.machines.append(self.headers[protocol.MACHINE_HEADER])
            owner.check_ins.append(check_in)
            return self._check_in(check_in)
        if self.path == protocol.REPORT and owner.fail_reports:
            owner.fail_reports -= 1
            return 503, b'{"error":"out of order"}'
        if self.path == protocol.REPORT:
            return self._report(decode(protocol.Report, data))
        return 404, b""

    def _report(self, report: protocol.Report) -> tuple[int, bytes]:
        owner = self.owner
        if (refused := owner.refuse_report(report)) is not None:
            status, self._more_headers = refused
            return status, b'{"error":"refused by the test"}'
        owner.reports.append(report)
        if owner.report_notes:
            return 200, json.dumps(encode(protocol.ReportAnswer(owner.report_notes))).encode()
        return 204, b""

    def _check_in(self, check_in: protocol.CheckIn) -> tuple[int, bytes]:
        owner = self.owner
        if owner.answer_check_in_with is not None:
            return 200, owner.answer_check_in_with
        last = owner.reports[-1] if owner.reports else None
        known = last.digest if last else ""
        wanted = protocol.assignment_digest(owner.assignment) if owner.assignment else ""
        if check_in.report == known and check_in.assignment == wanted:
            return 204, b""
        new = check_in.assignment != wanted
        answer = protocol.CheckInAnswer(
            owner.assignment if new else None, wanted if new else "", check_in.report != known
        )
        return 200, json.dumps(encode(answer)).encode()

    def do_PUT(self) -> None:
        body = self._read()
        attempt = self.path.removeprefix(protocol.LOGS)
        with self.owner.changed:
            known = any(attempt == ended.id for ended in self.owner.attempts())
            if known:
                self.owner.logs[attempt] = body.decode("utf-8")
            self.owner.changed.notify_all()
        self._answer(204 if known else 404, b"")

    def do_GET(self) -> None:
        owner = self.owner
        wanted_range = self.headers["Range"]
        with owner.changed:
            owner.requests.append(("GET", self.path, wanted_range))
        content = owner.artifacts.get(self.path.removeprefix(protocol.ARTIFACTS))
        if not self._known() or content is None:
            self._answer(404 if self._known() else 401, b"")
            return
        range_asked = re.fullmatch(r"bytes=(\d+)-", wanted_range or "")
        start = int(range_asked[1]) if range_asked else 0
        if start and start >= len(content):
            self._answer(416, b"")
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        part = content[start:]
        if owner.cut_artifacts_after:
            part = part[: owner.cut_artifacts_after.pop(0)]
            self.close_connection = True
        self.wfile.write(part)

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Tell the time of the answer: the test's, where it has one."""
        return self.owner.date() if self.owner.date is not None else super().date_time_string(timestamp)

    def _known(self) -> bool:
        scheme, _, credentials = (
            self.headers["Authorization"].partition(" ") if self.headers["Authorization"] else ("",) * 3
        )
        key = credentials.partition(":")[2]
        return scheme == "Bearer" and protocol.hash_key(key) == self.owner.key_sha256

    def _read(self) -> bytes:
        return self.rfile.read(int(self.headers["Content-Length"] or 0))

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for name, value in self._more_headers.items():
            self.send_header(name, value)
        self._more_headers = {}
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        pass
