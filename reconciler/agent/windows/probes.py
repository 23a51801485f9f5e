"""Answers probes on the machine that this runs on, in the words of `reconciler.kernel.probes`. Changes nothing.

What may take long (a port, an address, a command) is asked in threads, each for as long as its probe says:
together they hold a look up no longer than the longest of them.
"""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import hashlib
import http.client
import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from urllib.parse import urlsplit

from reconciler.agent.windows.command_line import run_command
from reconciler.agent.windows.file_version import file_version
from reconciler.agent.windows.registry import read_value
from reconciler.agent.windows.service_control import NO_SUCH_SERVICE, service_state
from reconciler.kernel.probes import ABSENT, FAILED, LONGEST_PROBE, Answer, Probe, ProbeKind

_NO_VERSION = "none"
_CLOSED = "closed"
_UNREACHABLE = "unreachable"
_TIMEOUT = "timeout"
_CHUNK = 1024 * 1024
_GRACE_SECONDS = 1.0
"""What a thread may take beyond its probe's time, for ending what it has started."""

_log = logging.getLogger(__name__)


def answer_probes(probes: Sequence[Probe]) -> tuple[Answer, ...]:
    """Return the answers to ``probes``, in order."""
    slow = {probe.key: _Asked(probe) for probe in probes if probe.kind in _WHEN_LATE}
    texts = {probe.key: _ask(probe) for probe in probes if probe.kind not in _WHEN_LATE}
    texts |= {key: asked.answer() for key, asked in slow.items()}
    return tuple(Answer(probe.key, texts[probe.key]) for probe in probes)


class _Asked:
    """A probe that is being asked in a thread of its own."""

    def __init__(self, probe: Probe) -> None:
        self._probe = probe
        self._text = _WHEN_LATE[probe.kind]
        self._deadline = time.monotonic() + min(probe.seconds, LONGEST_PROBE) + _GRACE_SECONDS
        self._thread = threading.Thread(target=self._run, name=f"probe-{probe.kind}", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        self._text = _ask(self._probe)

    def answer(self) -> str:
        """Return the answer; where there is none in time, what that stands for."""
        self._thread.join(max(self._deadline - time.monotonic(), 0))
        return self._text


def _ask(probe: Probe) -> str:
    try:
        return _WAYS[probe.kind](probe)
    except (OSError, ValueError) as error:
        _log.warning("%s could not be found out: %s", probe.key, error)
        return FAILED


def _service(probe: Probe) -> str:
    try:
        return " ".join(service_state(probe.subject))
    except OSError as error:
        if error.winerror == NO_SUCH_SERVICE:
            return ABSENT
        raise


def _file_version(probe: Probe) -> str:
    try:
        return file_version(probe.subject) or _NO_VERSION
    except FileNotFoundError:
        return ABSENT


def _file_hash(probe: Probe) -> str:
    digest = hashlib.sha256()
    try:
        with Path(probe.subject).open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
    except FileNotFoundError:
        return ABSENT
    return digest.hexdigest()


def _registry(probe: Probe) -> str:
    found = read_value(probe.subject, probe.name)
    return ABSENT if found is None else ":".join(found)


def _port(probe: Probe) -> str:
    """A program may listen at one address of the host only, so each is tried."""
    port = int(probe.subject)
    deadline = time.monotonic() + min(probe.seconds, LONGEST_PROBE)
    for address in _own_addresses(port):
        try:
            socket.create_connection((address, port), max(deadline - time.monotonic(), 0.01)).close()
        except OSError:
            continue
        return "open"
    return _CLOSED


def _own_addresses(port: int) -> Iterator[str]:
    """Give the addresses of this host, those first that need no name to be resolved."""
    yield from ("127.0.0.1", "::1")
    yield from (str(info[4][0]) for info in socket.getaddrinfo(socket.gethostname(), port))


def _http(probe: Probe) -> str:
    """The status of the address itself: a redirection is an answer, and is not followed."""
    parts = urlsplit(probe.subject)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("it is no address of http or https")
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    with closing(kind(parts.hostname, parts.port, timeout=min(probe.seconds, LONGEST_PROBE))) as connection:
        try:
            connection.request("GET", target, headers={"Connection": "close"})
            return str(connection.getresponse().status)
        except (OSError, http.client.HTTPException) as error:
            _log.info("%s cannot be reached: %s", probe.subject, error)
            return _UNREACHABLE


def _command(probe: Probe) -> str:
    code, _ = run_command(probe.subject, min(probe.seconds, LONGEST_PROBE))
    return _TIMEOUT if code is None else str(code)


_WHEN_LATE = {ProbeKind.PORT: _CLOSED, ProbeKind.HTTP: _UNREACHABLE, ProbeKind.COMMAND: _TIMEOUT}
"""What may take long, and the answer where it took too long."""

_WAYS: dict[ProbeKind, Callable[[Probe], str]] = {
    ProbeKind.SERVICE: _service,
    ProbeKind.FILE_VERSION: _file_version,
    ProbeKind.FILE_HASH: _file_hash,
    ProbeKind.REGISTRY: _registry,
    ProbeKind.PORT: _port,
    ProbeKind.HTTP: _http,
    ProbeKind.COMMAND: _command,
}
