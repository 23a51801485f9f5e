"""A stand-in for powershell.exe on lab hosts, whose Wine has an empty one. It is no PowerShell.

It knows the very scripts that a push sends, as texts, and refuses every other: the version of a file
(``VersionInfo``), who signed a file (``Get-AuthenticodeSignature``), and ending the processes whose command lines
are like something (``Get-CimInstance Win32_Process``). What it answers it finds out from Windows.

Source: learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_powershell_exe
"""

from __future__ import annotations

import base64
import binascii
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from reconciler.lab.winrm.stand_ins.file_versions import file_version
from reconciler.lab.winrm.stand_ins.windows_processes import command_line, processes

_SWITCHES = ("-noprofile", "-noninteractive", "-nologo")
_PATH = "'(?P<path>(?:[^']|'')+)'"
_VERSION = re.compile(
    rf"\$p = {_PATH}; if \(-not \(Test-Path -LiteralPath \$p\)\) \{{ 'absent' \}} "
    r"else \{ \$v = \(Get-Item -LiteralPath \$p -Force\)\.VersionInfo; if \(\$v\.FileVersion\) "
    r"\{ 'version ' \+ \$v\.FileVersionRaw \} else \{ 'version none' \} \}"
)
_SIGNER = re.compile(
    rf"\$s = Get-AuthenticodeSignature -LiteralPath {_PATH}; "
    r"'(?P<status>[^']+)' \+ \[int\]\$s\.Status; if \(\$s\.SignerCertificate\) \{ "
    r"\$n = \$s\.SignerCertificate\.SubjectName\.Decode\('UseNewLines, DoNotUseQuotes, DoNotUsePlusSign'\); "
    r"'(?P<subject>[^']+)' \+ \[Convert\]::ToBase64String\(\[Text\.Encoding\]::UTF8\.GetBytes\(\$n\)\) \}"
)
_ENDING = re.compile(
    r"Get-CimInstance Win32_Process -Filter \"CommandLine LIKE '(?P<like>[^'\[\]]+)'\" \| "
    r"Where-Object ProcessId -ne \$PID \| ForEach-Object \{ taskkill /F /T /PID \$_\.ProcessId \}"
)

_STATUS = {0: 0, 0x80090008: 6, 0x800B0100: 2, 0x80096010: 3, 0x8009200D: 3, 0x800B0001: 5, 0x800B0111: 4}
"""The members of SignatureStatus by what WinVerifyTrust says; any other is UnknownError.

Source: github.com/PowerShell/PowerShell, src/System.Management.Automation/security/MshSignature.cs
"""
_UNKNOWN_ERROR = 1


def main(words: list[str]) -> int:
    """Do as powershell does with a script that is known, and return its exit code."""
    script = _script(words)
    known: tuple[tuple[re.Pattern[str], Callable[[re.Match[str]], int]], ...] = (
        (_VERSION, _version),
        (_SIGNER, _signer),
        (_ENDING, _end),
    )
    for pattern, action in known:
        if match := pattern.fullmatch(script or ""):
            return action(match)
    print("this stand-in of the lab is no PowerShell: it knows a few scripts, and not this one.", file=sys.stderr)
    return 1


def _script(words: list[str]) -> str | None:
    """Return the script that the command line holds; `None` where it cannot be found."""
    rest = [word for word in words if word.lower() not in _SWITCHES]
    option = rest[0].lower() if rest else ""
    if option == "-encodedcommand" and len(rest) == 2:
        try:
            return base64.b64decode(rest[1], validate=True).decode("utf-16-le")
        except (binascii.Error, UnicodeDecodeError):
            return None
    return " ".join(rest[1:]) if option == "-command" else None


def _version(asked: re.Match[str]) -> int:
    path = Path(_path(asked))
    if not path.exists():
        print("absent")
    else:
        print(f"version {(file_version(str(path)) if path.is_file() else None) or 'none'}")
    return 0


def _signer(asked: re.Match[str]) -> int:
    """Tell what WinVerifyTrust says, asked as the agent asks it, and the signer's CN and O, no other attributes.

    Of an MSI, Wine's says that a signature holds whatever was changed.
    """
    path = _path(asked)
    if not Path(path).is_file():
        print(f"Get-AuthenticodeSignature : File {path} was not found.", file=sys.stderr)
        print(f"{asked['status']}0")  # nothing at all, made a number
        return 0
    code, attributes = _verify(path)
    print(f"{asked['status']}{_STATUS.get(code, _UNKNOWN_ERROR)}")
    if attributes is not None:
        named = "\r\n".join(f"{key}={value}" for key, value in attributes)
        print(asked["subject"] + base64.b64encode(named.encode()).decode("ascii"))
    return 0


def _verify(path: str) -> tuple[int, tuple[tuple[str, str], ...] | None]:
    if sys.platform == "win32":
        from reconciler.agent.windows.wintrust import verify

        code, subject = verify(path)
        return code, None if subject is None else subject.attributes
    raise OSError("signatures are checked by Windows")


def _path(asked: re.Match[str]) -> str:
    return asked["path"].replace("''", "'")


def _end(asked: re.Match[str]) -> int:
    """End processes by `taskkill`, whose output and exit code are handed on as PowerShell does.

    Source of LIKE: learn.microsoft.com/windows/win32/wmisdk/like-operator
    """
    shape = re.escape(asked["like"]).replace("%", ".*").replace("_", ".")
    like = re.compile(shape, re.IGNORECASE | re.DOTALL)
    found = [one.pid for one in processes() if one.pid != os.getpid() and like.fullmatch(command_line(one.pid))]
    codes = [subprocess.run(["taskkill", "/F", "/T", "/PID", str(pid)], check=False).returncode for pid in found]
    return 1 if any(codes[-1:]) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
