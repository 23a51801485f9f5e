"""What is put on a host is never readable by its users: the folder is closed before anything lies in it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import cast

import pytest

from reconciler.agent.machine import MachineError, Run
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.connection import COMMAND_SECONDS, Connection, Finished
from reconciler.hosts.winrm.machine import WinRMMachine
from reconciler.kernel.calls import Call, CallKind

ROOT = r"%ProgramFiles%\Reconciler Push"
SECRET = "hunter2hunter2"


@dataclass
class Host:
    """Stands for a connection: says where program files are if the folder could be closed."""

    closes: bool = True
    asked: list[str] = field(default_factory=list)
    shells: int = 1

    def run(self, command: str, _seconds: float = COMMAND_SECONDS, *, repeatable: bool = False) -> Finished:
        self.asked.append(command)
        if "icacls" in command and self.closes:
            return Finished(0, b"C:\\Program Files\r\n", b"")
        if "icacls" in command:
            return Finished(5, b"", b"Access is denied.")
        return Finished(0, b"", b"")


def start(host: Host) -> None:
    call = Call(CallKind.INSTALL, r"C:\app.msi", properties=f"PASSWORD={SECRET}", seconds=60)
    WinRMMachine(Commands("PROD-07", cast(Connection, host))).start(Run("a-1", call))


def test_the_folder_is_closed_before_anything_is_put_there() -> None:
    host = Host()
    start(host)
    first, *others = host.asked
    made, closed = first.split(" & ", 1)
    assert made == f'mkdir "{ROOT}" 2>nul'
    assert closed.startswith(f'icacls "{ROOT}" /inheritance:r /grant:r ')
    # Only what comes after && depends on the success of icacls.
    assert closed.endswith("/q >nul && echo %ProgramFiles%")
    assert any("Reconciler Push\\runs" in command for command in others)
    assert not any("icacls" in command for command in others)


def test_only_system_and_administrators_are_let_in() -> None:
    host = Host()
    start(host)
    granted = re.findall(r'"(\*S-[\d-]+):(\([^"]*)"', host.asked[0])
    assert granted == [("*S-1-5-18", "(OI)(CI)F"), ("*S-1-5-32-544", "(OI)(CI)F")]


def test_nothing_is_put_into_a_folder_that_cannot_be_closed() -> None:
    host = Host(closes=False)
    with pytest.raises(MachineError, match="cannot be closed to other users: Access is denied"):
        start(host)
    assert len(host.asked) == 1
