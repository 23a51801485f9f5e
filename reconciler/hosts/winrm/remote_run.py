"""A run that goes on on a host by itself: asked whether it has ended, ended by force, its result and log read."""

from __future__ import annotations

import base64
import logging
import time

from reconciler.agent.installer_log import decode_log
from reconciler.agent.machine import RunResult
from reconciler.hosts.winrm.commands import Commands, HostAway
from reconciler.hosts.winrm.numbers import whole_number
from reconciler.hosts.winrm.scripts import ALIVE, CLAIM, KILLED, LAST_LINE, LOG, RESULT
from reconciler.hosts.winrm.tasks import task_name
from reconciler.kernel.protocol import LONGEST_LOG

STOPPED = "not-to-begin"
"""Lies in the claim of a run that was kept from ever beginning."""

_START_SECONDS = 60.0
"""A task that has not begun after so long never will: the host is then kept from beginning it."""

_AWAY_SECONDS = 90.0
"""A host that cannot be asked for longer is away; until then it may be its installer's doing."""

_FIRST_POLL, _LONGEST_POLL = 0.3, 5.0
_LOG_SECONDS = 300.0
_LONGEST_MESSAGE = 4096
_ENDED, _ALIVE, _CLAIMED, _UNCLAIMED = "===ended", "===alive", "===claimed", "===unclaimed"
_log = logging.getLogger(__name__)


class RemoteRun:
    """A run on a host. Implements `reconciler.agent.machine.Running`; for one thread at a time.

    Args:
        commands: the host's commands.
        name: the run's name.
        folder: its folder on the host.
    """

    def __init__(self, commands: Commands, name: str, folder: str) -> None:
        self._commands = commands
        self._name = name
        self._folder = folder
        self._begun = time.monotonic()
        self._poll_at = 0.0
        self._poll_seconds = _FIRST_POLL
        self._silent_since: float | None = None
        self._dead_once = False
        self._ended = False
        self._result: RunResult | None = None

    @property
    def log_path(self) -> str:
        """Where its log lies on the host."""
        return rf"{self._folder}\{LOG}"

    def wait(self, seconds: float) -> bool:
        """Wait for its end, ``seconds`` at most. The host is asked less and less often.

        Raises:
            HostAway: the host cannot be asked for `_AWAY_SECONDS` now.
        """
        deadline = time.monotonic() + seconds
        while not self._ended:
            now = time.monotonic()
            if now >= self._poll_at:
                self._poll()
                self._poll_seconds = min(self._poll_seconds * 1.3, _LONGEST_POLL)
                self._poll_at = time.monotonic() + self._poll_seconds
                continue
            if now >= deadline:
                return False
            time.sleep(min(self._poll_at, deadline) - now)
        return True

    def kill(self) -> None:
        """End it by force: its task, and whatever else on the host names the run in its command line.

        The host may end the command before the batch file that waits for it, so that is told first.
        """
        script = (
            f"Get-CimInstance Win32_Process -Filter \"CommandLine LIKE '%{self._name}%'\" | "
            "Where-Object ProcessId -ne $PID | ForEach-Object { taskkill /F /T /PID $_.ProcessId }"
        )
        encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
        powershell = f"powershell -NoProfile -NonInteractive -EncodedCommand {encoded}"
        told = rf'mkdir "{self._folder}\{KILLED}" 2>nul'
        self._commands.run(f'{told} & schtasks /end /tn "{task_name(self._name)}" & {powershell}', repeatable=True)
        self._poll_at = 0.0

    def result(self) -> RunResult | None:
        """Return what it returned; ``None`` where it runs still, or was ended from outside.

        Raises:
            HostAway: the host cannot be reached.
        """
        if not self._ended:
            self._poll()
        return self._result

    def log(self) -> str:
        """Return the end of its log; empty where there is none, or where it cannot be had now."""
        try:
            read = self._commands.run(f'type "{self.log_path}" 2>nul', _LOG_SECONDS, repeatable=True)
        except HostAway as error:
            _log.warning("the log of a run on %s cannot be read: %s", self._commands.host, error)
            return ""
        return decode_log(read.raw)[-2 * LONGEST_LOG :]

    def _poll(self) -> None:
        """Ask whether it has ended. A result is there whole or not at all; else it lives if ``alive`` is held."""
        alive, claim = rf"{self._folder}\{ALIVE}", rf"{self._folder}\{CLAIM}"
        claimed = f'(if exist "{claim}" (echo {_CLAIMED}) else (echo {_UNCLAIMED}))'
        living = f'(del /f /q "{alive}" 2>nul & if exist "{alive}" (echo {_ALIVE}) else {claimed})'
        result = rf"{self._folder}\{RESULT}"
        try:
            told = self._commands.run(
                f'if exist "{result}" (echo {_ENDED}& type "{result}") else {living}', repeatable=True
            ).output
        except HostAway:
            now = time.monotonic()
            self._silent_since = self._silent_since or now
            if now - self._silent_since > _AWAY_SECONDS:
                raise
            return
        self._silent_since = None
        if told.startswith(_ENDED):
            self._ended, self._result = True, self._worded(_read_result(told))
            return
        # It may have ended between the two questions: only where it is dead twice on end, it is.
        dead = _CLAIMED in told
        self._ended, self._dead_once = dead and self._dead_once, dead
        if _UNCLAIMED in told and time.monotonic() - self._begun > _START_SECONDS:
            self._commands.run(f'mkdir "{claim}" & mkdir "{claim}\\{STOPPED}"', repeatable=True)

    def _worded(self, result: RunResult | None) -> RunResult | None:
        if result is None or result.message != LAST_LINE:
            return result
        said = [line.strip() for line in self.log().splitlines() if line.strip()]
        return RunResult(result.exit_code, said[-1] if said else "")


def _read_result(told: str) -> RunResult | None:
    lines = told.splitlines()[1:]
    code = whole_number(lines[0]) if lines else None
    return RunResult(code, " ".join(lines[1:])[:_LONGEST_MESSAGE]) if code is not None else None
