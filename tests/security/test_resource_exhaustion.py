"""A daemon that runs out of disk space or open files goes on as far as it can, reports it, and recovers."""

from __future__ import annotations

import asyncio
import logging
import os
import resource
import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

from reconciler.daemon.log_limits import MOST_A_MINUTE, LimitRecords, LimitRepeats
from reconciler.engine.handlers import Cause, Key, Registry
from reconciler.engine.queue import KeyedQueue
from reconciler.engine.runner import Runner
from reconciler.hosts.logs import AttemptLogs
from reconciler.kernel import protocol
from reconciler.kernel.attempts import Attempt, Outcome
from reconciler.kernel.observation import Observation
from reconciler.kernel.steps import StepKind
from reconciler.operations.status import site_status
from reconciler.operations.token import make_token
from reconciler.store import shortages
from reconciler.store.shortages import Shortage, shortage_of
from reconciler.testing.waiting import eventually
from tests.daemon.conftest import ScriptedHost, Server
from tests.security.conftest import running

MEGABYTE = 1024 * 1024


@dataclass
class Disk:
    """A server whose disk can be filled and freed."""

    server: Server
    fill: Callable[[], None]
    free: Callable[[], None]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """A data folder on a small file system of its own."""
    data, ballast = tmp_path / "data", tmp_path / "data" / "ballast"
    data.mkdir(mode=0o700)
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=96m,mode=0700", "tmpfs", str(data)], capture_output=True, check=False
    )
    if mounted.returncode != 0:
        pytest.skip("no file system can be mounted here; the next test limits the size of files instead")

    def fill() -> None:
        with ballast.open("wb", buffering=0) as out:
            try:
                while out.write(bytes(MEGABYTE)) == MEGABYTE:
                    pass
                while out.write(bytes(512)):
                    pass
            except OSError:
                return

    with ExitStack() as stack:
        stack.callback(lambda: subprocess.run(["umount", "-l", str(data)], check=True))
        server = stack.enter_context(running(tmp_path, None, {}, data))
        yield Disk(server, fill, ballast.unlink)


@pytest.fixture
def small_files(tmp_path: Path) -> Iterator[Disk]:
    """A fault that is injected: no file may grow, as on a disk whose quota is used up. It needs no privilege."""
    with running(tmp_path, None, {}) as server:
        pid, kind = server.process.pid, resource.RLIMIT_FSIZE
        hard = resource.prlimit(pid, kind)[1]
        yield Disk(
            server,
            lambda: resource.prlimit(pid, kind, (0, hard)),
            lambda: resource.prlimit(pid, kind, (hard, hard)),
        )


def failed_attempt(identity: str) -> Attempt:
    return Attempt(
        identity, "app", StepKind.INSTALL, "goal", "c0ffee", to_version="1.0.0",
        started_at=100.0, ended_at=101.0, outcome=Outcome.FAILED,
    )  # fmt: skip


def test_a_full_disk_is_survived_and_reported(small_disk: Disk) -> None:
    outlives(small_disk)


def test_files_that_cannot_grow_are_survived_and_reported(small_files: Disk) -> None:
    outlives(small_files)


def outlives(disk: Disk) -> None:
    """Fill the disk, have hosts and a newcomer try everything, free it, and see everything go on."""
    server = disk.server
    host = server.enrolled("DEV-07")
    attempt = "11111111-1"
    assert host.send(protocol.Report(Observation(), "", (failed_attempt(attempt),))).status == 204
    token = make_token(server.site, "dev")
    newcomer = ScriptedHost(server, "DEV-08")
    disk.fill()
    report = protocol.Report(Observation(system="x" * 100_000))
    taken = (200, 204)  # 200 names what of the report was cut
    refused = eventually(lambda: (answer := host.send(report)).status not in taken and answer)
    assert refused.status == 503
    assert "the server cannot do this now" in refused.json["error"]
    assert refused.headers["retry-after"] == "5"
    assert newcomer.ask_to_enrol(token).status == 503
    assert host.ask("PUT", protocol.LOGS + attempt, b"x" * MEGABYTE).status == 503
    assert host.check_in().status == 200, "a check-in needs no disk"
    assert eventually(lambda: "short of resources" in server.process.log.read_text())
    disk.free()
    assert eventually(lambda: host.send(report).status in taken)
    assert newcomer.enrol(token).status == 204
    assert host.ask("PUT", protocol.LOGS + attempt, b"log").status == 204
    left = [path for path in (server.site.settings.data / "attempt-logs").iterdir() if "incoming" in path.name]
    assert left == []
    assert eventually(lambda: "no longer short of resources" in server.process.log.read_text())
    assert site_status(server.site).shortage == ""
    commit = server.publish({"environments/dev/environment.yaml": "packages:\n  app: 2.0.0\n"})
    assert eventually(lambda: host.assigned().revision == commit)
    assert "Traceback" not in server.process.log.read_text()
    assert server.process.stop() == 0


