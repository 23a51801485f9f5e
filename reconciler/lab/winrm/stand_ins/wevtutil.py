"""A stand-in for wevtutil.exe on lab hosts, whose Wine has an empty one: it knows when Windows started, no more.

It answers ``qe System /q:… /c:1 /rd:true /f:xml`` where that asks for event 12 of
Microsoft-Windows-Kernel-General. The uptime of a lab host is that of the machine that it is on, so a reboot does
not show in it.
"""

from __future__ import annotations

import ctypes
import sys
import time
from datetime import UTC, datetime

_EVENT = (
    "<Event xmlns='http://schemas.microsoft.com/win/2004/08/events/event'><System>"
    "<Provider Name='Microsoft-Windows-Kernel-General' Guid='{{a68ca8b7-004f-d7b6-a698-07e2de0f1f5d}}'/>"
    "<EventID>12</EventID><TimeCreated SystemTime='{started:%Y-%m-%dT%H:%M:%S}.0000000Z'/>"
    "<Channel>System</Channel></System></Event>"
)
_NOT_SUPPORTED = 50


def main(words: list[str]) -> int:
    """Do as wevtutil does and return its exit code."""
    query = next((word for word in words if word.lower().startswith("/q:")), "")
    if words[:2] != ["qe", "System"] or "Microsoft-Windows-Kernel-General" not in query or "12" not in query:
        print("this stand-in of the lab knows of the start of Windows only.", file=sys.stderr)
        return _NOT_SUPPORTED
    print(_EVENT.format(started=datetime.fromtimestamp(int(time.time() - _uptime()), UTC)))
    return 0


def _uptime() -> float:
    """Return for how long Windows has been running, in seconds."""
    if sys.platform == "win32":
        ticks = ctypes.windll.kernel32.GetTickCount64
        ticks.restype = ctypes.c_uint64
        return float(ticks()) / 1000
    raise OSError("wevtutil is a thing of Windows")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
