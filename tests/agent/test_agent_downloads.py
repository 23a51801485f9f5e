"""Downloads keep to their bandwidth and their hours, and what is kept of them to its bound."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from pathlib import Path

import pytest

from reconciler.agent import pace as pace_module
from reconciler.agent.artifacts import ArtifactCache
from reconciler.agent.download_window import parse_window
from reconciler.agent.machine import ArtifactUnavailable
from reconciler.agent.pace import Pace
from reconciler.agent.quota import needed_artifacts
from reconciler.agent.settings import SETTINGS_NAME
from reconciler.agent.transport import Caller, Server
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.attempts import Outcome
from reconciler.kernel.protocol import hash_key
from reconciler.testing.sample_packages import installed
from reconciler.testing.simulated_machine import SimulatedSignatures
from reconciler.testing.simulated_windows import SimulatedWindows


@pytest.fixture
def cache_with(server, tmp_path, tmp_path_factory):
    """Make a cache that fetches from the server; its arguments are those after the first three."""
    server.key_sha256 = hash_key("key")
    signatures = SimulatedSignatures(SimulatedWindows(tmp_path_factory.mktemp("machine") / "machine.json"))
    return lambda *rest, **named: ArtifactCache(
        tmp_path,
        lambda: Server(server.url, None, Caller("HOST7", "key")),
        signatures,
        *rest,
        **named,
    )


@pytest.fixture
def offer(server):
    def offer(size, letter=b"x"):
        content = letter * size
        sha256 = hashlib.sha256(content).hexdigest()
        server.artifacts[sha256] = content
        return Artifact(sha256, size, "sample.msi")

    return offer


class At(datetime.datetime):
    """A clock that stands still until a test moves it."""

    moment = datetime.datetime(2026, 1, 1, 12, 0)

    @classmethod
    def now(cls, tz=None):
        return cls.moment


@pytest.fixture
def local(monkeypatch):
    monkeypatch.setattr(pace_module.datetime, "datetime", At)

    def set_hour(hour, minute=0):
        monkeypatch.setattr(At, "moment", datetime.datetime(2026, 1, 1, hour, minute))

    return set_hour


@pytest.mark.parametrize(
    ("window", "open_at", "shut_at"),
    [
        ("22:00-06:00", ["22:00", "23:59", "00:00", "05:59"], ["06:00", "12:00", "21:59"]),
        ("08:30-17:00", ["08:30", "16:59"], ["08:29", "17:00", "00:00"]),
    ],
)
def test_a_window_is_open_from_its_start_up_to_its_end(window, open_at, shut_at):
    parsed = parse_window(window)
    assert str(parsed) == window
    for times, wanted in ((open_at, True), (shut_at, False)):
        for text in times:
            moment = datetime.datetime.combine(datetime.date(2026, 1, 1), datetime.time.fromisoformat(text))
            assert parsed.open_at(moment) is wanted, text


@pytest.mark.parametrize("text", ["", "22-06", "24:00-06:00", "22:00", "22:00-22:00", "22:60-06:00"])
def test_what_is_no_window_is_none(text):
    assert parse_window(text) is None


def test_nothing_is_fetched_outside_the_window_but_what_is_there_is_used(local, offer, cache_with, server):
    cache = cache_with(Pace(window=parse_window("22:00-06:00")))
    artifact = offer(1000)
    local(12)
    with pytest.raises(ArtifactUnavailable, match="within 22:00-06:00 only, and it is 12:00"):
        cache.fetch(artifact)
    assert server.requests == []
    local(23)
    cache.fetch(artifact)
    local(12)
    assert Path(cache.fetch(artifact)).exists()


def test_a_download_ends_with_the_window_and_goes_on(local, offer, cache_with, tmp_path, server, monkeypatch):
    pace = Pace(window=parse_window("22:00-06:00"))
    cache = cache_with(pace)
    artifact = offer(1_000_000)
    local(5, 59)
    monkeypatch.setattr(pace, "wait", lambda received: local(6))
    with pytest.raises(ArtifactUnavailable, match="it is 06:00"):
        cache.fetch(artifact)
    kept = (tmp_path / f"{artifact.sha256}.part").stat().st_size
    assert 0 < kept < artifact.size
    local(22)
    monkeypatch.setattr(pace, "wait", lambda received: None)
    assert Path(cache.fetch(artifact)).stat().st_size == artifact.size
    assert server.requests[-1][2] == f"bytes={kept}-"


class Clock:
    """Stands still but for who sleeps by it."""

    def __init__(self) -> None:
        self.slept = 0.0

    def monotonic(self) -> float:
        return self.slept

    def sleep(self, seconds: float) -> None:
        self.slept += seconds


def test_a_download_keeps_to_its_bandwidth(offer, cache_with, monkeypatch):
    clock = Clock()
    monkeypatch.setattr("reconciler.agent.pace.time", clock)
    cache_with(Pace(bytes_per_second=400_000)).fetch(offer(300_000))
    assert clock.slept == pytest.approx(300_000 / 400_000)
    cache_with(Pace()).fetch(offer(300_000, b"y"))
    assert clock.slept == pytest.approx(300_000 / 400_000)


def test_the_ones_unused_for_longest_go_first(offer, cache_with, tmp_path):
    artifacts = [offer(400_000, letter) for letter in (b"a", b"b", b"c")]
    for age, artifact in zip((300, 100, 200), artifacts, strict=True):
        folder = Path(cache_with().fetch(artifact)).parent
        os.utime(folder, (time.time() - age, time.time() - age))
    kept = kept_after(cache_with(limit=1_300_000), offer(400_000, b"d"), tmp_path)
    assert kept == {artifacts[1].sha256, artifacts[2].sha256, offer(400_000, b"d").sha256}


def test_what_is_needed_stays_even_above_the_bound(offer, cache_with, tmp_path):
    old, older = offer(400_000, b"a"), offer(400_000, b"b")
    for artifact in (older, old):
        folder = Path(cache_with().fetch(artifact)).parent
        os.utime(folder, (0, 0))
    cache = cache_with(limit=500_000, needed=lambda: {older.sha256})
    assert kept_after(cache, offer(400_000, b"c"), tmp_path) == {older.sha256, offer(400_000, b"c").sha256}


def test_what_a_step_has_just_fetched_stays_for_its_run(offer, cache_with, tmp_path):
    cache = cache_with(limit=500_000)
    first, second = offer(400_000, b"a"), offer(400_000, b"b")
    cache.fetch(first)
    assert kept_after(cache, second, tmp_path) == {first.sha256, second.sha256}


def test_a_part_that_nobody_needs_goes_before_any_file(offer, cache_with, tmp_path):
    whole = offer(400_000, b"a")
    folder = Path(cache_with().fetch(whole)).parent
    os.utime(folder, (0, 0))
    (tmp_path / f"{'f' * 64}.part").write_bytes(bytes(300_000))
    cache = cache_with(limit=900_000)
    assert kept_after(cache, offer(400_000, b"c"), tmp_path) == {whole.sha256, offer(400_000, b"c").sha256}


def kept_after(cache, artifact, folder):
    cache.fetch(artifact)
    return {entry.name for entry in folder.iterdir()}


def test_needed_is_what_is_wanted_and_what_is_installed(catalog):
    first, second, third = (catalog.release(v, n) for n, v in enumerate(("1.0.0", "2.0.0", "3.0.0"), 1))
    assignment = catalog.assignment(third)
    assert needed_artifacts(assignment, [installed(second)]) == {third.artifact.sha256, second.artifact.sha256}
    assert needed_artifacts(assignment, []) == {third.artifact.sha256}
    assert needed_artifacts(None, [installed(first)]) == set()


def test_an_agent_within_its_bound_goes_forth_and_back(start, server, catalog, data):
    (data / SETTINGS_NAME).write_text(
        json.dumps(
            {"server": server.url, "host": "HOST7", "token": "token", "pollSeconds": 0.1, "cacheMegabytes": 1}
        )
    )
    releases = [catalog.release(v, n) for n, v in enumerate(("1.0.0", "2.0.0"), 1)]
    unused = data / "artifacts" / ("f" * 64)
    unused.mkdir(parents=True)
    (unused / "unused.msi").write_bytes(bytes(1_000_000))
    os.utime(unused, (0, 0))
    for number, release in enumerate((*releases, releases[0]), 1):
        server.assign(catalog.assignment(release, f"r{number}"))
        if number == 1:
            start()
        server.wait_for(lambda s, number=number: len(s.attempts()) == number)
    assert [attempt.outcome for attempt in server.attempts()] == [Outcome.SUCCEEDED] * 3
    assert {entry.name for entry in (data / "artifacts").iterdir()} == {r.artifact.sha256 for r in releases}