def test_a_daemon_ends_in_order_on_a_full_disk(small_files: Disk) -> None:
    server = small_files.server
    assert server.enrolled("DEV-07").check_in().status == 200
    small_files.fill()
    assert server.process.stop() == 0


def test_status_says_so_where_the_disk_is_nearly_full(server_with_little_space: Server) -> None:
    assert "MiB left on the disk of" in site_status(server_with_little_space.site).shortage


@pytest.fixture
def server_with_little_space(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(shortages, "LOW_SPACE", 1 << 62)
    with running(tmp_path, None, {}) as server:
        yield server


def test_a_lack_of_open_files_is_survived_and_reported(tmp_path: Path) -> None:
    with running(tmp_path, None, {}) as server:
        host = server.enrolled("DEV-07")
        kept = server.connect()
        body = b'{"report": "new", "assignment": ""}'
        signed = {"Authorization": f"Bearer {host.name}:{host.key}"}
        kept.request("POST", protocol.CHECK_IN, body, signed)
        assert kept.getresponse().read()
        pid = server.process.pid
        hard = resource.prlimit(pid, resource.RLIMIT_NOFILE)[1]
        used = max(int(name) for name in os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (used // 2, hard))
        kept.request("POST", protocol.CHECK_IN, body, signed)
        answer = kept.getresponse()
        assert (answer.status, bool(answer.read())) == (200, True), "a host that is connected stays so"
        knocker = server.connect()
        knocking = threading.Thread(target=knocker.connect, daemon=True)
        knocking.start()
        assert eventually(lambda: "cannot accept connections" in server.process.log.read_text())
        assert eventually(lambda: "open files" in site_status(server.site).shortage)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (hard, hard))
        assert eventually(lambda: host.check_in().status == 200)
        assert eventually(lambda: site_status(server.site).shortage == "")
        assert server.enrolled("DEV-08").check_in().status == 200
        knocking.join(30)
        knocker.close()
        kept.close()
        assert server.process.stop() == 0


def sqlite_error(code: int) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError("disk I/O error")
    error.sqlite_errorcode = code
    return error


@pytest.mark.parametrize(
    ("error", "shortage"),
    [
        (OSError(28, "No space left on device"), Shortage.SPACE),
        (OSError(24, "Too many open files"), Shortage.FILES),
        (OSError(2, "No such file or directory"), None),
        (MemoryError(), Shortage.MEMORY),
        (RuntimeError("can't start new thread"), Shortage.MEMORY),
        (RuntimeError("something else"), None),
        (sqlite_error(sqlite3.SQLITE_FULL), Shortage.SPACE),
        (sqlite_error(778), Shortage.SPACE),
        (sqlite_error(sqlite3.SQLITE_BUSY), Shortage.LOCKED),
        (sqlite_error(sqlite3.SQLITE_CONSTRAINT), None),
        (ValueError("x"), None),
    ],
)
def test_shortages_are_told_from_other_errors(error: Exception, shortage: Shortage | None) -> None:
    assert shortage_of(error) is shortage
    wrapped = ValueError("of something else")
    wrapped.__cause__ = error
    assert shortage_of(wrapped) is shortage


async def test_work_that_fails_for_a_shortage_is_tried_again_soon() -> None:

    queue, registry, waits = KeyedQueue(), Registry(), []
    done = asyncio.Event()
    loop = asyncio.get_running_loop()

    @registry.on_report
    def handler(_key: Key) -> None:
        raise OSError(28, "No space left on device")

    real = queue.failed

    def failed(key: Key, delay: float | None) -> float:
        waits.append(delay)
        loop.call_soon(done.set)
        return real(key, delay)

    queue.failed = failed  # type: ignore[method-assign]
    queue.add(Key(Cause.REPORT, "DEV-01"))
    task = asyncio.create_task(Runner(registry, queue, workers=1).run())
    await done.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert waits == [shortages.RETRY_SECONDS]


def test_a_log_that_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_self: Path, _target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space"):
        AttemptLogs(tmp_path / "logs").keep("11111111-1", b"log")
    assert list((tmp_path / "logs").iterdir()) == []


def test_a_library_fills_no_log_either() -> None:
    limit = LimitRecords()
    records = [logging.LogRecord("uvicorn.error", logging.ERROR, "", 0, "Exception", None, None)] * 500
    assert sum(map(limit.filter, records)) == MOST_A_MINUTE


def test_the_same_warning_fills_no_log() -> None:
    now = [0.0]
    limit = LimitRepeats(lambda: now[0])
    written = 0
    for _ in range(MOST_A_MINUTE + 500):
        try:
            limit(None, "warning", {"event": "enrolment refused"})
            written += 1
        except structlog.DropEvent:
            pass
    assert written == MOST_A_MINUTE
    assert limit(None, "info", {"event": "enrolment refused"})
    assert limit(None, "warning", {"event": "another"})
    now[0] = 61.0
    assert limit(None, "warning", {"event": "enrolment refused"})["left_out"] == 500
