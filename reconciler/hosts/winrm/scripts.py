"""Spells out a call as a batch file that a host runs by itself: claim, do, keep the result. Pure: runs nothing.

``alive``: a file that is held open from before the run is claimed to its end, so that one which is claimed and not
alive is over, however slow the host. ``claim``: the folder that whoever makes it first decides by whether the run
happens. ``killed``: made before the run is ended by force; what its command then returns is no result. ``result``:
the exit code on the first line and words after it, there from one moment to the next. ``install.log``: the log.

Source: learn.microsoft.com/windows-server/administration/windows-commands/ (cmd, reg add, sc config, taskkill)
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable

from reconciler.agent.machine import MachineError
from reconciler.kernel.calls import STOPPED, Call, CallKind
from reconciler.kernel.configuration import (
    PlacedFile,
    RegistryType,
    RegistryValue,
    ServiceSetup,
    ServiceState,
    Setting,
    StartMode,
)

SCRIPT, CLAIM, ALIVE, KILLED, RESULT, LOG = "run.cmd", "claim", "alive", "killed", "result", "install.log"

_MSIEXEC = r'"%SystemRoot%\System32\msiexec.exe"'
_HEAD = f"""@echo off
cd /d "%~dp0"
call :work >{ALIVE} 2>&1
exit /b

:work
mkdir {CLAIM}
if errorlevel 1 exit /b
chcp 65001 >nul
set CODE=0
set WORDS=
"""
# The code stands away from the redirection: "echo 1>file" would be a redirection of the error output.
_TAIL = f"""
if exist {KILLED} exit /b
>{RESULT}.new echo %CODE%
if defined WORDS >>{RESULT}.new echo %WORDS%
move /y {RESULT}.new {RESULT} >nul
exit /b

