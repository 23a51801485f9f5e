"""Notices that a repository may have a new head: at once where it lies on this machine, else on an interval."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from watchdog.events import FileSystemEvent, FileSystemEventHandler
from watchdog.observers import Observer
from watchdog.observers.api import BaseObserver

QUIET_SECONDS = 0.05
"""Seconds without a further change after which a burst of changes is passed on, once."""


class RepositoryWatcher:
    """Watches the refs of a local repository and calls ``hint`` when they change.

    A hint may come too often or not at all (network file systems): whoever takes it looks for itself, and an
    interval stands behind it.
    """

    def __init__(self, git_directory: Path, hint: Callable[[], None]) -> None:
        """Prepare to watch.

        Args:
            git_directory: the ``.git`` folder or bare repository.
            hint: called from a thread of the watcher's.
        """
        self._hint = hint
        self._observer: BaseObserver = Observer()
        self._lock = threading.Lock()
        self._pending: threading.Timer | None = None
        listener = _RefListener(self._changed)
        self._observer.schedule(listener, str(git_directory), recursive=False)
        self._observer.schedule(listener, str(git_directory / "refs"), recursive=True)

    def start(self) -> None:
        """Start watching."""
        self._observer.start()

    def stop(self) -> None:
        """Stop watching and wait for the watcher's threads."""
        self._observer.stop()
        self._observer.join()
        with self._lock:
            if self._pending is not None:
                self._pending.cancel()

    def _changed(self) -> None:
        with self._lock:
            if self._pending is not None:
                self._pending.cancel()
            self._pending = threading.Timer(QUIET_SECONDS, self._hint)
            self._pending.daemon = True
            try:
                self._pending.start()
            except RuntimeError:  # no thread can be started now; an error here would end the watcher for good
                self._pending = None
                self._hint()


class _RefListener(FileSystemEventHandler):
    def __init__(self, changed: Callable[[], None]) -> None:
        self._changed = changed

    def on_any_event(self, event: FileSystemEvent) -> None:
        if event.event_type in ("opened", "closed_no_write"):
            return
        paths = [Path(str(event.src_path)), Path(str(event.dest_path or ""))]
        if any("refs" in path.parts or path.name in ("packed-refs", "HEAD") for path in paths):
            self._changed()
