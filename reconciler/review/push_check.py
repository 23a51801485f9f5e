"""Checks how much the commits of a push expand to: git runs it before any ref moves. Standard library only.

A tree can name the same folder many times, so a push of a kilobyte can stand for billions of files, and a program
that lists them never ends. It is started by its path, as `reconciler.review.hook` is, and reads the same lines.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from typing import IO

LARGEST_FILE_VARIABLE = "RECONCILER_LARGEST_FILE"
"""The variable in which the daemon hands over how many bytes a file may have."""

LARGEST_FILE = 1024 * 1024
"""Bytes of a file, where a push does not come through the daemon."""

MOST_FILES = 50_000
"""Files of a commit."""

MOST_BYTES = 64 * 1024 * 1024
"""Bytes of all files of a commit together."""

MOST_COMMITS = 2000
"""New commits of a branch that is not the first one of the repository."""

DEEPEST = 50
"""Folders within folders."""

NONE = "0" * 40
_FOLDER = b"40000"
_MODULE = b"160000"


class TooMuch(Exception):
    """A commit that expands to too much. Its text is for the person who pushed."""


class Trees:
    """Counts the files of trees, each tree once.

    Args:
        git: a running ``git cat-file --batch``.
    """

    def __init__(self, git: subprocess.Popen[bytes]) -> None:
        self._git = git
        self._counts: dict[str, int] = {}

    def files(self, tree: str, depth: int = 0) -> int:
        """Return how many files a tree expands to.

        Raises:
            TooMuch: there are more than `MOST_FILES`, or they are nested deeper than `DEEPEST`.
        """
        known = self._counts.get(tree)
        if known is not None:
            return known
        if depth > DEEPEST:
            raise TooMuch(f"folders are nested deeper than {DEEPEST}")
        count = 0
        for mode, name in _entries(self._read(tree)):
            count += self.files(name, depth + 1) if mode == _FOLDER else 1
            if count > MOST_FILES:
                raise TooMuch(f"it has more than {MOST_FILES} files")
        self._counts[tree] = count
        return count

    def _read(self, tree: str) -> bytes:
        assert self._git.stdin is not None
        assert self._git.stdout is not None
        self._git.stdin.write(tree.encode() + b"\n")
        self._git.stdin.flush()
        head = self._git.stdout.readline().split()
        if len(head) != 3:
            raise TooMuch(f"tree {tree[:10]} is missing")
        content = self._git.stdout.read(int(head[2]))
        self._git.stdout.read(1)
        return content


def _entries(tree: bytes) -> Iterator[tuple[bytes, str]]:
    """Yield mode and object id of each entry (gitformat: mode, space, name, NUL, 20 bytes)."""
    at = 0
    while at < len(tree):
        space, end = tree.index(b" ", at), tree.index(b"\0", at)
        yield tree[at:space], tree[end + 1 : end + 21].hex()
        at = end + 21


def check(updates: list[tuple[str, str, str]], largest: int) -> None:
    """Check what refs are to move to.

    Args:
        updates: for each ref where it is, where it is to go, and its name.
        largest: bytes that a file may have.

    Raises:
        TooMuch: a commit expands to too much.
    """
    with subprocess.Popen(["git", "cat-file", "--batch"], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as git:
        trees = Trees(git)
        for old, new, ref in updates:
            if new == NONE:
                continue
            for tree in _new_trees(old, new):
                try:
                    trees.files(tree)
                except TooMuch as error:
                    raise TooMuch(f"{ref}: {error}") from error
            _check_sizes(new, ref, largest)


def _new_trees(old: str, new: str) -> list[str]:
    first = not _lines(["git", "for-each-ref", "--count=1", "refs/heads"])
    most = 1 if first and old == NONE else MOST_COMMITS + 1
    found = _lines(["git", "log", "--format=%T", f"--max-count={most}", new, "--not", "--all"])
    if len(found) > MOST_COMMITS:
        raise TooMuch(f"more than {MOST_COMMITS} new commits: push them in parts")
    return found


def _check_sizes(commit: str, ref: str, largest: int) -> None:
    total = 0
    listing = ["git", "ls-tree", "-r", "-l", "-z", commit]
    with subprocess.Popen(listing, stdout=subprocess.PIPE) as git:
        assert git.stdout is not None
        for line in _records(git.stdout):
            facts, _, path = line.partition(b"\t")
            mode, _, _, size = facts.split()
            if mode == _MODULE:
                continue
            total += int(size)
            if int(size) > largest or total > MOST_BYTES:
                git.kill()
                shown = path.decode("utf-8", "backslashreplace")
                if int(size) > largest:
                    raise TooMuch(f"{ref}: {shown!a} has {int(size)} bytes; a file may have {largest}")
                raise TooMuch(f"{ref}: its files have more than {MOST_BYTES} bytes together")


def _records(stream: IO[bytes]) -> Iterator[bytes]:
    rest = b""
    while chunk := stream.read(65536):
        *whole, rest = (rest + chunk).split(b"\0")
        yield from whole


def _lines(command: list[str]) -> list[str]:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    return done.stdout.decode().split()


def main() -> int:
    """Read the updates from standard input, as git gives them; return 1 where something is refused."""
    updates = [line.split(" ", 2) for line in sys.stdin.read().splitlines()]
    largest = int(os.environ.get(LARGEST_FILE_VARIABLE, LARGEST_FILE))
    try:
        check([(old, new, ref) for old, new, ref in updates], largest)
    except TooMuch as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except subprocess.CalledProcessError:
        sys.stderr.write("git cannot read what was pushed: does each ref name an object that you have?\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
