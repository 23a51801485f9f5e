"""Runs as batch files: what a host carries out by itself, spelt so that cmd changes nothing of it."""

from __future__ import annotations

import base64
from xml.etree import ElementTree

import pytest

from reconciler.agent.machine import MachineError
from reconciler.hosts.winrm.connection import LONGEST_COMMAND
from reconciler.hosts.winrm.scripts import script_of
from reconciler.hosts.winrm.tasks import task_definition
from reconciler.hosts.winrm.uploads import packed, upload_commands
from reconciler.kernel.calls import Call, CallKind
from reconciler.kernel.configuration import (
    PlacedFile,
    RegistryType,
    RegistryValue,
    ServiceSetup,
    ServiceState,
    StartMode,
)

LOG = r"C:\Program Files\Reconciler Push\runs\a-1\install.log"
MSIEXEC = r'"%SystemRoot%\System32\msiexec.exe"'


def lines_of(call: Call) -> list[str]:
    return script_of(call, LOG).split("\r\n")


def test_a_run_is_claimed_before_anything_else_happens_and_alive_before_it_is_claimed() -> None:
    lines = [line for line in lines_of(Call(CallKind.REMOVE, "{11111111-1111-1111-1111-111111111111}")) if line]
    assert lines[:4] == ["@echo off", 'cd /d "%~dp0"', "call :work >alive 2>&1", "exit /b"]
    assert lines[4:7] == [":work", "mkdir claim", "if errorlevel 1 exit /b"]


def test_the_result_comes_to_be_whole_and_last() -> None:
    lines = [line for line in lines_of(Call(CallKind.COMMAND, "x")) if line]
    end = lines.index(":stop")
    assert lines[end - 5 : end] == [
        "if exist killed exit /b",
        ">result.new echo %CODE%",
        "if defined WORDS >>result.new echo %WORDS%",
        "move /y result.new result >nul",
        "exit /b",
    ]


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (
            Call(CallKind.INSTALL, r"C:\a b\x.msi", 'ALLUSERS=1 NOTE="50% ""off"""'),
            rf'{MSIEXEC} /i "C:\a b\x.msi" /qn /norestart /L*V "{LOG}" ALLUSERS=1 NOTE="50%% ""off"""',
        ),
        (
            Call(CallKind.REMOVE, "{CODE}", "REMOVE=ALL REBOOT=ReallySuppress"),
            rf'{MSIEXEC} /x {{CODE}} /qn /norestart /L*V "{LOG}" REBOOT=ReallySuppress',
        ),
        (
            Call(CallKind.PATCH, r"C:\x.msp", "REINSTALL=ALL"),
            rf'{MSIEXEC} /p "C:\x.msp" /qn /norestart /L*V "{LOG}" REINSTALL=ALL',
        ),
        (
            Call(CallKind.UNPATCH, "{PATCH}", "REBOOT=ReallySuppress", "{CODE}"),
            rf'{MSIEXEC} /i {{CODE}} MSIPATCHREMOVE={{PATCH}} /qn /norestart /L*V "{LOG}" REBOOT=ReallySuppress',
        ),
    ],
)
def test_the_installer_is_called_with_its_exit_code_kept(call: Call, line: str) -> None:
    lines = lines_of(call)
    assert lines[lines.index(line) + 1] == "set CODE=%errorlevel%"


def test_a_command_runs_in_a_batch_file_of_its_own() -> None:
    lines = lines_of(Call(CallKind.COMMAND, r'"C:\x y\setup.exe" /S & echo 100%'))
    encoded = next(line for line in lines if line.startswith(">>command.cmd.b64 echo ")).split()[-1]
    assert base64.b64decode(encoded).decode().splitlines()[-1] == r'"C:\x y\setup.exe" /S & echo 100%%'
    assert f'cmd /d /c command.cmd >"{LOG}" 2>&1' in lines


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", '"plain"'),
        ("50%", '"50%%"'),
        ('a "b" c', r'"a \"b\" c"'),
        ('a "b & c" d', r'"a \"b ^& c\" d"'),
        ("ends\\", '"ends\\\\"'),
        (r"C:\x\y", r'"C:\x\y"'),
    ],
)
def test_a_value_reaches_the_registry_as_it_is(text: str, written: str) -> None:
    value = RegistryValue(r"HKLM\SOFTWARE\Contoso", "Name", RegistryType.SZ, text)
    key = r'"HKLM\SOFTWARE\Contoso"'
    line = f'reg add {key} /v "Name" /t REG_SZ /d {written} /f /reg:64'
    assert line in lines_of(Call(CallKind.CONFIGURE, settings=(value,)))


