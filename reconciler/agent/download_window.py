"""The hours of the day, in the host's local time, in which files may be fetched. Reads no clock by itself."""

from __future__ import annotations

import datetime
import re
from dataclasses import dataclass

_FORM = re.compile(r"([01]\d|2[0-3]):([0-5]\d)\s*-\s*([01]\d|2[0-3]):([0-5]\d)")


@dataclass(frozen=True, slots=True)
class DownloadWindow:
    """From ``start`` up to ``end``, each day; over midnight where the end is the earlier of the two."""

    start: datetime.time
    end: datetime.time

    def open_at(self, local: datetime.datetime) -> bool:
        """Return whether files may be fetched at this local time."""
        now = local.time()
        if self.start < self.end:
            return self.start <= now < self.end
        return now >= self.start or now < self.end

    def __str__(self) -> str:
        return f"{self.start:%H:%M}-{self.end:%H:%M}"


def parse_window(text: str) -> DownloadWindow | None:
    """Return the window that ``text`` names, as ``22:00-06:00``; ``None`` where it names none."""
    match = _FORM.fullmatch(text.strip())
    if match is None:
        return None
    hours = [int(group) for group in match.groups()]
    start, end = datetime.time(hours[0], hours[1]), datetime.time(hours[2], hours[3])
    return DownloadWindow(start, end) if start != end else None
