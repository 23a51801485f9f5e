"""A Wine prefix as a machine that is switched on and off; knows nothing of hosts, agents or packages."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab.errors import LabError, LabTimeout
from reconciler.lab.naming import Naming, available_naming, named
from reconciler.lab.processes import MARK, kill_all, processes_of

BOOT_SECONDS = 120
_SERVER_SECONDS = 30
_INHERITED = ("HOME", "LOGNAME", "PATH", "USER")
_SERVER_FOLDER = re.compile(r"wine-[A-Za-z0-9]{6}")
_COMPUTER_NAME_KEY = r"HKLM\System\CurrentControlSet\Control\ComputerName\ComputerName"


@dataclass(frozen=True, slots=True)
class WinePrefix:
    """The prefix in ``directory``, whose Windows is named ``computer_name``."""

    directory: Path
    computer_name: str

    @property
    def drive_c(self) -> Path:
        """The folder that is drive C."""
        return self.directory / "drive_c"

    def environment(self) -> dict[str, str]:
        """Return what Wine's processes get to see: nothing of ours but what Wine needs."""
        return {name: os.environ[name] for name in _INHERITED if name in os.environ} | {
            "LC_ALL": "C.UTF-8",
            MARK: str(self.directory),
            "WINEPREFIX": str(self.directory),
            "WINEARCH": "win64",
            "WINEDEBUG": "-all",
            # No Mono, no HTML engine, no shell, no entries in this machine's menus; programs that stand in for
            # Wine's own where a host has them.
            "WINEDLLOVERRIDES": "mscoree,mshtml=;explorer.exe=d;winemenubuilder.exe=d;"
            "certutil.exe,icacls.exe,net.exe,netstat.exe,reg.exe,sc.exe,schtasks.exe,taskkill.exe,wevtutil.exe=n,b",
        }

    def spawn(self, words: Sequence[str], *, stdout: int, stderr: int) -> subprocess.Popen[bytes]:
        """Start a Unix command of Wine's, such as ``wine``, under the computer's name.

        It is out of reach of this terminal's signals: a lab host outlives the command that booted it.
        """
        return subprocess.Popen(
            named(self.computer_name, list(words)),
            cwd=self.drive_c if self.drive_c.is_dir() else self.directory,
            env=self.environment(),
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
        )

    def quietly(self, words: Sequence[str], seconds: float) -> None:
        """Run a command of Wine's to its end.

        Raises:
            LabTimeout: it took more than ``seconds``, and has been ended.
            LabError: it failed.
        """
        process = self.spawn(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            code = process.wait(seconds)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise LabTimeout(
                f"{' '.join(words)} did not end within {seconds:g} s", where=str(self.directory)
            ) from error
        if code != 0:
            raise LabError(f"{' '.join(words)} ended with {code}", where=str(self.directory))

    def is_on(self) -> bool:
        """Return whether the machine runs."""
        return any(process.is_server for process in processes_of(self.directory))

    def switch_on(self) -> None:
        """Boot: start the server and the services; nothing to do where it is on.

        On a busy machine a boot of Wine's breaks off now and then, so it is done a second time.

        Raises:
            LabTimeout: it did not come up in its time.
            LabError: it did not come up, twice.
        """
        if self.is_on():
            return
        try:
            self._boot()
        except LabTimeout:
            raise
        except LabError:
            self.cut_power()
            self._boot()

    def _boot(self) -> None:
        # With -p the server stays when the last ordinary process ends, and so the services do.
        self.quietly(["wineserver", "-p"], _SERVER_SECONDS)
        if available_naming() is Naming.REGISTRY:
            self._name_in_registry()
        # The first call starts services that inherit its handles, so it must not be one whose output is read.
        self.quietly(["wine", "wineboot"], BOOT_SECONDS)

    def switch_off(self) -> None:
        """Shut down in order: what the registry holds reaches the disk."""
        if self.is_on():
            self.quietly(["wineserver", "-k"], _SERVER_SECONDS)
        self.cut_power()  # for what has not ended by itself

    def cut_power(self) -> None:
        """Take the power away: nothing is written any more, and recent registry writes are lost."""
        kill_all(self.directory, lambda process: process.is_server)
        kill_all(self.directory, lambda process: True)

    def forget_server_folder(self) -> None:
        """Remove the folder of sockets in /tmp that Debian's Wine makes for each prefix."""
        note = self.directory / "wineserver"
        name = note.read_text(encoding="ascii", errors="replace").strip() if note.is_file() else ""
        folder = Path("/tmp") / name  # noqa: S108 - Wine's own choice, whatever TMPDIR is here
        if _SERVER_FOLDER.fullmatch(name) and folder.is_dir() and folder.stat().st_uid == os.getuid():
            shutil.rmtree(folder)

    def _name_in_registry(self) -> None:
        for key, value, data in (
            (_COMPUTER_NAME_KEY, "ComputerName", self.computer_name.upper()),
            (r"HKCU\Software\Wine\Network", "UseDnsComputerName", "N"),
        ):
            self.quietly(["wine", "reg", "add", key, "/v", value, "/d", data, "/f"], _SERVER_SECONDS)
        # The name is taken when the server starts.
        self.switch_off()
        self.quietly(["wineserver", "-p"], _SERVER_SECONDS)