def test_a_value_that_no_command_line_can_hold_is_refused() -> None:
    value = RegistryValue(r"HKLM\SOFTWARE\Contoso", "Name", RegistryType.SZ, "two\nlines")
    with pytest.raises(MachineError, match="control character"):
        script_of(Call(CallKind.CONFIGURE, settings=(value,)), LOG)


def test_settings_are_set_and_leftovers_deleted() -> None:
    many = RegistryValue(r"HKLM\S", "", RegistryType.MULTI_SZ, "one\ntwo")
    service = ServiceSetup("Spooler", StartMode.DISABLED)
    left = PlacedFile(r"C:\old.ini", "0" * 64, "old")
    lines = lines_of(Call(CallKind.CONFIGURE, settings=(many, service), leftovers=(left,)))
    assert r'reg add "HKLM\S" /ve /t REG_MULTI_SZ /d "one\0two" /f /reg:64' in lines
    assert 'sc config "Spooler" start= disabled' in lines
    assert r'if exist "C:\old.ini" del /f /q "C:\old.ini"' in lines


@pytest.mark.parametrize(("state", "verb"), [("running", 'net start "X"'), ("stopped", 'net stop "X" /y')])
def test_a_service_is_what_it_was_told_to_be_or_the_run_fails(state: str, verb: str) -> None:
    lines = lines_of(Call(CallKind.CONFIGURE, settings=(ServiceSetup("X", None, ServiceState(state)),)))
    after = lines[lines.index(verb) + 1 :]
    assert after[0] == f'sc query "X" | find "{state.upper()}" >nul'
    assert after[1] == f'if errorlevel 1 set "WORDS=the service X is not {state}"'
    assert after[3] == "if errorlevel 1 set CODE=1"


def test_only_services_that_ran_are_told_as_stopped() -> None:
    lines = lines_of(Call(CallKind.STOP, services=("Spooler",), processes=("tray.exe",)))
    stop = lines[lines.index(":stop") :]
    assert stop[1:3] == ["sc query %1 >nul", "if errorlevel 1 exit /b 0"], "there is none"
    # What is neither is asked to stop: one that is paused ran too.
    assert stop[3:6] == ['sc query %1 | find "STOPPED" >nul', "if not errorlevel 1 exit /b 0", "net stop %1"]
    assert 'set "WORDS=stopped: "' in lines
    assert 'set "GROUP=%~1%GROUP%"' in stop
    assert 'taskkill /F /IM "tray.exe"' in lines  # and not what it has started


def test_services_that_depend_on_one_are_stopped_before_it() -> None:
    lines = lines_of(Call(CallKind.STOP, services=("Spooler",)))
    dependents = lines.index('sc enumdepend "Spooler" 65536 >dependents')
    assert lines[dependents + 1].endswith('if "%%A"=="SERVICE_NAME:" call :stop "%%B"')
    assert lines[dependents + 2] == 'call :stop "Spooler"'


@pytest.mark.parametrize("image", ["cmd.exe", "SvcHost.EXE", "services.exe", "conhost.exe"])
def test_a_run_never_ends_what_it_lives_by(image: str) -> None:
    with pytest.raises(MachineError, match="the run itself would end"):
        script_of(Call(CallKind.STOP, processes=("tray.exe", image)), LOG)


def test_a_service_that_is_gone_or_disabled_is_not_started() -> None:
    lines = lines_of(Call(CallKind.START, services=("Spooler",)))
    start = lines.index('if defined WANTED net start "Spooler"')
    assert [line for line in lines[:start] if line.endswith("set WANTED=")] == [
        "if errorlevel 1 set WANTED=",
        "if not errorlevel 1 set WANTED=",
    ]
    assert "if errorlevel 1 if defined WANTED set CODE=1" in lines


def test_a_task_runs_on_battery_too_and_is_ended_by_windows_in_the_end() -> None:
    task = ElementTree.fromstring(task_definition(r"C:\Program Files\R & D\run.cmd", 3600))
    told = {element.tag.rpartition("}")[2]: element.text for element in task.iter()}
    assert told["DisallowStartIfOnBatteries"] == told["StopIfGoingOnBatteries"] == "false"
    assert told["ExecutionTimeLimit"] == "PT4500S"
    assert told["UserId"] == "S-1-5-18"
    assert told["Arguments"] == r'/d /c ""C:\Program Files\R & D\run.cmd""'


def test_a_file_of_any_size_goes_through_command_lines_that_windows_takes() -> None:
    content = bytes(range(256)) * 200
    commands = upload_commands(r"C:\Program Files\x\run.cmd", content)
    joined = packed(commands)
    assert len(joined) < len(commands)
    assert all(len(command) <= LONGEST_COMMAND for command in joined)
    pieces = [piece for command in joined for piece in command.split(" & ") if piece.startswith(">>")]
    assert base64.b64decode("".join(piece.split()[-1] for piece in pieces)) == content
