"""Fetching artifacts from where a catalog says that they are: the right bytes, or nothing."""

from __future__ import annotations

import gzip
import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from reconciler.artifacts import fetching
from reconciler.artifacts.fetching import CannotFetch
from reconciler.artifacts.fetching import fetch as fetch_if_granted
from reconciler.kernel.artifact import Artifact

CONTENT = b"an installer, says its vendor\n" * 1000
ARTIFACT = Artifact(hashlib.sha256(CONTENT).hexdigest(), len(CONTENT), "setup.msi")


def fetch(source: str, artifact: Artifact, target: Path) -> None:
    """Fetch from this machine, which is no public address."""
    fetch_if_granted(source, artifact, target, lambda address: address.is_loopback)


class Vendor(BaseHTTPRequestHandler):
    """A download server with a file at /setup.msi, and other things elsewhere."""

    def do_GET(self) -> None:
        body, status = CONTENT, 200
        if self.path == "/missing":
            status = 404
        elif self.path == "/other":
            body = CONTENT.replace(b"vendor", b"forger")
        elif self.path == "/short":
            body = CONTENT[:-1]
        elif self.path == "/packed":
            body = gzip.compress(CONTENT)
        elif self.path == "/endless":
            self.send_response(200)
            self.end_headers()
            try:
                while True:
                    self.wfile.write(CONTENT)
            except OSError:
                return
        self.send_response(302 if self.path in ("/moved", "/round") else status)
        if self.path in ("/moved", "/round"):
            self.send_header("Location", "/setup.msi" if self.path == "/moved" else "/round")
        if self.path == "/packed":
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def vendor() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Vendor)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize("path", ["/setup.msi", "/moved"])
def test_a_file_is_fetched(path: str, vendor: str, tmp_path: Path) -> None:
    target = tmp_path / "setup.msi"
    fetch(vendor + path, ARTIFACT, target)
    assert target.read_bytes() == CONTENT
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/missing", "answers 404"),
        ("/other", "another sha256"),
        ("/short", "29999 bytes"),
        ("/packed", "the catalog names 30000"),
        ("/endless", "more than the 30000 bytes"),
        ("/round", "cannot be reached"),
    ],
)
def test_nothing_else_is_taken(path: str, complaint: str, vendor: str, tmp_path: Path) -> None:
    with pytest.raises(CannotFetch, match=complaint):
        fetch(vendor + path, ARTIFACT, tmp_path / "setup.msi")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(CannotFetch, match="cannot be reached"):
        fetch("http://127.0.0.1:9/setup.msi", ARTIFACT, tmp_path / "setup.msi")


def test_a_source_that_drips_is_given_up(vendor: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = iter([0.0, *(100.0 + tick for tick in range(1000))])
    monkeypatch.setattr(fetching.time, "monotonic", lambda: next(ticks))
    with pytest.raises(CannotFetch, match="less than"):
        fetch(vendor + "/setup.msi", ARTIFACT, tmp_path / "setup.msi")
