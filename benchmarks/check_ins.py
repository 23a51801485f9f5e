"""Check-ins of 10,000 known hosts with nothing new, on one core, against a bare endpoint that answers 204."""

from __future__ import annotations

import asyncio
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from benchmarks import check_in_server, fleet
from benchmarks.check_in_load import Connections, requests_of
from benchmarks.measure import Bound, Figure, Spread, cpu_seconds_of, on_core, progress, ratios, two_cores
from reconciler.daemon.keeper import FLUSH_SECONDS
from reconciler.kernel.errors import ReconcilerError

HOSTS = 10_000
CONNECTIONS = 48
PASSES = 5
"""How often each host checks in in one round."""

_ROUNDS = 9
_ROUNDS_OVER_TLS = 5
_BOUND = Bound(0.85, at_most=False)
_CHECK_INS = HOSTS * PASSES
_SETTLE_SECONDS = FLUSH_SECONDS + 0.3
_INBOX, _BARE = "inbox", "bare"


class ServerDidNotStart(ReconcilerError):
    """The server under measurement ended before it served."""

    reference = "server-did-not-start"


@dataclass(frozen=True, slots=True)
class Round:
    """Every host checked in `PASSES` times: how long that took, and the processor time of it. All in seconds.

    ``busy`` is what the server took of ``seconds``, and ``load`` what the load took; ``server`` is all of the
    server's, with what it writes down afterwards.
    """

    seconds: float
    busy: float
    server: float
    load: float


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        ServerDidNotStart: a server did not come up.
        UnexpectedAnswer: a check-in was answered with something else than 204.
    """
    with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
        folder = Path(name)
        progress(f"  enrolling {HOSTS:,} hosts")
        requests = PASSES * requests_of(
            fleet.enrol_all(folder / "data" / "reconciler.sqlite", fleet.desired_state(HOSTS))
        )
        plain = _measure(folder / "data", None, requests, _ROUNDS)
        over_tls = _measure(folder / "data", folder / "tls", requests, _ROUNDS_OVER_TLS)
    return (
        *_figures(plain),
        _by_cpu("inbox ÷ bare endpoint, both over TLS, a second of processor time", over_tls),
    )


Rounds = dict[str, list[Round]]
"""The rounds of each side."""


def _figures(rounds: Rounds) -> tuple[Figure, ...]:
    inbox, bare = rounds[_INBOX], rounds[_BARE]
    rates = ratios((1 / r.seconds for r in inbox), (1 / r.seconds for r in bare))
    return (
        _by_cpu("inbox ÷ bare endpoint, check-ins a second of processor time", rounds, _BOUND),
        Figure("inbox ÷ bare endpoint, check-ins a second", "", rates, _BOUND),
        Figure("inbox, check-ins a second", "1/s", Spread.of(_CHECK_INS / r.seconds for r in inbox)),
        Figure("bare endpoint, answers a second", "1/s", Spread.of(_CHECK_INS / r.seconds for r in bare)),
        Figure("inbox, processor time a check-in", "µs", Spread.of(r.server / _CHECK_INS * 1e6 for r in inbox)),
        Figure(
            "bare endpoint, processor time an answer", "µs", Spread.of(r.server / _CHECK_INS * 1e6 for r in bare)
        ),
        Figure("inbox, share of its core that it used", "%", Spread.of(100 * r.busy / r.seconds for r in inbox)),
        Figure("bare endpoint, share of its core", "%", Spread.of(100 * r.busy / r.seconds for r in bare)),
        Figure(
            "load on either, share of its core", "%", Spread.of(100 * r.load / r.seconds for r in (*inbox, *bare))
        ),
    )


def _by_cpu(name: str, rounds: Rounds, bound: Bound | None = None) -> Figure:
    return Figure(name, "", ratios((r.server for r in rounds[_BARE]), (r.server for r in rounds[_INBOX])), bound)


def _measure(data: Path, tls: Path | None, requests: Sequence[bytes], rounds: int) -> Rounds:
    server_core, load_core = two_cores()
    with ExitStack() as stack:
        stack.enter_context(on_core(load_core))
        servers = {kind: stack.enter_context(_server(kind, data, server_core, tls)) for kind in (_INBOX, _BARE)}
        context = None if tls is None else ssl.create_default_context(cafile=str(tls / "ca.pem"))
        progress(f"  {rounds} rounds {'over TLS' if tls else 'without TLS'}")
        runner = stack.enter_context(asyncio.Runner(loop_factory=uvloop.new_event_loop))
        return runner.run(_play(servers, context, requests, rounds))


async def _play(
    servers: dict[str, tuple[int, int]], tls: ssl.SSLContext | None, requests: Sequence[bytes], rounds: int
) -> Rounds:
    """Let the fleet check in at each server in turn; one round comes before those that count."""
    taken: Rounds = {kind: [] for kind in servers}
    connections = {kind: Connections() for kind in servers}
    try:
        for kind, (port, _) in servers.items():
            await connections[kind].open(port, CONNECTIONS, tls)
        for number in range(rounds + 1):
            for kind, (_, pid) in servers.items():
                one = await _one_round(connections[kind], pid, requests)
                if number:
                    taken[kind].append(one)
    finally:
        for opened in connections.values():
            opened.close()
    return taken


async def _one_round(connections: Connections, pid: int, requests: Sequence[bytes]) -> Round:
    started, server, load = time.perf_counter(), cpu_seconds_of(pid), time.process_time()
    await connections.check_in_all(requests)
    seconds, busy, load = time.perf_counter() - started, cpu_seconds_of(pid) - server, time.process_time() - load
    await asyncio.sleep(_SETTLE_SECONDS)
    return Round(seconds, busy, cpu_seconds_of(pid) - server, load)


@contextmanager
def _server(kind: str, data: Path, core: int, tls: Path | None) -> Iterator[tuple[int, int]]:
    """Start a server; give its port and process id; end it."""
    command = [
        sys.executable,
        "-m",
        check_in_server.__name__,
        kind,
        str(data),
        str(core),
        *([str(tls)] if tls else []),
    ]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(check_in_server.__file__).parent.parent,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        port = process.stdout.readline()
        if not port:
            raise ServerDidNotStart(
                f"the {kind} server ended with {process.wait()}", hint="see what it says above"
            )
        yield int(port), process.pid
    finally:
        process.communicate()
