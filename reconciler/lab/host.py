"""One lab host: a Windows machine that is a Wine prefix laid over the template, in a folder of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab import agent, commands
from reconciler.lab.commands import Background, Finished
from reconciler.lab.errors import LabError
from reconciler.lab.layering import Layering, attach, detach, lay
from reconciler.lab.naming import check_name
from reconciler.lab.paths import unix_path
from reconciler.lab.prefix import WinePrefix
from reconciler.lab.winrm import endpoint
from reconciler.lab.winrm.endpoint import WinrmEndpoint, WinrmSettings

_NOTE = "host.json"


@dataclass(frozen=True, slots=True)
class LabHost:
    """A Windows host of the lab; all of it lies in ``directory``, and any process may take it up from there.

    ``name`` is its Windows name, ``layering`` the way it shares the files of ``template``.
    """

    name: str
    directory: Path
    layering: Layering
    template: Path

    @classmethod
    def create(
        cls, name: str, directory: Path, template: Path, ways: Sequence[Layering] = tuple(Layering)
    ) -> LabHost:
        """Make a new host, switched off.

        Args:
            name: its Windows name, which must be a valid one.
            directory: its folder, which must not exist.
            template: the template prefix.
            ways: the ways to lay it over the template, tried in this order.

        Raises:
            LabError: the name is not valid, or none of the ways worked.
        """
        check_name(name)
        directory.mkdir(parents=True)
        layering = lay(template, directory, ways)
        note = {"name": name, "layering": layering, "template": str(template)}
        (directory / _NOTE).write_text(json.dumps(note) + "\n", encoding="utf-8")
        return cls(name, directory, layering, template)

    @classmethod
    def find(cls, directory: Path) -> LabHost | None:
        """Return the host that was made in ``directory``, or ``None`` where none was made to the end."""
        try:
            note = json.loads((directory / _NOTE).read_text("utf-8"))
            return cls(note["name"], directory, Layering(note["layering"]), Path(note["template"]))
        except (OSError, ValueError, KeyError):
            return None

    @property
    def prefix(self) -> WinePrefix:
        """The Wine prefix that the host is."""
        return _prefix_in(self.directory, self.name)

    def booted(self) -> bool:
        """Return whether the host runs."""
        return self.prefix.is_on()

    def boot(self) -> None:
        """Switch the host on; nothing to do where it runs.

        Raises:
            LabError: it did not come up.
        """
        if self.layering is Layering.OVERLAY:
            attach(self.template, self.directory)
        self.prefix.switch_on()

    def reboot(self) -> None:
        """Restart Windows in order: everything ends, renames that wait for a reboot are done, services start.

        An agent that is no service ends with the rest and is not started again. The uptime that Windows tells is
        this machine's, so a reboot does not show in it.
        """
        # Not `wineboot -r`, which leaves running programs alone.
        self.shutdown()
        self.boot()

    def power_cut(self) -> None:
        """Take the host's power away: every process dies at once, and recent registry writes are lost."""
        self.prefix.cut_power()

    def shutdown(self) -> None:
        """Switch the host off in order, keeping all it holds."""
        self.prefix.switch_off()

    def remove(self) -> None:
        """Switch the host off and delete it.

        Raises:
            LabError: something of it is still in use.
        """
        remove_folder(self.directory)

    def run(self, command: Sequence[str] | str, timeout: float = 120) -> Finished:
        r"""Run a Windows command to its end and return its true exit code and output.

        Args:
            command: a list of words, or a whole command line: ``msiexec /i "C:\x.msi" SITE="a b"`` needs its
                own quoting, so it must be one.
            timeout: how long it may take, in seconds.

        Raises:
            LabTimeout: it took longer, and has been ended.
            LabError: it could not be started, or the host is off.
        """
        self._must_be_on()
        return commands.run(self.prefix, command, timeout)

    def start(self, command: Sequence[str]) -> Background:
        """Start a Windows program in the background, with no input and no output.

        Raises:
            LabError: the host is off.
        """
        self._must_be_on()
        return commands.start(self.prefix, command)

    def unix_path(self, windows_path: str) -> Path:
        """Return where a path of the host's drive C lies on this machine.

        Raises:
            LabError: it is not a full path on drive C.
        """
        return unix_path(self.prefix.drive_c, windows_path)

    def copy_in(self, source: Path, windows_path: str) -> None:
        """Copy a file to the host, under the full name ``windows_path``, making its folder where it is missing."""
        target = self.unix_path(windows_path)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)

    def read(self, windows_path: str) -> bytes:
        """Return what a file of the host holds.

        Raises:
            LabError: there is no such file.
        """
        try:
            return self.unix_path(windows_path).read_bytes()
        except OSError as error:
            raise LabError(f"{windows_path} can't be read: {error.strerror}", where=self.name) from error

    def install_agent(self, config: Mapping[str, object]) -> None:
        """Put this installation's agent on the host, and ``config`` as its ``agent.json``."""
        agent.install_agent(self.prefix, config)

    def start_agent(self) -> Background:
        """Start the agent; it runs on when this process ends.

        Raises:
            LabError: the host is off, or an agent runs already.
        """
        self._must_be_on()
        if self.agent_running():
            raise LabError("an agent runs already", where=self.name, hint="kill it first")
        return agent.start_agent(self.prefix)

    def kill_agent(self) -> None:
        """End the agent at once, but not an installer that it has started."""
        agent.kill_agent(self.prefix)

    def agent_running(self) -> bool:
        """Return whether an agent runs on the host."""
        return agent.agent_running(self.prefix)

    def start_winrm(self, settings: WinrmSettings | None = None) -> WinrmEndpoint:
        """Start a WinRM endpoint that runs on when this process ends; it keeps its address over a restart.

        Raises:
            LabUnavailable: what it needs could not be downloaded.
            LabError: the host is off, an endpoint runs already, or it did not start.
        """
        self._must_be_on()
        if self.winrm_running():
            raise LabError("a WinRM endpoint runs already", where=self.name, hint="stop it first")
        return endpoint.start_winrm(self.prefix, settings or WinrmSettings())

    def stop_winrm(self) -> None:
        """End the WinRM endpoint at once, with the commands of its shells."""
        endpoint.stop_winrm(self.prefix)

    def winrm_running(self) -> bool:
        """Return whether a WinRM endpoint runs on the host."""
        return endpoint.winrm_running(self.prefix)

    def _must_be_on(self) -> None:
        if not self.booted():
            raise LabError("the host is switched off", where=self.name, hint="boot it first")


def remove_folder(directory: Path) -> None:
    """Delete a host's folder whatever state it is in, with its processes and its mount.

    Raises:
        LabError: something of it is still in use.
    """
    prefix = _prefix_in(directory, directory.name)
    prefix.cut_power()
    prefix.forget_server_folder()
    detach(directory)
    shutil.rmtree(directory)


def _prefix_in(directory: Path, name: str) -> WinePrefix:
    return WinePrefix(directory / "prefix", name)
