"""Keeps the installer's logs of failed attempts, as the hosts sent them: untrusted text, never run or rendered."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from reconciler.kernel.protocol import LONGEST_LOG
from reconciler.kernel.screening import visible


class AttemptLogs:
    """A folder of logs, one file an attempt. Attempt ids are checked by whoever calls."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, attempt: str, content: bytes) -> None:
        """Keep the end of a log, as text in UTF-8: bytes that are no text are escaped.

        A second log of the same attempt takes the place of the first.
        """
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        handle, temporary = tempfile.mkstemp(dir=self._folder, prefix="incoming-")
        text = visible(content[-LONGEST_LOG:].decode("utf-8", "backslashreplace"))
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(text.encode()[-LONGEST_LOG:])
            Path(temporary).replace(self._path(attempt))
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise

    def find(self, attempt: str) -> Path | None:
        """Return where the log of an attempt lies, or ``None``."""
        path = self._path(attempt)
        return path if path.is_file() else None

    def _path(self, attempt: str) -> Path:
        return self._folder / f"{attempt}.log"
