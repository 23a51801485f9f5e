"""A stand-in for reg.exe on lab hosts, whose Wine has one without REG_QWORD; all else is handed on to Wine's own.

It takes several times as long as Wine's, and a look calls reg a dozen times: it is put on a host on request only.

Source: learn.microsoft.com/windows-server/administration/windows-commands/reg-add and …/reg-query
"""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise

_WINES_OWN = r"C:\windows\system32\wine-reg.exe"
_ROOTS = ("HKEY_LOCAL_MACHINE", "HKLM")
_KEY = re.compile(r"HKEY_LOCAL_MACHINE\\(?P<path>.+)")
_VALUE = re.compile(r" {4}(?P<name>.+?) {4}REG_QWORD {4}.*")
_LARGEST = 0xFFFFFFFFFFFFFFFF


def main(words: list[str]) -> int:
    """Do as reg does and return its exit code."""
    options = [word.lower() for word in words]
    if options[:1] == ["add"] and "reg_qword" in options:
        return _add(words)
    done = subprocess.run([_WINES_OWN, *words], stdout=subprocess.PIPE, check=False)
    sys.stdout.buffer.write(_mended(done.stdout) if options[:1] == ["query"] else done.stdout)
    return done.returncode


def _add(words: list[str]) -> int:
    given = {option.lower(): value for option, value in pairwise(words)}
    root, _, path = words[1].partition("\\")
    number = _number(given.get("/d", "0"))
    if root.upper() not in _ROOTS or number is None or "/f" not in [word.lower() for word in words]:
        print("ERROR: this stand-in of the lab sets a number of 64 bits below HKLM, with /f.", file=sys.stderr)
        return 1
    _set(path, given.get("/v", ""), number)
    print("The operation completed successfully.\n")
    return 0


def _number(text: str) -> int | None:
    try:
        number = int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        return None
    return number if 0 <= number <= _LARGEST else None


def _mended(told: bytes) -> bytes:
    """Return what Wine's own reg told, with the numbers of 64 bits that it does not tell."""
    key, lines = "", []
    for line in told.decode("utf-8", "surrogateescape").splitlines(keepends=True):
        if found := _KEY.fullmatch(line.rstrip()):
            key = found["path"]
        value = _VALUE.fullmatch(line.rstrip())
        lines.append(f"    {value['name']}    REG_QWORD    0x{_get(key, value['name']):x}\r\n" if value else line)
    return "".join(lines).encode("utf-8", "surrogateescape")


def _set(path: str, name: str, number: int) -> None:
    if sys.platform == "win32":
        import winreg

        with winreg.CreateKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            winreg.SetValueEx(key, name, 0, winreg.REG_QWORD, number)
        return
    raise OSError("the registry is a thing of Windows")


def _get(path: str, name: str) -> int:
    if sys.platform == "win32":
        import winreg

        with winreg.OpenKey(winreg.HKEY_LOCAL_MACHINE, path) as key:
            return int(winreg.QueryValueEx(key, "" if name == "(Default)" else name)[0])
    raise OSError("the registry is a thing of Windows")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
