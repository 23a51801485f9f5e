"""Writes text files to disk: all of them, or none. Knows nothing of what is in them."""

from __future__ import annotations

import contextlib
import difflib
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.kernel.errors import ReconcilerError
from reconciler.presentation.terminal import for_terminal
from reconciler.store.data_folder import users_umask


class CannotWrite(ReconcilerError):
    """Files that cannot be written; those that were there are as they were."""

    reference = "cannot-write"


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file's text before and after; ``before`` is ``None`` for a new file. ``path`` is shown as it is."""

    path: str
    before: str | None
    after: str

    def diff(self) -> str:
        """Return the change as a unified diff."""
        path = for_terminal(self.path)
        lines = difflib.unified_diff(
            _lines(self.before or ""),
            _lines(self.after),
            f"a/{path}" if self.before is not None else "/dev/null",
            f"b/{path}",
        )
        return "".join(lines)


def read_text(path: Path) -> str | None:
    """Return the text of a file with its line ends as they are, ``None`` where there is none.

    Raises:
        CannotWrite: it cannot be read, or is not UTF-8.
    """
    try:
        return path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise CannotWrite(f"the file cannot be read: {error}", where=str(path)) from error


def write_all(texts: Mapping[Path, str]) -> None:
    """Write files whole, each at once; where one cannot be written, put the others back. For commands.

    They are the user's own, so a new one gets the mode that the user's umask says.

    Args:
        texts: the text of each file, written with its line ends as they are. Folders are made where needed.

    Raises:
        CannotWrite: one of them could not be written.
    """
    with users_umask():
        _write_all(texts)


def _write_all(texts: Mapping[Path, str]) -> None:
    staged: dict[Path, Path] = {}
    replaced: dict[Path, bytes | None] = {}
    path = Path()
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            staged[path] = _stage(path, text)
        for path, temporary in staged.items():
            before = path.read_bytes() if path.exists() else None
            temporary.replace(path)
            replaced[path] = before
    except OSError as error:
        _put_back(replaced)
        what = f"the file cannot be written: {error.strerror or error}; nothing was changed"
        raise CannotWrite(what, where=str(path), hint="check the folder's permissions and room") from error
    finally:
        for temporary in staged.values():
            temporary.unlink(missing_ok=True)


def _stage(path: Path, text: str) -> Path:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.new")
    with temporary.open("wb") as out:
        out.write(text.encode("utf-8"))
        out.flush()
        os.fsync(out.fileno())
    if path.exists():
        shutil.copymode(path, temporary)
    return temporary


def _put_back(replaced: Mapping[Path, bytes | None]) -> None:
    for path, before in replaced.items():
        with contextlib.suppress(OSError):  # what stopped the writing may stop this too
            if before is None:
                path.unlink(missing_ok=True)
            else:
                path.write_bytes(before)


def _lines(text: str) -> list[str]:
    """Return the lines of a file, without the carriage returns before their ends, which no terminal shows."""
    return [line.rstrip("\r") + "\n" for line in text.removesuffix("\n").split("\n")] if text else []
