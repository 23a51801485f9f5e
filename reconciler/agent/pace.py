"""Keeps a download within its bandwidth and its hours: waits, or says that it must end. Knows no files."""

from __future__ import annotations

import datetime
import time

from reconciler.agent.download_window import DownloadWindow
from reconciler.kernel.errors import ReconcilerError

_LONGEST_CHUNK = 256 * 1024
_SHORTEST_CHUNK = 1024
_CHUNKS_A_SECOND = 4


class OutsideWindow(ReconcilerError):
    """Files may not be fetched at this hour."""

    reference = "outside-download-window"


class Pace:
    """The pace of downloads.

    Args:
        bytes_per_second: the bandwidth they may take together; ``None`` for all there is.
        window: the hours in which they may go on; ``None`` for all.
    """

    def __init__(self, bytes_per_second: int | None = None, window: DownloadWindow | None = None) -> None:
        self._rate = bytes_per_second
        self._window = window
        self._free_at = 0.0

    @property
    def chunk(self) -> int:
        """How many bytes to read at once: with a narrow bandwidth few, so that they come evenly."""
        if self._rate is None:
            return _LONGEST_CHUNK
        return min(max(self._rate // _CHUNKS_A_SECOND, _SHORTEST_CHUNK), _LONGEST_CHUNK)

    def check_window(self) -> None:
        """Make sure that files may be fetched now, by this machine's own local time.

        Raises:
            OutsideWindow: not at this hour.
        """
        now = datetime.datetime.now()
        if self._window is not None and not self._window.open_at(now):
            raise OutsideWindow(f"files are fetched within {self._window} only, and it is {now:%H:%M}")

    def wait(self, received: int) -> None:
        """Wait as long as the bandwidth asks for after ``received`` bytes."""
        if self._rate is None:
            return
        now = time.monotonic()
        self._free_at = max(self._free_at, now) + received / self._rate
        time.sleep(self._free_at - now)
