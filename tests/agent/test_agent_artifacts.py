"""Files are fetched with resume, handed out only with the right hash, and never kept outside their folder."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.agent.artifacts import ArtifactCache
from reconciler.agent.machine import ArtifactRefused, ArtifactUnavailable
from reconciler.agent.transport import Caller, Server
from reconciler.kernel.artifact import Artifact
from reconciler.kernel.protocol import hash_key
from reconciler.kernel.signatures import Signature, Subject, Trust
from reconciler.testing.simulated_machine import SimulatedSignatures
from reconciler.testing.simulated_windows import SimulatedWindows

CONTENT = bytes(range(256)) * 4000


@pytest.fixture
def artifact(server):
    server.key_sha256 = hash_key("key")
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    server.artifacts[sha256] = CONTENT
    return Artifact(sha256, len(CONTENT), "sample 1.0.msi")


@pytest.fixture
def windows(tmp_path_factory):
    return SimulatedWindows(tmp_path_factory.mktemp("machine") / "machine.json")


@pytest.fixture
def cache(server, tmp_path, windows):
    signatures = SimulatedSignatures(windows)
    return ArtifactCache(
        tmp_path / "artifacts", lambda: Server(server.url, None, Caller("HOST7", "key")), signatures
    )


def ranges(server):
    return [wanted for _, _, wanted in server.requests]


def test_it_is_kept_under_the_name_its_vendor_gave_it_and_fetched_once(server, artifact, cache):
    first = Path(cache.fetch(artifact))
    assert first.read_bytes() == CONTENT
    assert (first.name, first.parent.name) == ("sample 1.0.msi", artifact.sha256)
    assert Path(cache.fetch(artifact)) == first
    assert ranges(server) == [None]


def test_a_download_that_was_cut_goes_on_where_it_ended(server, artifact, cache):
    server.cut_artifacts_after = [300_000, 200_000]
    assert Path(cache.fetch(artifact)).read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=300000-", "bytes=500000-"]


def test_a_download_goes_on_after_a_restart_of_the_agent(server, artifact, cache):
    server.cut_artifacts_after = [300_000, 1, 1]
    with pytest.raises(ArtifactUnavailable):
        cache.fetch(artifact)
    assert Path(cache.fetch(artifact)).read_bytes() == CONTENT
    assert ranges(server)[-1] == "bytes=300002-"


def test_a_torn_part_is_fetched_anew_rather_than_blamed_on_the_server(server, artifact, cache, tmp_path):
    (tmp_path / "artifacts").mkdir()
    (tmp_path / "artifacts" / f"{artifact.sha256}.part").write_bytes(bytes(400_000))
    assert Path(cache.fetch(artifact)).read_bytes() == CONTENT
    assert ranges(server) == ["bytes=400000-", None]


def test_a_kept_file_that_was_damaged_is_fetched_anew(server, artifact, cache):
    Path(cache.fetch(artifact)).write_bytes(b"damaged")
    assert Path(cache.fetch(artifact)).read_bytes() == CONTENT
    assert len(server.requests) == 2


@pytest.mark.parametrize("content", [CONTENT[:-1] + b"x", CONTENT + b"more", CONTENT[:-1], b""])
def test_a_wrong_file_is_refused_and_deleted(server, artifact, cache, tmp_path, content):
    server.artifacts[artifact.sha256] = content
    with pytest.raises(ArtifactRefused, match="nothing was run"):
        cache.fetch(artifact)
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize(
    "name",
    ["../evil.msi", "..\\evil.msi", "C:evil.msi", "C:\\evil.msi", "/evil", "a/b", "..", ".", "", "nul", "COM1.msi",
     "a\x00b", 'a"b', "a.", "a ", "x" * 200, "a|b", "a\nb"],
)  # fmt: skip
def test_a_name_that_is_no_plain_file_name_is_refused(artifact, server, cache, tmp_path, name):
    with pytest.raises(ArtifactRefused):
        cache.fetch(Artifact(artifact.sha256, artifact.size, name))
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []


def test_a_hash_that_is_none_is_refused(server, cache):
    with pytest.raises(ArtifactRefused):
        cache.fetch(Artifact("../../evil", 1, "a.msi"))


def test_an_unknown_file_is_unavailable(server, artifact, cache):
    server.artifacts.clear()
    with pytest.raises(ArtifactUnavailable, match="404"):
        cache.fetch(artifact)


def test_a_pinned_signer_is_demanded_each_time_a_file_is_handed_out(artifact, cache, windows, server):
    pinned = replace(artifact, signer="CN=Contoso Ltd")
    contoso = Subject((("O", "Contoso"), ("CN", "Contoso Ltd")))
    for fetch in (cache.fetch, cache.fetch_again, cache.fetch):
        with pytest.raises(
            ArtifactRefused, match="CN=Contoso Ltd should have signed the file, but it is not signed"
        ):
            fetch(pinned)
    asked = len(server.requests)
    windows.sign(artifact.file_name, Signature(Trust.HOLDS, contoso))
    assert Path(cache.fetch(pinned)).read_bytes() == CONTENT
    assert Path(cache.fetch(replace(artifact, signer="O=Contoso"))).read_bytes() == CONTENT
    assert len(server.requests) == asked, "a refused file is kept, so that it need not be fetched for a mended pin"
    windows.sign(artifact.file_name, Signature(Trust.REVOKED, contoso, "0x800B010C"))
    with pytest.raises(ArtifactRefused, match=r"was revoked \(0x800B010C\); nothing was run"):
        cache.fetch(pinned)


def test_no_signature_is_asked_for_where_none_is_pinned(artifact, cache, monkeypatch):
    monkeypatch.setattr(SimulatedSignatures, "examine", None)
    assert Path(cache.fetch(artifact)).read_bytes() == CONTENT


def test_the_hash_comes_first(server, artifact, cache, windows, monkeypatch):
    monkeypatch.setattr(SimulatedSignatures, "examine", None)
    server.artifacts[artifact.sha256] = CONTENT[:-1] + b"x"
    with pytest.raises(ArtifactRefused, match="sha256"):
        cache.fetch(replace(artifact, signer="CN=Contoso Ltd"))
