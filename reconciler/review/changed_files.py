"""Counts the lines that a change adds and takes out, in a git process that is bounded in time and memory.

Comparing two crafted files of a megabyte takes libgit2 many seconds and a hundred megabytes, and blocks the whole
process meanwhile. So git compares them, leaves out large files, and ends after a few seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.desired.git_command import GitTimeout, NoGit, run_git
from reconciler.desired.repository import RepositoryError

LONGEST_COMPARED = 256 * 1024
"""Bytes of a file whose lines are compared; git treats a longer one as binary."""

MOST_FILES = 2000
"""Files of a change that are listed."""

_COUNT_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class ChangedFile:
    """How many lines of a file a change adds and takes out; ``None`` where they are not counted."""

    path: str
    added: int | None
    removed: int | None


def changed_files(folder: Path, base: str, head: str) -> tuple[ChangedFile, ...]:
    """Return what differs between two commits, by path; the first `MOST_FILES` of them.

    Args:
        folder: the repository.
        base: a commit.
        head: another commit.

    Raises:
        RepositoryError: git cannot be run, or a commit is missing.
    """
    try:
        lines = _ask(folder, "--numstat", base, head)
        found = [_counted(line) for line in lines]
    except GitTimeout:
        try:
            found = [ChangedFile(line, None, None) for line in _ask(folder, "--name-only", base, head)]
        except GitTimeout as error:
            raise _unread(folder, str(error)) from error
    return tuple(sorted(found, key=lambda file: file.path)[:MOST_FILES])


def _ask(folder: Path, what: str, base: str, head: str) -> Iterator[str]:
    options = ("-c", f"core.bigFileThreshold={LONGEST_COMPARED}", "-c", "core.attributesFile=/dev/null")
    listing = ("diff-tree", "-r", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", what, base, head)
    try:
        answer = run_git(folder, *options, *listing, timeout=_COUNT_SECONDS)
    except NoGit as error:
        raise _unread(folder, "there is no git executable") from error
    if answer.exit_code != 0:
        raise _unread(folder, answer.complaints.strip()[:200])
    return (line for line in answer.output.split("\0") if line)


def _counted(line: str) -> ChangedFile:
    added, removed, path = line.split("\t", 2)
    if added == "-":
        return ChangedFile(path, None, None)
    return ChangedFile(path, int(added), int(removed))


def _unread(folder: Path, why: str) -> RepositoryError:
    return RepositoryError(f"changed files cannot be listed: {why}", where=str(folder), hint="run git fsck there")
