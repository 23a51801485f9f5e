"""Runs the driver's commands on one host, and says the same of every way in which it cannot be reached."""

from __future__ import annotations

from collections.abc import Iterable

from reconciler.agent.installer import Stopping
from reconciler.agent.machine import MachineError
from reconciler.grants.credentials import CredentialMissing
from reconciler.grants.model import NotGranted
from reconciler.hosts.winrm.connection import (
    COMMAND_SECONDS,
    CommandLost,
    CommandTimeout,
    CommandTooLong,
    Connection,
    Finished,
)
from reconciler.hosts.winrm.endpoints import SharedEndpoint
from reconciler.hosts.winrm.faults import HostRefused, HostUnreachable
from reconciler.hosts.winrm.uploads import MISSING, packed, upload_commands

_AWAY = (
    *(HostUnreachable, HostRefused, CommandLost, CommandTimeout),
    *(CredentialMissing, NotGranted, SharedEndpoint),
)


_ROOT = "Reconciler Push"
_ALL = "(OI)(CI)F"
_SYSTEM, _ADMINISTRATORS = "*S-1-5-18", "*S-1-5-32-544"
_PRIVATE_ROOT = (
    rf'mkdir "%ProgramFiles%\{_ROOT}" 2>nul & icacls "%ProgramFiles%\{_ROOT}" /inheritance:r '
    f'/grant:r "{_SYSTEM}:{_ALL}" "{_ADMINISTRATORS}:{_ALL}" /q >nul && echo %ProgramFiles%'
)
"""Makes the folder, lets nobody but SYSTEM and Administrators in, and only then says where it is. By SIDs, since
the names are translated.

Source: learn.microsoft.com/windows-server/administration/windows-commands/icacls and
learn.microsoft.com/windows/win32/secauthz/well-known-sids
"""


class HostAway(Stopping):
    """The host cannot be reached now; an attempt that is going on there stays open. ``str()`` says why."""


class Commands:
    """The commands of one host; for one thread at a time.

    Args:
        host: its name.
        connection: its connection.
    """

    def __init__(self, host: str, connection: Connection) -> None:
        self.host = host
        self._connection = connection
        self._root = ""

    @property
    def shells(self) -> int:
        """How many shells have been opened on the host so far."""
        return self._connection.shells

    def root(self) -> str:
        r"""Return the folder on the host where this driver keeps everything; it is made where it is missing.

        It is below ``%ProgramFiles%``, where only administrators can create anything: its content runs as SYSTEM.
        Before anything is put there, it is closed to all but SYSTEM and Administrators. Users may read what lies
        in ``%ProgramFiles%``, and command files and logs hold the values of secret properties.

        Raises:
            HostAway: the host cannot be reached.
            MachineError: the folder cannot be made or closed. Nothing was put there.
        """
        if not self._root:
            asked = self.run(_PRIVATE_ROOT, repeatable=True)
            folder = asked.output.strip().rpartition("\n")[2].strip()
            if ":\\" not in folder:
                told = " ".join((asked.errors or asked.output).split())[:200]
                raise MachineError(
                    f"the folder {_ROOT} there cannot be closed to other users: {told or 'no reason given'}",
                    where=self.host,
                    hint="may this account change permissions there, and is icacls.exe in its System32?",
                )
            self._root = rf"{folder}\{_ROOT}"
        return self._root

    def run(self, command: str, seconds: float = COMMAND_SECONDS, *, repeatable: bool = False) -> Finished:
        """Run a command to its end.

        Args:
            command: the command line.
            seconds: how long it may take.
            repeatable: whether it may run twice.

        Raises:
            HostAway: the host cannot be reached, or it is not known what became of the command.
            MachineError: the command is longer than Windows takes.
        """
        try:
            return self._connection.run(command, seconds, repeatable=repeatable)
        except _AWAY as error:
            raise HostAway(str(error)) from error
        except CommandTooLong as error:
            raise MachineError(error.what, where=error.where, hint=error.hint) from error

    def exit_code(self, command: str, seconds: float) -> int | None:
        """Run a command that only looks; return its exit code, ``None`` where it did not end in its time.

        Raises:
            HostAway, MachineError
        """
        try:
            # Of a line that begins with a quote, cmd takes quotes away.
            return self.run(f"@{command}", seconds, repeatable=True).exit_code
        except HostAway as error:
            if isinstance(error.__cause__, CommandTimeout):
                return None
            raise

    def upload(self, path: str, content: bytes) -> None:
        """Write a small file on the host, and its folder where that is missing.

        Raises:
            HostAway: the host cannot be reached.
            MachineError: the host did not write it.
        """
        self.run_all(upload_commands(path, content))

    def run_all(self, commands: Iterable[str]) -> Finished:
        """Run commands one after another, in as few requests as they fit into, and return how the last ended.

        Each may run twice.

        Raises:
            HostAway: the host cannot be reached.
            MachineError: a file that they write is not there afterwards.
        """
        for command in packed(commands):
            finished = self.run(command, repeatable=True)
            if MISSING in finished.output:
                told = " ".join((finished.output + finished.errors).replace(MISSING, "").split())[:200]
                raise MachineError(f"it did not write a file: {told}", where=self.host)
        return finished
