"""The daemon as a process of its own, so that it can be killed like one."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path
from typing import IO

from reconciler.kernel.errors import ReconcilerError
from reconciler.testing.preloaded import PreloadedProcess

START_SECONDS = 100.0
"""Seconds that a daemon may take until it serves agents."""

_PORTS = range(20000, 30000)
"""Below those of net.ipv4.ip_local_port_range, from which Linux gives ports away."""

_TRIES = 100

_TOLD_LINES = 80
"""Lines of its log that are told of a daemon that did not start: the stacks of all its threads are among them."""


class DaemonDidNotStart(ReconcilerError):
    """The daemon ended, or did not serve agents in time."""

    reference = "daemon-did-not-start"


class DaemonProcess:
    """A daemon on an installation's folder. It keeps its port over restarts, as agents know it."""

    def __init__(
        self,
        data: Path,
        repository: Path | str,
        settings: dict[str, str] | None = None,
        open_files: int | None = None,
        *,
        fresh: bool = False,
    ) -> None:
        """Prepare a daemon.

        Args:
            data: the installation's folder.
            repository: the desired-state repository.
            settings: further settings by name, such as ``fetch_seconds``.
            open_files: how many files it may have open; ``None`` for as many as this process.
            fresh: whether it starts as on a server: as a new Python, and not forked from one that has loaded
                the product's modules already. One with ``open_files`` always does.
        """
        self.data = data
        self.log = data / "daemon.log"
        self.url = ""
        self._settings = {"port": str(_free_port()), "repository": str(repository), **(settings or {})}
        self._limited = () if open_files is None else ("sh", "-c", f'ulimit -n {open_files} && exec "$@"', "sh")
        self._fresh = fresh or open_files is not None
        self._process: subprocess.Popen[bytes] | PreloadedProcess | None = None
        self._output: IO[bytes] | None = None

    @property
    def pid(self) -> int:
        """The id of the process that runs."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> str:
        """Start it and wait until agents can connect; return its URL.

        Raises:
            DaemonDidNotStart: it ended, or said nothing in time.
        """
        self.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.log.touch(mode=0o600)
        environment = {
            **os.environ,
            "PYTHONFAULTHANDLER": "1",
            "RECONCILER_DATA": str(self.data),
            **{f"RECONCILER_{name.upper()}": value for name, value in self._settings.items()},
        }
        reader, writer = os.pipe()
        self._output = os.fdopen(reader, "rb")
        with self.log.open("ab") as log, os.fdopen(writer, "wb") as output, Path(os.devnull).open("rb") as nothing:
            if self._fresh:
                self._process = subprocess.Popen(
                    [*self._limited, sys.executable, "-m", "reconciler.cli.main", "daemon"],
                    env=environment,
                    stdin=nothing,
                    stdout=output,
                    stderr=log,
                    start_new_session=True,
                )
            else:
                streams = (nothing.fileno(), output.fileno(), log.fileno())
                self._process = PreloadedProcess(["daemon"], environment, streams)
        self.url = self._await_url(self._process, self._output)
        return self.url

    def kill(self) -> None:
        """End it with SIGKILL, as a power cut would."""
        if self._process is not None:
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
            self._close()

    def stop(self) -> int:
        """Ask it to end with SIGTERM, wait, and return its exit code; 0 where it does not run."""
        if self._process is None:
            return 0
        self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(90)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        self._close()
        return code

    def _close(self) -> None:
        if self._output is not None:
            self._output.close()
        self._process, self._output = None, None

    def _await_url(self, process: subprocess.Popen[bytes] | PreloadedProcess, output: IO[bytes]) -> str:
        # By this signal it says in its log where each of its threads is.
        overdue = threading.Timer(START_SECONDS, process.send_signal, (signal.SIGABRT,))
        overdue.start()
        try:
            with self.log.open("ab") as log:
                for line in output:
                    words = line.decode("utf-8", "replace").split()
                    if words[:3] == ["serving", "agents", "at"]:
                        threading.Thread(target=_drain, args=(output, self.log), daemon=True).start()
                        return words[3]
                    log.write(line)
        finally:
            overdue.cancel()
        code = process.wait()
        self._close()
        tail = "\n".join(self.log.read_text("utf-8", "replace").splitlines()[-_TOLD_LINES:])
        raise DaemonDidNotStart(f"the daemon ended with {code}:\n{tail}", where=str(self.log))


def _free_port() -> int:
    """Return a port that nobody has, and that Linux gives nobody who asks for any: a daemon that is away keeps it.

    Raises:
        OSError: there is none.
    """
    for _ in range(_TRIES):
        port = secrets.choice(_PORTS)
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
    raise OSError("no port is free")


def _drain(output: IO[bytes], log: Path) -> None:
    """Keep what else it prints, so that it never waits for a reader."""
    with log.open("ab") as out:
        try:
            for line in output:
                out.write(line)
                out.flush()
        except ValueError:  # closed meanwhile: the process has ended
            return
