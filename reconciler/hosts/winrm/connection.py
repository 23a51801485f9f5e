"""Runs commands on one host by WinRM: on a shell that is kept, each with a deadline. Decides nothing.

A connection that drops while a command runs is picked up again by the ids of shell and command. A command whose
fate is not known is told as lost: whoever asked looks again, and nothing runs twice unless it was said to be
repeatable. For one thread at a time.

Source: learn.microsoft.com/openspecs/windows_protocols/ms-wsmv (MS-WSMV)
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from xml.etree.ElementTree import ParseError

import requests
from winrm.exceptions import (
    AuthenticationError,
    WinRMError,
    WinRMOperationTimeoutError,
    WinRMTransportError,
    WSManFaultError,
)
from winrm.protocol import Protocol

from reconciler.hosts.winrm.faults import HostUnreachable, refusal, unreachable
from reconciler.kernel.errors import ReconcilerError

LONGEST_OUTPUT = 64 * 1024 * 1024
"""Bytes of a command's output that are kept: a host could write without end, until its time is over."""

LONGEST_COMMAND = 8000
"""Characters of a command line: cmd takes 8,191, and the shell puts its own call before it.

Source: learn.microsoft.com/troubleshoot/windows-client/shell-experience/command-line-string-limitation
"""

COMMAND_SECONDS = 120.0
"""Seconds that a command may take unless it is said otherwise."""

_UTF_8 = 65001
_REST_SECONDS = 45.0
"""A connection idle for longer is opened anew: Windows closes it after two minutes, and the keys go with it."""

OPERATION_SECONDS = 20
"""Seconds that a host may keep a request before it answers that there is nothing new."""

_GATHER_SECONDS, _LONGEST_GATHER_SECONDS = 0.1, 1.0
"""Between two answers of a running command, the longer it runs the longer. Each costs a request, and a host
answers with every scrap that it has.
"""

_RECONNECT_SECONDS = 1.0
"""Between two tries to take up a running command again."""

_AWAY_SECONDS = 20.0
"""How long a host may be away in the midst of a repeatable command: giving that up loses nothing."""

_TROUBLE = (
    *(OSError, WinRMTransportError, WinRMError, WinRMOperationTimeoutError),
    # What pywinrm lets through when something answers that is no WinRM service, or only half of one.
    *(ParseError, StopIteration, LookupError, ValueError, AttributeError, AssertionError),
)
"""Every way in which pywinrm says that a request failed; what requests raises is an ``OSError``."""


class CommandLost(ReconcilerError):
    """A command of which it is not known whether it ran, or to what end: look before anything else is done."""

    reference = "command-lost"


class CommandTooLong(ReconcilerError):
    """A command line beyond what Windows takes."""

    reference = "command-too-long"


