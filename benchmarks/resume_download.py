"""A 200 MB artifact that a connection loses three times: bytes fetched and time, against one that is not cut."""

from __future__ import annotations

import hashlib
import os
import tempfile
import time
from pathlib import Path

from benchmarks.measure import Bound, Figure, Spread, progress, ratios, take_turns
from benchmarks.relay import Relay
from reconciler.agent.artifacts import ArtifactCache
from reconciler.agent.machine import ArtifactUnavailable
from reconciler.agent.transport import Caller, Server
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.protocol import hash_key
from reconciler.testing.agent_server import AgentServer
from reconciler.testing.simulated_machine import SimulatedSignatures
from reconciler.testing.simulated_windows import SimulatedWindows

_SIZE = 200_000_000
_CUTS = [30_000_000, 60_000_000, 90_000_000]
_ROUNDS = 5
_MOST_FETCHES = 3
_BOUND = Bound(1.01, at_most=True)


def run() -> tuple[Figure, ...]:
    """Measure, and return the figures.

    Raises:
        ArtifactUnavailable: the artifact did not come, however often it was asked for.
    """
    content = os.urandom(_SIZE)
    artifact = Artifact(hashlib.sha256(content).hexdigest(), _SIZE, "large.msi")
    server = AgentServer()
    server.key_sha256 = hash_key("key")
    server.artifacts[artifact.sha256] = content
    fetched: list[float] = []
    progress("  fetching 200 MB, in one piece and in four, in turn")
    try:
        with tempfile.TemporaryDirectory(prefix="reconciler-bench-") as name:
            sides = take_turns(
                _ROUNDS,
                {
                    "cut": lambda: _fetch(Path(name), artifact, server, _CUTS, fetched),
                    "whole": lambda: _fetch(Path(name), artifact, server, [], []),
                },
            )
    finally:
        server.close()
    return (
        Figure("bytes fetched ÷ size, cut three times", "", Spread.of(fetched[1:]), _BOUND),
        Figure("time cut three times ÷ in one piece", "", ratios(sides["cut"], sides["whole"])),
        Figure("200 MB cut three times, hashed", "s", Spread.of(sides["cut"])),
    )


def _fetch(folder: Path, artifact: Artifact, server: AgentServer, cuts: list[int], fetched: list[float]) -> float:
    """Fetch the artifact as an agent does, and return how long it took; note the bytes fetched ÷ its size."""
    relay = Relay(server.port)
    server.cut_artifacts_after = list(cuts)
    with tempfile.TemporaryDirectory(dir=folder) as target:
        signatures = SimulatedSignatures(SimulatedWindows(folder / "machine.json"))
        cache = ArtifactCache(
            Path(target),
            lambda: Server(f"http://127.0.0.1:{relay.port}", None, Caller("HOST7", "key")),
            signatures,
        )
        started = time.perf_counter()
        for number in range(_MOST_FETCHES):  # an agent gives up after three cuts, and tries again a while later
            try:
                cache.fetch(artifact)
                break
            except ArtifactUnavailable:
                if number == _MOST_FETCHES - 1:
                    raise
        taken = time.perf_counter() - started
    relay.close()
    fetched.append(relay.received / artifact.size)
    return taken
