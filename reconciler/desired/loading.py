"""Loads the desired state of a commit, or of a folder, and finds everything that is wrong with it at once.

Reads files one by one, then checks across them, then builds the model; the model is built only where there is no
error. With a cache it reads only what changed since the last load, and comes to the very same.
"""

from __future__ import annotations

import gc
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from reconciler.desired.address_rules import check_addresses
from reconciler.desired.approval_rules import check_approvals
from reconciler.desired.assembly import assemble
from reconciler.desired.cache import LoadCache
from reconciler.desired.collection import Manifests
from reconciler.desired.environment_rules import check_environments
from reconciler.desired.findings import Finding, Problem, Rule, Severity
from reconciler.desired.host_rules import check_hosts
from reconciler.desired.layout import top_level
from reconciler.desired.model import UNCOMMITTED, DesiredState
from reconciler.desired.notification_rules import check_notifications
from reconciler.desired.patching import Work, read_changes
from reconciler.desired.reading import MOST_FILES, Reader
from reconciler.desired.references import check_claims, check_references
from reconciler.desired.repository import GitRepository
from reconciler.desired.snapshots import Snapshot
from reconciler.desired.sources import CommitSource, FolderSource, Source
from reconciler.desired.suggestions import Suggester
from reconciler.desired.trees import TreeEntry

DEFAULT_ROOT = "environments"
"""The folder of a repository that holds the desired state."""


@dataclass(frozen=True, slots=True)
class Loaded:
    """What a load came to. ``state`` is ``None`` exactly where there are errors; warnings stand beside it.

    Errors come before warnings, each in the order of path, line and column.
    """

    state: DesiredState | None
    findings: tuple[Finding, ...]


def load(
    repository: GitRepository, commit: str, root: str = DEFAULT_ROOT, cache: LoadCache | None = None
) -> Loaded:
    """Load the desired state at a commit.

    Args:
        repository: where the commit is.
        commit: its full id.
        root: the folder that holds the desired state; empty for the top of the repository.
        cache: what earlier loads left; it saves time and changes nothing else.

    Raises:
        RepositoryError: there is no such commit, or an object of it is damaged.
    """
    source = CommitSource(repository, commit, root)
    if cache is None:
        return load_source(source, commit)
    with cache.lock, _collection_paused():
        return _load_with(cache, source, commit)


def load_folder(folder: Path) -> Loaded:
    """Load the desired state that lies in ``folder`` now, whether or not it is in git or committed."""
    return load_source(FolderSource(folder), UNCOMMITTED)


def load_source(source: Source, revision: str) -> Loaded:
    """Load the desired state of a source.

    Args:
        source: where the files are.
        revision: what the state is to have as its revision.

    Raises:
        RepositoryError: an object of a repository is damaged.
    """
    with _collection_paused():
        work = _read_all(source)
        return _conclude(work, revision, work.catalog_problems())


def in_order(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return findings as `Loaded` has them: errors before warnings, each by path, line and column."""
    return tuple(sorted(findings, key=lambda finding: (finding.severity is Severity.WARNING, finding)))


def _load_with(cache: LoadCache, source: CommitSource, commit: str) -> Loaded:
    """Load what changed since the last load, or all of it; and leave it for the next."""
    tree = source.tree()
    before = cache.snapshot(source.root, commit) if tree is not None else None
    if before is not None and before.tree == tree:
        same = before.state.revision == commit
        return Loaded(before.state if same else replace(before.state, revision=commit), before.warnings)
    known = cache.loaded(source.root, tree) if tree is not None else None
    if known is not None:
        return known if known.state is None else replace(known, state=replace(known.state, revision=commit))
    work = read_changes(source, before, tree) if before is not None and tree is not None else None
    if work is None:
        work = _read_all(source)
    of_catalog = work.catalog_problems()
    loaded = _conclude(work, commit, of_catalog)
    if loaded.state is not None and tree is not None:
        manifests, read = work.reader.manifests, work.reader.bytes
        kept = Snapshot(tree, manifests, loaded.state, loaded.findings, of_catalog, work.entries, read)
        cache.keep(kept, work.changes)
    if tree is not None:
        cache.remember(source.root, tree, loaded)
    return loaded


def _read_all(source: Source) -> Work:
    """Read all files below the root."""
    suggester = Suggester()
    reader = Reader(source, Manifests(source.root), suggester)
    work = Work(reader, suggester)
    entries = source.entries()
    if entries is None:
        path = source.root.rstrip("/")
        hint = "check the path of the desired state within the repository"
        reader.problems.append(Problem(path, Rule.MISSING_FILE, f"there is no folder {path}", hint))
        return replace(work, nothing=True)
    start = len(source.root)
    found: list[tuple[TreeEntry, tuple[str, ...]]] = []
    for entry in entries:
        if len(found) >= MOST_FILES:
            message = f"more than {MOST_FILES:,} files; the rest were not read"
            reader.problems.append(Problem(entry.path, Rule.TOO_MANY_FILES, message))
            break
        found.append((entry, tuple(entry.path[start:].split("/"))))
    ours = top_level(parts for _, parts in found) if source.shared else None
    for entry, parts in found:
        if ours is None or parts[0] in ours:
            reader.read(entry, parts)
    return replace(work, entries=len(found), changes=len(found), hosts=reader.manifests.all_hosts())


def _conclude(work: Work, revision: str, of_catalog: Iterable[Problem]) -> Loaded:
    """Check across the files, and build the model where there is no error."""
    manifests, problems = work.reader.manifests, list(of_catalog)
    known_hosts = work.known_hosts()
    if not work.nothing:
        problems += check_environments(manifests, work.suggester)
        problems += check_references(manifests, work.hosts, work.suggester)
        if known_hosts is None:
            problems += check_claims(manifests)
            problems += check_addresses(manifests)
        problems += check_hosts(manifests, work.suggester)
        problems += check_notifications(manifests, work.suggester)
        problems += check_approvals(manifests, work.suggester)
    findings = in_order(work.reader.findings(problems))
    if findings and findings[0].severity is Severity.ERROR:
        return Loaded(None, findings)
    return Loaded(assemble(manifests, revision, work.known_packages, known_hosts), findings)


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
