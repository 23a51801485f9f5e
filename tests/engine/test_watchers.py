"""The watcher: a push to a local repository is noticed without waiting for the interval."""

from __future__ import annotations

import threading
from pathlib import Path

from reconciler.engine.watchers import RepositoryWatcher
from reconciler.testing.workspace import Workspace


def test_a_push_is_noticed(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "fleet.git", tmp_path / "tree")
    workspace.publish({"a": "1"}, "first")
    noticed = threading.Event()
    watcher = RepositoryWatcher(workspace.bare, noticed.set)
    watcher.start()
    try:
        workspace.publish({"a": "2"}, "second")
        assert noticed.wait(10)
        noticed.clear()
        workspace.publish({"a": "3"}, "third")
        assert noticed.wait(10)
    finally:
        watcher.stop()


def test_reading_does_not_look_like_a_change(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "fleet.git", tmp_path / "tree")
    workspace.publish({"a": "1"}, "first")
    noticed = threading.Event()
    watcher = RepositoryWatcher(workspace.bare, noticed.set)
    watcher.start()
    try:
        for path in workspace.bare.rglob("refs/**/*"):
            if path.is_file():
                path.read_text()
        assert not noticed.wait(0.3)
    finally:
        watcher.stop()
