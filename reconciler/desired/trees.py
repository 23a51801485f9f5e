"""Lists the files of git trees, and what differs between two of them. Opens no file.

Trees are untrusted: one can hold itself ten times over at each of its levels, name a file twice, or give it a name
that leads elsewhere. So folders are entered to a depth, and what git itself would not write is refused.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

import pygit2
from pygit2.enums import DeltaStatus, FileMode

DEEPEST_FOLDER = 4
"""Levels of folders below the root that are looked into; the format itself needs three."""

_FOLDER_MODE = b"40000 "


class MalformedTree(Exception):
    """A tree that git itself would not have written."""


class EntryKind(Enum):
    """What stands at a path of a tree."""

    FILE = "file"
    SYMLINK = "symlink"
    SUBMODULE = "submodule"
    DEEP_FOLDER = "deep folder"
    SPECIAL = "special file"
    """A pipe, socket or device; in plain folders only."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """What stands at ``path`` (within the repository). ``oid`` is the object's id: equal ids, equal bytes."""

    path: str
    kind: EntryKind
    oid: str


@dataclass(frozen=True, slots=True)
class Change:
    """What differs at ``path``. ``entry`` is what stands there now, ``None`` where nothing does."""

    path: str
    entry: TreeEntry | None


_FOLDER = int(FileMode.TREE)
_KINDS = {
    _FOLDER: EntryKind.DEEP_FOLDER,
    int(FileMode.LINK): EntryKind.SYMLINK,
    int(FileMode.COMMIT): EntryKind.SUBMODULE,
}


def walk(tree: pygit2.Tree, prefix: str, depth: int = 0) -> Iterator[TreeEntry]:
    """List what is below a tree, in git's order. Folders too far down are named, not entered.

    Args:
        tree: where to begin.
        prefix: what paths start with: empty, or ending in a slash.
        depth: how many folders it is below the root.

    Raises:
        MalformedTree: it is not as git writes trees.
        KeyError: a folder is missing.
        pygit2.GitError: a folder is damaged.
    """
    seen: set[str] = set()
    for item in tree:
        name = item.name or ""
        if name in seen:
            raise MalformedTree(f"{prefix}{name} is listed twice")
        seen.add(name)
        mode = int(item.filemode)
        if mode == _FOLDER and depth < DEEPEST_FOLDER:
            assert isinstance(item, pygit2.Tree)
            yield from walk(item, f"{prefix}{name}/", depth + 1)
        else:
            yield _entry(prefix, name, mode, item.id)


def changes(
    old: pygit2.Tree, new: pygit2.Tree, prefix: str, is_flat: Callable[[pygit2.Oid], bool], depth: int = 0
) -> Iterator[Change]:
    """List what differs below two trees; a path may come twice, first as gone and then with what stands there.

    Args:
        old: the tree before; one that `walk` could list.
        new: the tree now.
        prefix: what paths start with: empty, or ending in a slash.
        is_flat: tells of a tree, by its id, whether it surely holds no folder; see `looks_flat`.
        depth: how many folders they are below the root.

    Raises:
        MalformedTree: the new tree is not as git writes trees.
        KeyError: a folder is missing.
        pygit2.GitError: a folder is damaged.
    """
    if old.id == new.id:
        return
    if is_flat(old.id) and is_flat(new.id):
        yield from _flat_changes(old, new, prefix)
        return
    before = {item.name or "": item for item in old}
    now = {item.name or "": item for item in new}
    if len(now) != len(new):
        raise MalformedTree(f"the folder {prefix} lists a name twice")
    for name in sorted(before.keys() | now.keys()):
        was, item = before.get(name), now.get(name)
        if was is not None and item is not None and (was.id, was.filemode) == (item.id, item.filemode):
            continue
        enter = depth < DEEPEST_FOLDER
        if enter and isinstance(was, pygit2.Tree) and isinstance(item, pygit2.Tree):
            yield from changes(was, item, f"{prefix}{name}/", is_flat, depth + 1)
            continue
        if was is not None:
            gone = walk(was, f"{prefix}{name}/", depth + 1) if enter and isinstance(was, pygit2.Tree) else ()
            yield from (Change(entry.path, None) for entry in gone)
            yield Change(f"{prefix}{name}", None)
        if item is not None and enter and isinstance(item, pygit2.Tree):
            yield from (Change(entry.path, entry) for entry in walk(item, f"{prefix}{name}/", depth + 1))
        elif item is not None:
            entry = _entry(prefix, name, int(item.filemode), item.id)
            yield Change(entry.path, entry)


def looks_flat(tree: bytes) -> bool:
    """Return whether a tree surely holds no folder; where an id or a name happens to look like one, it may not.

    Args:
        tree: the tree as git stores it.
    """
    return _FOLDER_MODE not in tree


def _flat_changes(old: pygit2.Tree, new: pygit2.Tree, prefix: str) -> Iterator[Change]:
    """Let libgit2 compare: in folders of thousands it is ten times as fast as looking at each name.

    It goes through both lists side by side. So a name that the new tree has twice comes out as added although it
    was there before, or as added twice.
    """
    gone: set[str] = set()
    added: set[str] = set()
    there: list[Change] = []
    for delta in old.diff_to_tree(new).deltas:
        name = delta.new_file.raw_path.decode("utf-8", "surrogateescape")
        if delta.status == DeltaStatus.DELETED:
            gone.add(name)
            continue
        if delta.status == DeltaStatus.ADDED:
            if name in added:
                raise MalformedTree(f"{prefix}{name} is listed twice")
            added.add(name)
        entry = _entry(prefix, name, int(delta.new_file.mode), delta.new_file.id)
        there.append(Change(entry.path, entry))
    twice = next((name for name in added if name not in gone and name in old), None)
    if twice is not None:
        raise MalformedTree(f"{prefix}{twice} is listed twice")
    yield from (Change(f"{prefix}{name}", None) for name in gone)
    yield from there


def _entry(prefix: str, name: str, mode: int, oid: pygit2.Oid) -> TreeEntry:
    if "/" in name or name in ("", ".", ".."):
        raise MalformedTree(f"{prefix} lists {name!r}, which is no name")
    return TreeEntry(f"{prefix}{name}", _KINDS.get(mode, EntryKind.FILE), str(oid))
