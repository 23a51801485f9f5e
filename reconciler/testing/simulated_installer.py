"""The child process of an installer run on a simulated machine. To the agent it behaves as the one on Windows.

It holds a lock on a file in the run's folder while it lives, so that a restarted agent can tell whether it does.
"""

from __future__ import annotations

import fcntl
import json
import os
import sys
from pathlib import Path

from reconciler.agent.run_folder import CALL_NAME, LOG_NAME, claim_run, write_result
from reconciler.kernel.calls import Call
from reconciler.kernel.wire import decode
from reconciler.testing.simulated_windows import SimulatedWindows

ALIVE_NAME = "alive"


def main(arguments: list[str]) -> None:
    """Carry out the run.

    Args:
        arguments: the machine's state file, and the run's folder.
    """
    state, folder = arguments
    alive = Path(folder) / ALIVE_NAME
    if not alive.parent.is_dir():
        return
    with alive.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not claim_run(folder, f"{os.getpid()} {alive}"):
            return
        call = decode(Call, json.loads((Path(folder) / CALL_NAME).read_text("utf-8")))
        code, message = SimulatedWindows(Path(state)).run(call)
        (Path(folder) / LOG_NAME).write_bytes(_log_text(call, code, message).encode("utf-16"))
        write_result(folder, code, message)


def _log_text(call: Call, code: int, message: str) -> str:
    lines = ["=== Verbose logging started (simulated) ===", f"Command Line: {call.properties}"]
    if message:
        lines.append(f"Product: {call.subject} -- {message}")
    if code not in (0, 3010, 1641):
        lines.append("Action ended 0:00:00: INSTALL. Return value 3.")
    lines.append(f"MainEngineThread is returning {code}")
    return "\r\n".join(lines) + "\r\n"


if __name__ == "__main__":
    main(sys.argv[1:])
