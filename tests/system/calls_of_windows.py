"""What the conformance suite's half about calls is run with wherever cmd runs the commands.

The standard library only, and what an agent brings: it is copied to lab hosts too.
"""

from __future__ import annotations

import http.server
import socket
import threading

from reconciler.testing.call_contract import CallContract


class Answering(http.server.BaseHTTPRequestHandler):
    """Answers with the status that its path names."""

    def do_GET(self) -> None:
        self.send_response(int(self.path.lstrip("/")))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


class CallsOfWindows(CallContract):
    """The suite's half, with commands for cmd; ports and servers are those of this process, unless overridden."""

    def command(self, exit_code: int, says: str) -> str:
        return f"echo {says}& exit {exit_code}" if says else f"exit {exit_code}"

    def open_port(self) -> str:
        listener = self.enterContext(socket.create_server(("127.0.0.1", 0)))
        return str(listener.getsockname()[1])

    def serve(self, status: int) -> str:
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answering)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_address[1]}/{status}"


del CallContract  # a loader would run it by itself
