"""The shells of the endpoint and their commands: made, found, counted, and removed when nobody uses them."""

from __future__ import annotations

import os
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from reconciler.lab.winrm.server.faults import Fault, WSManFault
from reconciler.lab.winrm.server.jobs import Start
from reconciler.lab.winrm.server.limits import Limits
from reconciler.lab.winrm.server.running import End, RunningCommand
from reconciler.lab.winrm.server.sign_in import ACCOUNTS_VARIABLE

CONSOLE_CODE_PAGE = 65001
"""The code page of the console that the endpoint shares with its commands."""

DEFAULT_CODE_PAGE = 437
"""What a shell has that asks for none: the OEM code page of an English Windows."""

_CREATE_NO_WINDOW = 0x08000000


@dataclass(frozen=True, slots=True)
class ShellOptions:
    """What a client asks for when it makes a shell; ``idle_timeout`` in seconds."""

    environment: Mapping[str, str]
    working_directory: str | None
    code_page: int
    idle_timeout: float
    input_streams: str
    output_streams: str


@dataclass(slots=True)
class Shell:
    """One shell; its fields change under the lock of ``Shells`` only."""

    id: str
    options: ShellOptions
    used_at: float
    in_use: int = 0
    commands: dict[str, RunningCommand] = field(default_factory=dict)
    operations: int = 0
    """Commands ever started in it: those of a text shell are not given back before the shell goes.

    Source: [MS-WSMV] appendix A, note on section 3.1.4.12.
    """


class Shells:
    """All shells of the one user; they outlive the connections they were made over."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self._shells: dict[str, Shell] = {}
        self._lock = threading.Condition()
        threading.Thread(target=self._reap, daemon=True).start()

    def create(self, options: ShellOptions, wanted_id: str | None = None) -> Shell:
        """Make a shell.

        Raises:
            WSManFault: the quota is used up, or the idle timeout is out of bounds.
        """
        limits = self.limits
        if not limits.min_idle_timeout_ms <= options.idle_timeout * 1000 <= limits.idle_timeout_ms:
            raise WSManFault(Fault.IDLE_TIMEOUT_OUT_OF_BOUNDS)
        with self._lock:
            if len(self._shells) >= limits.max_shells_per_user:
                raise WSManFault(Fault.TOO_MANY_SHELLS, limits.max_shells_per_user)
            shell = Shell((wanted_id or _new_id()).upper(), options, time.monotonic())
            self._shells[shell.id] = shell
            self._lock.notify_all()
            return shell

    @contextmanager
    def using(self, shell_id: str) -> Iterator[Shell]:
        """Find a shell; it is not idle within the block.

        Raises:
            WSManFault: there is none.
        """
        with self._lock:
            shell = self._shells.get(shell_id.upper())
            if shell is None:
                raise WSManFault(Fault.SHELL_NOT_FOUND, shell_id)
            shell.in_use += 1
        try:
            yield shell
        finally:
            with self._lock:
                shell.in_use -= 1
                shell.used_at = time.monotonic()
                self._lock.notify_all()

    def start(self, shell: Shell, command_line: str, *, skip_cmd: bool, wanted_id: str | None) -> str:
        """Start a command in ``shell`` and return its id.

        Raises:
            WSManFault: the quota of operations is used up, or the program cannot be started.
        """
        most = self.limits.max_concurrent_operations_per_user
        with self._lock:
            if sum(other.operations for other in self._shells.values()) >= most:
                raise WSManFault(Fault.TOO_MANY_OPERATIONS, most)
            shell.operations += 1
        command_id = (wanted_id or _new_id()).upper()
        try:
            command = RunningCommand(_start_of(shell.options, command_line, skip_cmd))
        except OSError as error:
            raise WSManFault(Fault.CANNOT_START, error.strerror or error, _result_of(error)) from error
        with self._lock:
            shell.commands[command_id] = command
            removed = self._shells.get(shell.id) is not shell
        if removed:  # while the program was starting
            command.end(End.TERMINATED)
            raise WSManFault(Fault.SHELL_NOT_FOUND, shell.id)
        return command_id

    def command(self, shell: Shell, command_id: str) -> RunningCommand:
        """Return a command of ``shell``.

        Raises:
            WSManFault: there is none.
        """
        with self._lock:
            found = shell.commands.get(command_id.upper())
        if found is None:
            raise WSManFault(Fault.SHELL_NOT_FOUND, shell.id)
        return found

    def drop(self, shell: Shell, command_id: str) -> None:
        """End a command, if it runs, and forget it."""
        command = self.command(shell, command_id)
        command.end(End.TERMINATED)
        with self._lock:
            shell.commands.pop(command_id.upper(), None)

    def remove(self, shell_id: str) -> None:
        """End a shell with all its commands.

        Raises:
            WSManFault: there is none.
        """
        with self._lock:
            shell = self._shells.pop(shell_id.upper(), None)
        if shell is None:
            raise WSManFault(Fault.SHELL_NOT_FOUND, shell_id)
        self._end_all(shell)

    def _end_all(self, shell: Shell) -> None:
        with self._lock:
            commands = list(shell.commands.values())
        for command in commands:
            command.end(End.TERMINATED)

    def _reap(self) -> None:
        while True:
            with self._lock:
                now = time.monotonic()
                idle = {s.id: s.used_at + s.options.idle_timeout for s in self._shells.values() if not s.in_use}
                due = [shell_id for shell_id, at in idle.items() if at <= now]
                gone = [self._shells.pop(shell_id) for shell_id in due]
                if not gone:
                    self._lock.wait(min(idle.values()) - now if idle else None)
            for shell in gone:
                self._end_all(shell)


def _start_of(options: ShellOptions, command_line: str, skip_cmd: bool) -> Start:
    environment = {**_own_environment(), **{name.upper(): value for name, value in options.environment.items()}}
    folder = options.working_directory or os.environ.get("USERPROFILE")
    if options.code_page == CONSOLE_CODE_PAGE:
        flags, prelude = 0, ""
    else:
        # A console of its own, since the code page belongs to the console.
        flags, prelude = _CREATE_NO_WINDOW, f"chcp {options.code_page}>nul & "
    if not skip_cmd:
        shell = os.environ.get("COMSPEC", "cmd.exe")
        command_line = f'{shell} /c "{prelude}{command_line}"'
    return Start(command_line, folder, environment, flags)


def _result_of(error: OSError) -> int | None:
    """Return the error of Windows as an HRESULT."""
    number: int | None = getattr(error, "winerror", None)
    return None if number is None else 0x80070000 | number


def _own_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != ACCOUNTS_VARIABLE}


def _new_id() -> str:
    return str(uuid.uuid4())
