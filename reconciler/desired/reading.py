"""Reads the files of a desired state one by one, and keeps what they say and what is wrong with each.

Compares no file with another. Looks up line numbers only for what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from reconciler.desired.assembly import host_of
from reconciler.desired.collection import ManifestFile, Manifests
from reconciler.desired.findings import Finding, Problem, Rule
from reconciler.desired.layout import FileKind, Misplaced, place_of
from reconciler.desired.manifests import HostManifest, model_of
from reconciler.desired.positions import NOWHERE, Positions, find_positions
from reconciler.desired.sources import Source
from reconciler.desired.suggestions import Suggester
from reconciler.desired.trees import EntryKind, TreeEntry
from reconciler.desired.wording import problems_of
from reconciler.desired.yaml_reader import MOST_BYTES, read_yaml, too_large

MOST_FILES = 250_000
"""Files that a desired state may have."""

MOST_BYTES_IN_ALL = 256 * 1024 * 1024
"""Bytes that the files of a desired state may have together: what is small when packed can take hours to read."""


class Reader:
    """Reads from one source into ``manifests``. ``problems`` are those found so far, ``bytes`` what was read."""

    def __init__(self, source: Source, manifests: Manifests, suggester: Suggester, read_before: int = 0) -> None:
        """Begin.

        Args:
            source: where the files are.
            manifests: what was read before; it is added to.
            suggester: finds the names that were meant.
            read_before: bytes that were read before.
        """
        self.manifests = manifests
        self.problems: list[Problem] = []
        self.bytes = read_before
        self._source = source
        self._suggester = suggester
        self._findings: list[Finding] = []

    def read(self, entry: TreeEntry, parts: tuple[str, ...]) -> None:
        """Read a file, whatever it is.

        Args:
            entry: the file.
            parts: its path below the root, folder by folder.
        """
        place = place_of(parts)
        if place is None:
            return
        if entry.kind is not EntryKind.FILE:
            self.problems.append(_not_a_file(entry))
        elif isinstance(place, Misplaced):
            self.problems.append(Problem(entry.path, place.rule, place.message, place.hint))
        else:
            manifest, remains = self._manifest(entry, place.kind)
            if isinstance(manifest, HostManifest):
                self.manifests.keep_host(host_of(place, manifest))
            else:
                self.manifests.keep(ManifestFile(entry.path, place, manifest, remains))

    def findings(self, problems: Iterable[Problem]) -> list[Finding]:
        """Return everything that is wrong, with its place in the text.

        Args:
            problems: what else was found to be wrong with the files.
        """
        return [*self._findings, *located(self._source, [*self.problems, *problems])]

    def _manifest(self, entry: TreeEntry, kind: FileKind) -> tuple[Any, dict[str, Any]]:
        """Return a file as a manifest; or, where something is wrong, ``None`` and what could be read."""
        path = entry.path
        data = self._data(entry)
        if data is None:
            return None, {}
        content, faults = read_yaml(data)
        if faults:
            self._findings += [Finding(path, f.line, f.column, f.rule, f.message, f.hint) for f in faults]
            if content is None:
                return None, {}
        model = model_of(kind, content)
        try:
            manifest = model.model_validate({} if content is None else content)
        except ValidationError as error:
            self.problems += problems_of(path, error, model, self._suggester)
        else:
            if not faults:
                return manifest, {}
        return None, content if isinstance(content, dict) else {}

    def _data(self, entry: TreeEntry) -> bytes | None:
        """Return the bytes of a file, or ``None`` where it is not to be read."""
        try:
            size = self._source.size(entry)
            if size > MOST_BYTES:
                fault = too_large(size)
                self.problems.append(Problem(entry.path, fault.rule, fault.message, fault.hint))
                return None
            was_enough = self.bytes > MOST_BYTES_IN_ALL
            self.bytes += size
            if self.bytes <= MOST_BYTES_IN_ALL:
                return self._source.read(entry)
        except OSError as error:
            message = f"cannot read the file: {error.strerror}"
            self.problems.append(Problem(entry.path, Rule.UNREADABLE_FILE, message))
            return None
        if not was_enough:
            message = f"with this file they have more than {MOST_BYTES_IN_ALL:,} bytes together; no more were read"
            hint = "keep in git only what hosts and people need to know"
            self.problems.append(Problem(entry.path, Rule.TOO_LARGE, message, hint))
        return None


def located(source: Source, problems: Iterable[Problem]) -> list[Finding]:
    """Return problems as findings, with their places in the text.

    Args:
        source: where the files are.
        problems: what is wrong with them.
    """
    by_path: dict[str, list[Problem]] = {}
    for problem in problems:
        by_path.setdefault(problem.path, []).append(problem)
    found: list[Finding] = []
    for path, at_fault in by_path.items():
        positions = _positions(source, path) if any(p.location or p.on_key for p in at_fault) else NOWHERE
        for p in at_fault:
            line, column = positions.find(p.location, on_key=p.on_key)
            found.append(Finding(path, line, column, p.rule, p.message, p.hint))
    return found


def _positions(source: Source, path: str) -> Positions:
    entry = source.find(path)
    if entry is None:
        return NOWHERE
    try:
        data = source.read(entry)
    except OSError:
        return NOWHERE
    # A file in a folder may have changed since it was first read, and be unreadable by now.
    content, _ = read_yaml(data)
    return NOWHERE if content is None else find_positions(data)


def _not_a_file(entry: TreeEntry) -> Problem:
    if entry.kind is EntryKind.SYMLINK:
        hint = "put the file itself here: links can lead anywhere"
        return Problem(entry.path, Rule.SYMLINK, "symbolic links are not followed", hint)
    if entry.kind is EntryKind.SUBMODULE:
        hint = "put the files themselves here"
        return Problem(entry.path, Rule.SUBMODULE, "submodules are not read", hint)
    if entry.kind is EntryKind.SPECIAL:
        return Problem(entry.path, Rule.SPECIAL_FILE, "this is a pipe, socket or device", "put a plain file here")
    return Problem(entry.path, Rule.MISPLACED_FILE, "folders do not go this deep", "move its files further up")