class CommandTimeout(ReconcilerError):
    """A command that did not end in its time, and was ended."""

    reference = "command-timeout"


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command that has ended wrote and returned."""

    exit_code: int
    raw: bytes
    raw_errors: bytes

    @property
    def output(self) -> str:
        """What it wrote, as text."""
        return self.raw.decode("utf-8", "replace")

    @property
    def errors(self) -> str:
        """What it wrote of errors, as text."""
        return self.raw_errors.decode("utf-8", "replace")


class _ShellGone(Exception):
    """The shell that a request named is no longer there."""


class Connection:
    """The commands of one host, for one thread at a time.

    Args:
        host: the host's name, for messages.
        open_protocol: gives a fresh protocol; called at the first command and after trouble.
        answered: called whenever the host has answered.
    """

    def __init__(self, host: str, open_protocol: Callable[[], Protocol], answered: Callable[[], None]) -> None:
        self._host = host
        self._open_protocol = open_protocol
        self._answered = answered
        self._protocol: Protocol | None = None
        self._shell: str | None = None
        self._used_at = 0.0
        self.shells = 0
        """How many shells have been opened so far: whatever ended with one is not known in the next."""

    def run(self, command: str, seconds: float = COMMAND_SECONDS, *, repeatable: bool = False) -> Finished:
        """Run a command in cmd, and return what it wrote and returned.

        Args:
            command: the command line.
            seconds: how long it may take, reconnecting included.
            repeatable: whether it may run twice: it only looks, or its second run changes nothing more.

        Raises:
            CommandTooLong: it is longer than `LONGEST_COMMAND`; nothing ran.
            HostUnreachable, HostRefused: it did not run.
            CommandLost: it may have run; never for a repeatable one.
            CommandTimeout: it took longer, and was ended.
        """
        if len(command) > LONGEST_COMMAND:
            raise CommandTooLong(
                f"a command of {len(command)} characters is more than Windows takes ({LONGEST_COMMAND})",
                where=self._host,
                hint="shorten the properties or the paths that it holds",
            )
        deadline = time.monotonic() + seconds
        patience = min(_AWAY_SECONDS, seconds) if repeatable else seconds
        try:
            return self._run(command, deadline, patience)
        except CommandLost:
            if not repeatable or time.monotonic() >= deadline:
                raise
        try:
            return self._run(command, deadline, patience)
        except CommandLost as error:
            raise HostUnreachable("it was lost twice while it only looked", where=self._host) from error

    def close(self) -> None:
        """Close the shell and the connection."""
        if self._protocol is not None and self._shell is not None:
            with suppress(*_TROUBLE):
                self._protocol.close_shell(self._shell)
        self._drop()

    def _run(self, command: str, deadline: float, patience: float) -> Finished:
        protocol, shell = self._ready()
        try:
            command_id = self._begin(protocol, shell, command)
        except _ShellGone:
            # The service was restarted: with the shell unknown there, the command cannot have begun.
            self._shell = None
            protocol, shell = self._ready()
            try:
                command_id = self._begin(protocol, shell, command)
            except _ShellGone as error:
                self._drop()
                raise HostUnreachable("a shell that it has just opened is gone", where=self._host) from error
        finished = self._await(protocol, shell, command_id, deadline, patience)
        self._used_at = time.monotonic()
        return finished

    def _ready(self) -> tuple[Protocol, str]:
        """Return the protocol and a shell there, both opened where there is none."""
        if self._protocol is None:
            self._protocol = self._open_protocol()
        elif time.monotonic() - self._used_at > _REST_SECONDS:
            self._protocol.transport.close_session()
        if self._shell is None:
            protocol = self._protocol
            try:
                self._shell = protocol.open_shell(codepage=_UTF_8, noprofile=True)
            except WSManFaultError as error:
                self._drop()
                raise refusal(error, self._host) from error
            except _TROUBLE as error:
                self._drop()
                raise unreachable(error, self._host) from error
            self.shells += 1
            self._answered()
        return self._protocol, self._shell

    def _begin(self, protocol: Protocol, shell: str, command: str) -> str:
        """Start the command and return its id.

        Raises:
            _ShellGone: the host knows no such shell, so nothing began.
            HostRefused, HostUnreachable: nothing began.
            CommandLost: it may have begun.
        """
        try:
            started = protocol.run_command(shell, command)
        except WSManFaultError as error:
            told = refusal(error, self._host)
            if _knows_no_shell(error):
                raise _ShellGone from error
            self._drop()
            raise told from error
        except requests.ConnectTimeout as error:
            self._drop()
            raise unreachable(error, self._host) from error
        except _TROUBLE as error:
            self._drop()
            raise CommandLost(
                f"the connection broke while a command was started: {error}", where=self._host
            ) from error
        self._answered()
        return started

    def _await(self, protocol: Protocol, shell: str, command: str, deadline: float, patience: float) -> Finished:
        """Gather what the command writes until it ends; a connection that drops is opened again meanwhile.

        A host that is away for longer than ``patience`` seconds is given up.
        """
        out, errors, begun = bytearray(), bytearray(), time.monotonic()
        heard = begun
        while True:
            if time.monotonic() >= deadline:
                self._end(protocol, shell, command)
                raise CommandTimeout("a command did not end in its time and was ended", where=self._host)
            remaining = deadline - time.monotonic()
            protocol.operation_timeout_sec = max(1, min(OPERATION_SECONDS, int(remaining)))
            try:
                some_out, some_errors, code, done = protocol.get_command_output_raw(shell, command)
            except WinRMOperationTimeoutError:
                heard = time.monotonic()
                self._answered()
                continue
            except WSManFaultError as error:
                self._drop()
                raise CommandLost(
                    f"the host knows a command no longer that it had begun: {error}", where=self._host
                ) from error
            except _TROUBLE as error:
                self._reconnect(protocol, min(deadline, heard + patience), error)
                continue
            heard = time.monotonic()
            self._answered()
            out += some_out
            errors += some_errors
            # Of more than that the end is kept, where logs tell most; an inventory then counts as incomplete.
            del out[:-LONGEST_OUTPUT], errors[:-LONGEST_OUTPUT]
            if done:
                self._end(protocol, shell, command)
                return Finished(_signed(code), bytes(out), bytes(errors))
            time.sleep(min(_GATHER_SECONDS + (time.monotonic() - begun) / 2, _LONGEST_GATHER_SECONDS))

    def _reconnect(self, protocol: Protocol, deadline: float, error: Exception) -> None:
        """Forget the broken connection, so that the next request opens one; give up at the deadline."""
        protocol.transport.close_session()
        if isinstance(error, AuthenticationError) or time.monotonic() + _RECONNECT_SECONDS >= deadline:
            self._drop()
            raise CommandLost(
                f"the connection broke while a command ran, and could not be taken up again: {error}",
                where=self._host,
            ) from error
        time.sleep(_RECONNECT_SECONDS)

    def _end(self, protocol: Protocol, shell: str, command: str) -> None:
        """Let the host forget the command, and end it where it still runs. Without this its shell fills up."""
        try:
            protocol.cleanup_command(shell, command)
        except _TROUBLE:
            self._drop()

    def _drop(self) -> None:
        """Forget shell and connection; the host ends a shell that nobody uses by itself."""
        if self._protocol is not None:
            self._protocol.transport.close_session()
        self._protocol = self._shell = None


def _knows_no_shell(error: WSManFaultError) -> bool:
    """The shell is named by a selector, and one that names nothing is an invalid selector."""
    return error.wsman_fault_code == 0x8033805B or str(error.fault_subcode).endswith("InvalidSelectors")


def _signed(code: int) -> int:
    code &= 0xFFFFFFFF
    return code - 0x1_0000_0000 if code & 0x8000_0000 else code