:stop
sc query %1 >nul
if errorlevel 1 exit /b 0
sc query %1 | find "STOPPED" >nul
if not errorlevel 1 exit /b 0
net stop %1
if defined GROUP set "GROUP=; %GROUP%"
set "GROUP=%~1%GROUP%"
sc query %1 | find "STOPPED" >nul
if errorlevel 1 set CODE=1
exit /b 0
"""
_OWN_IMAGES = frozenset(
    f"{name}.exe"
    for name in ("cmd", "conhost", "taskkill", "taskeng", "svchost", "services", "wininit", "winlogon", "csrss")
)
"""What a run descends from or lives by: cmd and its console, the task scheduler, and what started that."""

_DEPENDENTS_BYTES = 65536
LAST_LINE = "===last-line"
"""Stands for the words of a result where they are the last line of the log."""

_START_MODES = {StartMode.AUTOMATIC: "auto", StartMode.MANUAL: "demand", StartMode.DISABLED: "disabled"}
_LINE = 1000
_NO_SUCH_SERVICE = 1060  # ERROR_SERVICE_DOES_NOT_EXIST


def script_of(call: Call, log: str) -> str:
    """Return the batch file that carries ``call`` out.

    Args:
        call: what to run.
        log: the full path of the log on the host.
    """
    return (_HEAD + "\n".join(_work(call, log)) + _TAIL).replace("\n", "\r\n")


def _work(call: Call, log: str) -> Iterable[str]:
    logged = f'/qn /norestart /L*V "{_plain(log)}"'
    subject, properties = _plain(call.subject), _plain(call.properties)
    match call.kind:
        case CallKind.INSTALL:
            return _counted(f'{_MSIEXEC} /i "{subject}" {logged} {properties}')
        case CallKind.PATCH:
            return _counted(f'{_MSIEXEC} /p "{subject}" {logged} {properties}')
        case CallKind.REMOVE:
            # /x removes all of it by itself, and takes REMOVE for a contradiction.
            return _counted(f"{_MSIEXEC} /x {subject} {logged} REBOOT=ReallySuppress")
        case CallKind.UNPATCH:
            return _counted(f"{_MSIEXEC} /i {call.product_code} MSIPATCHREMOVE={subject} {logged} {properties}")
        case CallKind.COMMAND:
            return _command(subject, log)
        case CallKind.CONFIGURE:
            return _configure(call)
        case CallKind.STOP:
            return _stop(call.services, call.processes)
        case CallKind.START:
            return [line for name in call.services for line in _start(name)]


def _plain(text: str) -> str:
    """Return ``text`` so that a batch file takes its percent signs for what they are."""
    return text.replace("%", "%%")


def _counted(command: str) -> list[str]:
    return [command, "set CODE=%errorlevel%"]


def _command(subject: str, log: str) -> list[str]:
    """Run a command line in a batch file of its own: it may be one itself, or end the one it is in."""
    name = "command.cmd"
    encoded = f"@echo off\r\nchcp 65001 >nul\r\n{subject}\r\n".encode()
    ran = _counted(f'cmd /d /c {name} >"{_plain(log)}" 2>&1')
    return [*_write(name, encoded), *ran, f"set WORDS={LAST_LINE}"]


def _configure(call: Call) -> list[str]:
    paths = dict(call.files)
    lines: list[str] = []
    for setting in call.settings:
        lines += _set(setting, paths)
    for setting in call.leftovers:
        lines += _delete(setting)
    return lines


def _set(setting: Setting, paths: dict[str, str]) -> list[str]:
    match setting:
        case RegistryValue():
            data = setting.data.replace("\n", r"\0") if setting.type is RegistryType.MULTI_SZ else setting.data
            value = f"{_name(setting)} /t {setting.type} /d {_argument(data)}"
            return _checked(f"reg add {_argument(setting.key)} {value} /f /reg:64", setting)
        case PlacedFile():
            folder = _plain(setting.path.rpartition("\\")[0])
            made = [f'if not exist "{folder}" mkdir "{folder}"']
            target = _plain(setting.path)
            if setting.artifact is not None:
                source = _plain(paths[setting.artifact.sha256])
                return [*made, *_checked(f'copy /y /b "{source}" "{target}"', setting)]
            content = (setting.text or "").encode()
            if not content:
                return [*made, *_checked(f'copy /y nul "{target}"', setting)]
            return [*made, *_write("placed", content), *_checked(f'copy /y /b placed "{target}"', setting)]
        case ServiceSetup():
            return _set_up(setting)


def _set_up(setting: ServiceSetup) -> list[str]:
    key = _argument(rf"HKLM\SYSTEM\CurrentControlSet\Services\{setting.name}")
    lines = []
    if setting.start is not None:
        lines += _checked(f"sc config {_argument(setting.name)} start= {_START_MODES[setting.start]}", setting)
    if setting.state is not None:
        lines += _service_to(setting.state, setting.name)
    missing = f"reg query {key} >nul"
    return [
        *lines,
        *(missing, f'if errorlevel 1 set "WORDS={_safe(setting)}: there is no such service"'),
        *(missing, f"if errorlevel 1 set CODE={_NO_SUCH_SERVICE}"),
    ]


def _delete(setting: Setting) -> list[str]:
    match setting:
        case RegistryValue():
            key, name = _argument(setting.key), _name(setting)
            there = f"reg query {key} {name} /reg:64 >nul"
            if not setting.name:  # asked for by itself, one that is not set is answered with words
                there = f'reg query {key} /reg:64 | find "    (" >nul'
            return [
                *(there, f"if not errorlevel 1 reg delete {key} {name} /f /reg:64"),
                *(there, "if not errorlevel 1 set CODE=1"),
                *(there, f'if not errorlevel 1 set "WORDS={_safe(setting)} could not be deleted"'),
            ]
        case PlacedFile():
            target = _plain(setting.path)
            words = f'if exist "{target}" set "WORDS={_safe(setting)} could not be deleted"'
            return [f'if exist "{target}" del /f /q "{target}"', f'if exist "{target}" set CODE=1', words]
        case ServiceSetup():
            return []


def _name(value: RegistryValue) -> str:
    return f"/v {_argument(value.name)}" if value.name else "/ve"


def _stop(services: tuple[str, ...], processes: tuple[str, ...]) -> list[str]:
    """Stop services, each after those that depend on it, and tell which ran or were paused, in the order to start
    them again in.

    Then end processes; one that is not there is no fault.

    Raises:
        MachineError: the run itself would be ended by that.
    """
    own = [image for image in processes if image.lower() in _OWN_IMAGES]
    if own:
        raise MachineError(
            f"{', '.join(own)} cannot be ended by a run: the run itself would end with it",
            hint="take it out of the package's stop.processes, or keep this host by an agent",
        )
    lines = [f'set "WORDS={STOPPED}"', "set SEPARATOR="]
    for service in services:
        name = _plain(service)
        lines += [
            "set GROUP=",
            f'sc enumdepend "{name}" {_DEPENDENTS_BYTES} >dependents',
            'for /f "tokens=1*" %%A in (dependents) do if "%%A"=="SERVICE_NAME:" call :stop "%%B"',
            f'call :stop "{_plain(name)}"',  # `call` takes percent signs a second time
            'if defined GROUP set "WORDS=%WORDS%%SEPARATOR%%GROUP%"',
            'if defined GROUP set "SEPARATOR=; "',
        ]
    return lines + [f'taskkill /F /IM "{_plain(image)}"' for image in processes]


def _start(service: str) -> list[str]:
    """Start a service, but none that is disabled or has gone with its product."""
    name = _plain(service)
    return [
        "set WANTED=1",
        f'sc query "{name}" >nul',
        "if errorlevel 1 set WANTED=",
        f'reg query "HKLM\\SYSTEM\\CurrentControlSet\\Services\\{name}" /v Start | find "0x4" >nul',
        "if not errorlevel 1 set WANTED=",
        f'if defined WANTED net start "{name}"',
        f'sc query "{name}" | find "RUNNING" >nul',
        f'if errorlevel 1 if defined WANTED set "WORDS=the service {name} does not run"',
        f'sc query "{name}" | find "RUNNING" >nul',
        "if errorlevel 1 if defined WANTED set CODE=1",
    ]


def _service_to(state: ServiceState, service: str) -> list[str]:
    """Start or stop a service. What it then is counts, not what `net` says, which fails where it was so before."""
    name = _plain(service)
    # As by an agent, what depends on a service that is to be stopped is stopped with it, and stays so.
    verb = f'net start "{name}"' if state is ServiceState.RUNNING else f'net stop "{name}" /y'
    asked = f'sc query "{name}" | find "{state.upper()}" >nul'
    told = f'if errorlevel 1 set "WORDS=the service {name} is not {state}"'
    return [verb, asked, told, asked, "if errorlevel 1 set CODE=1"]


def _checked(command: str, what: Setting) -> list[str]:
    return [command, "if errorlevel 1 set CODE=1", f'if errorlevel 1 set "WORDS={_safe(what)} could not be set"']


def _argument(text: str) -> str:
    r"""Quote ``text`` as programs of Windows take their arguments apart, and so that cmd hands it on unchanged.

    Raises:
        MachineError: it holds a control character, for which a command line has no place.

    Source: learn.microsoft.com/cpp/c-language/parsing-c-command-line-arguments
    """
    if any(ord(character) < 32 for character in text):
        raise MachineError(
            f"{text[:60]!r} cannot be set by a command: it holds a control character",
            hint="write it on one line, or keep this host by an agent",
        )
    quoted = re.sub(r'(\\*)"', r'\1\1\\"', text)
    quoted = '"' + re.sub(r"(\\+)$", r"\1\1", quoted) + '"'
    out, inside = [], False
    for character in _plain(quoted):
        inside ^= character == '"'
        out.append(f"^{character}" if not inside and character in "&|<>()^" else character)
    return "".join(out)


def _safe(what: object) -> str:
    """Return what a setting is called without the characters that mean something to cmd."""
    return re.sub(r"[^\w \\:.,/-]", "?", str(what))


def _write(name: str, content: bytes) -> list[str]:
    encoded = base64.b64encode(content).decode("ascii")
    lines = [encoded[i : i + _LINE] for i in range(0, len(encoded), _LINE)]
    return [
        f"if exist {name}.b64 del /f /q {name}.b64",
        *(f">>{name}.b64 echo {line}" for line in lines),
        f"certutil -f -decode {name}.b64 {name} >nul",
    ]
