"""A WinRM service that takes Kerberos and nothing else, in front of a lab host's, which knows none.

Run with the other's address, user and password; tells its port. A process of its own, as MIT's library reads where
its keys lie from the environment.
"""

from __future__ import annotations

import base64
import sys
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace

import kerberos

from reconciler.lab.winrm.server.sealing import CONTENT_TYPE, NotUnsealed, seal, unseal

ADDRESS, USER, PASSWORD, ACCOUNT = sys.argv[1:]
BASIC = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()
SOAP = "application/soap+xml;charset=UTF-8"


class Context:
    """The keys of one connection. Implements what `sealing` wants of one of pyspnego's."""

    def __init__(self) -> None:
        _, self._state = kerberos.authGSSServerInit("HTTP@127.0.0.1")

    def accept(self, token: str) -> str:
        """Take the client's token; return who it is."""
        kerberos.authGSSServerStep(self._state, token)
        return kerberos.authGSSServerUserName(self._state)

    @property
    def answer(self) -> str:
        return kerberos.authGSSServerResponse(self._state)

    def unwrap_winrm(self, header: bytes, data: bytes) -> bytes:
        return kerberos.authGSSWinRMDecryptMessage(self._state, data, header)

    def wrap_winrm(self, message: bytes) -> SimpleNamespace:
        data, header = kerberos.authGSSWinRMEncryptMessage(self._state, message.decode())
        return SimpleNamespace(header=header, data=data, padding_length=0)


class Acceptor(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    context: Context | None = None

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        scheme, _, token = self.headers.get("Authorization", "").partition(" ")
        tokens = ""
        if scheme == "Negotiate":
            self.context = Context()
            try:
                known = self.context.accept(token) == ACCOUNT
            except kerberos.GSSError:
                known = False
            if not known:
                self.context = None
            else:
                tokens = f"Negotiate {self.context.answer}"
        if self.context is None:
            self.reply(401, b"", SOAP, "Negotiate")
        elif not body:
            self.reply(200, b"", SOAP, tokens)
        else:
            self.hand_on(self.context, body, tokens)

    def hand_on(self, context: Context, body: bytes, tokens: str) -> None:
        try:
            message = unseal(context, body)
        except NotUnsealed:
            self.reply(400, b"", SOAP, tokens)
            return
        behind = HTTPConnection(ADDRESS, 5985)
        behind.request("POST", "/wsman", message, {"Authorization": BASIC, "Content-Type": SOAP})
        answer = behind.getresponse()
        self.reply(answer.status, seal(context, answer.read()), CONTENT_TYPE, tokens)
        behind.close()

    def reply(self, status: int, body: bytes, content_type: str, tokens: str) -> None:
        self.send_response(status)
        if tokens:
            self.send_header("WWW-Authenticate", tokens)
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Acceptor)
sys.stdout.write(f"{server.server_address[1]}\n")
sys.stdout.flush()
server.serve_forever()
