"""A daemon of which a part breaks down ends, and says with what."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reconciler.daemon.server import Daemon
from reconciler.engine.runner import Runner
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.store.revisions import RevisionStore
from reconciler.testing.workspace import Workspace


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    Workspace(tmp_path / "fleet.git", tmp_path / "fleet").publish(
        {"environments/reconciler.yaml": "version: 1\n"}, "x"
    )
    with open_site(Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"), port=0)) as site:
        yield site


def test_a_part_that_breaks_down_ends_the_daemon_with_its_fault(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(_self: Runner) -> None:
        raise ZeroDivisionError("the engine")

    monkeypatch.setattr(Runner, "run", breaks)
    with pytest.raises(ZeroDivisionError, match="the engine"):
        asyncio.run(Daemon(site).run(lambda _url: None))


def test_a_fault_before_it_serves_is_what_is_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    keeps = RevisionStore.set_fact

    def full(self: RevisionStore, name: str, value: str) -> Any:
        if name == "url":
            raise ZeroDivisionError("the disk")
        return keeps(self, name, value)

    monkeypatch.setattr(RevisionStore, "set_fact", full)
    with pytest.raises(ZeroDivisionError, match="the disk"):
        asyncio.run(Daemon(site).run(lambda _url: None))
