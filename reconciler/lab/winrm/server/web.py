"""The HTTP side: one thread for each connection, which signs in, opens and seals messages and hands them on."""

from __future__ import annotations

import select
import socket
import ssl
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from reconciler.lab.winrm.server import soap
from reconciler.lab.winrm.server.faults import WSManFault
from reconciler.lab.winrm.server.operations import Client, Service
from reconciler.lab.winrm.server.sealing import CONTENT_TYPE, NotUnsealed, seal, unseal
from reconciler.lab.winrm.server.sign_in import Account, SignIn, Step

_SOAP_TYPE = "application/soap+xml;charset=UTF-8"
_PATH = "/wsman"
_ANONYMOUS_PATH = "/wsman-anon/identify"
_BACKLOG = 64

_IDENTITY = (
    f'<s:Envelope xmlns:s="{soap.SOAP}"><s:Header/><s:Body><wsmid:IdentifyResponse xmlns:wsmid="{soap.IDENTITY}">'
    f"<wsmid:ProtocolVersion>{soap.WSMAN}</wsmid:ProtocolVersion><wsmid:ProductVendor>Reconciler Lab"
    "</wsmid:ProductVendor><wsmid:ProductVersion>OS: 0.0.0 SP: 0.0 Stack: 3.0</wsmid:ProductVersion>"
    "</wsmid:IdentifyResponse></s:Body></s:Envelope>"
).encode()


class Listener(ThreadingHTTPServer):
    """Listens on one address and port, with TLS where it is given a context."""

    daemon_threads = True
    allow_reuse_address = False
    request_queue_size = _BACKLOG

    def __init__(
        self, address: tuple[str, int], service: Service, account: Account, tls: ssl.SSLContext | None
    ) -> None:
        """Bind and listen.

        Raises:
            OSError: the address is taken.
        """
        self.service = service
        self.account = account
        self.tls = tls
        super().__init__(address, _Connection)

    def server_bind(self) -> None:
        """Bind without asking a name server who we are, as the base class does."""
        self.socket.bind(self.server_address)
        self.server_name, self.server_port = str(self.server_address[0]), self.server_address[1]

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        """Take a connection; its TLS handshake is done by its own thread, at its first read."""
        connection, client = self.socket.accept()
        if self.tls is not None:
            connection = self.tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
        return connection, client

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: a client that went away is no event here, and nobody reads the output."""


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "Reconciler-Lab-WinRM"
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer leaves in one piece, when it is flushed
    server: Listener

    def setup(self) -> None:
        super().setup()
        self._sign_in = SignIn(self.server.account, self._client_certificate)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.path == _ANONYMOUS_PATH or self.headers.get("WSMANIDENTIFY", "").lower() == "unauthenticated":
            self._reply(HTTPStatus.OK, _IDENTITY)
        elif self.path.partition("?")[0].rstrip("/").lower() != _PATH:
            self._reply(HTTPStatus.NOT_FOUND)
        elif self._sign_in.step(self.headers.get("Authorization")) is not Step.IN:
            self._reply(HTTPStatus.UNAUTHORIZED, challenges=self._sign_in.challenges)
        elif not body:
            self._reply(HTTPStatus.OK, challenges=self._sign_in.tokens)
        else:
            self._message(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: nobody reads the output."""

    def _message(self, body: bytes) -> None:
        context = self._sign_in.context
        sealed = self.headers.get("Content-Type", "").startswith("multipart/encrypted")
        if sealed:
            try:
                if context is None:
                    raise NotUnsealed
                body = unseal(context, body)
            except NotUnsealed:
                self._reply(HTTPStatus.BAD_REQUEST)
                return
        status, answer = self._carry_out(body)
        if sealed and context is not None:
            self._reply(status, seal(context, answer), CONTENT_TYPE, self._sign_in.tokens)
        else:
            self._reply(status, answer, challenges=self._sign_in.tokens)

    def _carry_out(self, body: bytes) -> tuple[HTTPStatus, bytes]:
        message_id = ""
        try:
            request = soap.parse(body)
            message_id = request.message_id
            if request.asks_for_identity:
                return HTTPStatus.OK, _IDENTITY
            return HTTPStatus.OK, self.server.service.carry_out(request, self._client())
        except WSManFault as fault:
            envelope = soap.fault_answer(fault, message_id, socket.gethostname())
            return HTTPStatus.INTERNAL_SERVER_ERROR, envelope

    def _client(self) -> Client:
        scheme = "http" if self.server.tls is None else "https"
        host, port = self.server.server_address[:2]
        return Client(
            user=self.server.account.user,
            address=str(self.client_address[0]),
            endpoint=f"{scheme}://{host!s}:{port}{_PATH}",
            listens=self._listens,
        )

    def _client_certificate(self) -> bytes | None:
        """Return the certificate that the client has shown, and TLS has found good; ``None`` without one."""
        return self.connection.getpeercert(True) if isinstance(self.connection, ssl.SSLSocket) else None

    def _listens(self) -> bool:
        # A client says nothing while it awaits an answer: what can be read is the end of the connection.
        return not select.select([self.connection], [], [], 0)[0]

    def _reply(
        self,
        status: HTTPStatus,
        body: bytes = b"",
        content_type: str = _SOAP_TYPE,
        challenges: tuple[str, ...] = (),
    ) -> None:
        self.send_response(status)
        for challenge in challenges:
            self.send_header("WWW-Authenticate", challenge)
        if body:
            self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()
