"""Loads the desired state of a commit, or of a folder, and finds everything that is wrong with it at once.

Reads files one by one, then checks across them, then builds the model; the model is built only where nothing is
wrong. Looks up line numbers only for what is.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from reconciler.desired.assembly import assemble
from reconciler.desired.catalog_rules import check_catalog
from reconciler.desired.findings import Finding, Problem, Rule
from reconciler.desired.layout import (
    CATALOG_FOLDER,
    ENVIRONMENT_FILE,
    HOSTS_FOLDER,
    SETTINGS_FILE,
    FileKind,
    Misplaced,
    place_of,
)
from reconciler.desired.manifests import MANIFESTS
from reconciler.desired.model import UNCOMMITTED, DesiredState
from reconciler.desired.positions import NOWHERE, Positions, find_positions
from reconciler.desired.references import ManifestFile, Manifests, check_references
from reconciler.desired.repository import EntryKind, GitRepository, TreeEntry
from reconciler.desired.sources import CommitSource, FolderSource, Source
from reconciler.desired.suggestions import Suggester
from reconciler.desired.wording import problems_of
from reconciler.desired.yaml_reader import MOST_BYTES, read_yaml, too_large

DEFAULT_ROOT = "environments"
"""The folder of a repository that holds the desired state."""

MOST_FILES = 250_000
"""Files that a desired state may have."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load came to: the state, or findings. ``state`` is ``None`` exactly where there are findings.

    Findings are in the order of path, line and column.
    """

    state: DesiredState | None
    findings: tuple[Finding, ...]


def load(repository: GitRepository, commit: str, root: str = DEFAULT_ROOT) -> Loaded:
    """Load the desired state at a commit.

    Args:
        repository: where the commit is.
        commit: its full id.
        root: the folder that holds the desired state; empty for the top of the repository.

    Raises:
        RepositoryError: there is no such commit, or an object of it is damaged.
    """
    return _Load(CommitSource(repository, commit, root)).run(commit)


def load_folder(folder: Path) -> Loaded:
    """Load the desired state that lies in ``folder`` now, whether or not it is in git or committed."""
    return _Load(FolderSource(folder)).run(UNCOMMITTED)


class _Load:
    """One load: what was read, and what was wrong."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._manifests = Manifests(root=source.root)
        self._suggester = Suggester()
        self._findings: list[Finding] = []
        self._problems: list[Problem] = []
        self._entries: dict[str, TreeEntry] = {}

    def run(self, revision: str) -> Loaded:
        with _collection_paused():
            entries = self._source.entries()
            if entries is None:
                path = self._source.root.rstrip("/")
                hint = "check the path of the desired state within the repository"
                self._problems.append(Problem(path, Rule.MISSING_FILE, f"there is no folder {path}", hint))
            else:
                self._read_all(entries)
                self._problems += check_catalog(self._manifests.packages)
                self._problems += check_references(self._manifests, self._suggester)
            self._place_problems()
            state = None if self._findings else assemble(self._manifests, revision)
        return Loaded(state, tuple(sorted(self._findings)))

    def _read_all(self, entries: Iterator[TreeEntry]) -> None:
        start = len(self._source.root)
        found: list[tuple[TreeEntry, tuple[str, ...]]] = []
        for entry in entries:
            if len(found) >= MOST_FILES:
                message = f"more than {MOST_FILES:,} files; the rest were not read"
                self._problems.append(Problem(entry.path, Rule.TOO_MANY_FILES, message))
                break
            found.append((entry, tuple(entry.path[start:].split("/"))))
        ours = _top_level(found) if self._source.shared else None
        for entry, parts in found:
            if ours is None or parts[0] in ours:
                self._read_entry(entry, parts)

    def _read_entry(self, entry: TreeEntry, parts: tuple[str, ...]) -> None:
        place = place_of(parts)
        if place is None:
            return
        if entry.kind is not EntryKind.FILE:
            self._problems.append(_not_a_file(entry))
        elif isinstance(place, Misplaced):
            self._problems.append(Problem(entry.path, place.rule, place.message, place.hint))
        else:
            self._entries[entry.path] = entry
            manifest, remains = self._read_manifest(entry, place.kind)
            self._keep(ManifestFile(entry.path, place, manifest, remains))

    def _read_manifest(self, entry: TreeEntry, kind: FileKind) -> tuple[Any, dict[str, Any]]:
        """Return a file as a manifest; or, where something is wrong, ``None`` and what could be read."""
        path = entry.path
        try:
            size = self._source.size(entry)
            content, faults = (
                (None, [too_large(size)]) if size > MOST_BYTES else read_yaml(self._source.read(entry))
            )
        except OSError as error:
            self._problems.append(Problem(path, Rule.UNREADABLE_FILE, f"cannot read the file: {error.strerror}"))
            return None, {}
        self._findings += [Finding(path, f.line, f.column, f.rule, f.message, f.hint) for f in faults]
        if content is None:
            if faults:
                return None, {}
            content = {}
        model = MANIFESTS[kind]
        try:
            manifest = model.model_validate(content)
        except ValidationError as error:
            self._problems += problems_of(path, error, model, self._suggester)
            manifest = None
        if manifest is not None and not faults:
            return manifest, {}
        return None, content if isinstance(content, dict) else {}

    def _keep(self, file: ManifestFile[Any]) -> None:
        place = file.place
        if place.kind is FileKind.HOST:
            self._manifests.hosts.append(file)
        elif place.kind is FileKind.PACKAGE:
            self._manifests.packages[place.name] = file
        elif place.kind is FileKind.ENVIRONMENT:
            self._manifests.environments[place.name] = file
        else:
            self._manifests.settings = file

    def _place_problems(self) -> None:
        """Turn problems into findings, by looking up where they stand."""
        by_path: dict[str, list[Problem]] = {}
        for problem in self._problems:
            by_path.setdefault(problem.path, []).append(problem)
        for path, problems in by_path.items():
            positions = self._positions(path) if any(p.location or p.on_key for p in problems) else NOWHERE
            for p in problems:
                line, column = positions.find(p.location, on_key=p.on_key)
                self._findings.append(Finding(path, line, column, p.rule, p.message, p.hint))

    def _positions(self, path: str) -> Positions:
        try:
            data = self._source.read(self._entries[path])
        except OSError:
            return NOWHERE
        # A file in a folder may have changed since it was first read, and be unreadable by now.
        content, _ = read_yaml(data)
        return NOWHERE if content is None else find_positions(data)


def _top_level(found: list[tuple[TreeEntry, tuple[str, ...]]]) -> set[str]:
    """Return the names at the top that belong to the desired state, where other things stand beside it."""
    ours = {SETTINGS_FILE, CATALOG_FOLDER}
    ours.update(p[0] for _, p in found if len(p) > 1 and (p[1] == HOSTS_FOLDER or p[1:] == (ENVIRONMENT_FILE,)))
    return ours


def _not_a_file(entry: TreeEntry) -> Problem:
    if entry.kind is EntryKind.SYMLINK:
        hint = "put the file itself here: links can lead anywhere"
        return Problem(entry.path, Rule.SYMLINK, "symbolic links are not followed", hint)
    if entry.kind is EntryKind.SUBMODULE:
        hint = "put the files themselves here"
        return Problem(entry.path, Rule.SUBMODULE, "submodules are not read", hint)
    return Problem(entry.path, Rule.MISPLACED_FILE, "folders do not go this deep", "move its files further up")


@contextmanager
def _collection_paused() -> Iterator[None]:
    """Pause the garbage collector: a load makes many objects and no rubbish to find.

    Freezing and unfreezing moves the new objects straight to the oldest generation, unsearched.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.unfreeze()
        if was_on:
            gc.enable()
