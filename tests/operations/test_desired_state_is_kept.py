"""What was loaded of the desired state is left for the next start, and used by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.desired.mirror import fetch
from reconciler.desired.repository import GitRepository
from reconciler.operations.desired import mirror_of, state_at
from reconciler.settings import Settings
from reconciler.site import open_site
from reconciler.testing.workspace import Workspace


def test_a_restart_reads_no_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    workspace = Workspace(tmp_path / "fleet.git", tmp_path / "fleet")
    files = {"environments/reconciler.yaml": "version: 1\n", "environments/prod/environment.yaml": "prune: true\n"}
    commit = workspace.publish(files, "The fleet")
    settings = Settings(data=tmp_path / "data", repository=str(workspace.bare))
    with open_site(settings) as site:
        fetch(mirror_of(site))
        first = state_at(site, mirror_of(site), commit)
    assert first.environments["prod"].prune
    monkeypatch.setattr(GitRepository, "entries", None)
    with open_site(settings) as site:
        assert state_at(site, mirror_of(site), commit) == first
