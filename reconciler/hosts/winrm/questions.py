"""Asks a host what probes want to know, within the command of the look, and reads the answers. Pure: runs nothing.

A probe that is a command line is no part of it: it may take its time, and is run by itself.

Source: learn.microsoft.com/windows-server/administration/windows-commands/ (sc, reg query, certutil, netstat)
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence

from reconciler.hosts.winrm.numbers import whole_number
from reconciler.kernel.probes import ABSENT, FAILED, Answer, Probe, ProbeKind

_MARK = "===probe "
_END = "===asked"
_ASKED = "===had"
_STATES = {
    "RUNNING": "running",
    "STOPPED": "stopped",
    "START_PENDING": "starting",
    "STOP_PENDING": "stopping",
    "PAUSED": "paused",
    "PAUSE_PENDING": "pausing",
    "CONTINUE_PENDING": "resuming",
}
_MODES = {"0x0": "boot", "0x1": "system", "0x2": "automatic", "0x3": "manual", "0x4": "disabled"}
_NO_FILE = (0x80070002, 0x80070003)
"""What certutil returns where there is no such file, or no such folder."""

_HASH = re.compile(r"[0-9a-f]{64}")
_HEXADECIMAL = re.compile(r"0x[0-9A-Fa-f]{1,16}")
_VALUE = re.compile(r" {4}.+? {4}(?P<type>REG_[A-Z_]+)(?: {4}(?P<data>.*))?")
_DEFAULT = re.compile(r" {4}\([^()]+\) {4}(?P<type>REG_[A-Z_]+)(?: {4}(?P<data>.*))?")
"""The default value, whose name Windows writes in its own language."""

_LISTENING = re.compile(r"\s*TCP\s+\S+:(?P<port>[0-9]+)\s+(?:0\.0\.0\.0|\[::\]|\S+):0\s+\S+.*")


class Questions:
    """The probes of one look but the commands. What cmd cannot be asked is answered with `FAILED`."""

    def __init__(self, probes: Sequence[Probe]) -> None:
        self._probes = tuple(probe for probe in probes if probe.kind is not ProbeKind.COMMAND)

    def commands(self) -> list[str]:
        """Return the commands that ask, one after another; none where there is nothing to ask."""
        if not self._probes:
            return []
        asked = [
            f"echo {_MARK}{number}& {_question(probe)}"
            for number, probe in enumerate(self._probes)
            if '"' not in probe.subject + probe.name
        ]
        return [*asked, f"echo {_END}"]

    def answers(self, text: str) -> tuple[Answer, ...]:
        """Return the answers, one for each probe.

        What cannot be understood is answered with `FAILED`, and so is everything where the end is missing: a tool
        that said nothing has not run, and says not that something is absent.

        Args:
            text: what the commands wrote.
        """
        parts: dict[int, list[str]] = {}
        lines: list[str] = []
        for line in text.splitlines():
            if line.startswith(_MARK):
                number = whole_number(line.removeprefix(_MARK))
                lines = parts.setdefault(number, []) if number is not None else []
            elif line.startswith(_END):
                lines = []
            else:
                lines.append(line.rstrip())
        whole = any(line.startswith(_END) for line in text.splitlines())
        return tuple(
            Answer(probe.key, _answer(probe, parts[number]) if whole and any(parts.get(number, ())) else FAILED)
            for number, probe in enumerate(self._probes)
        )


def _question(probe: Probe) -> str:
    subject = probe.subject
    match probe.kind:
        case ProbeKind.SERVICE:
            key = rf"HKLM\SYSTEM\CurrentControlSet\Services\{subject}"
            return f'sc query "{subject}" & reg query "{key}" /v Start /reg:64 2>&1'
        case ProbeKind.FILE_HASH:
            return f'certutil -hashfile "{subject}" SHA256'
        case ProbeKind.FILE_VERSION:
            # Nothing but PowerShell tells the version of a file by a command.
            script = (
                f"$p = '{subject.replace(chr(39), 2 * chr(39))}'; "
                "if (-not (Test-Path -LiteralPath $p)) { 'absent' } "
                "else { $v = (Get-Item -LiteralPath $p -Force).VersionInfo; if ($v.FileVersion) "
                "{ 'version ' + $v.FileVersionRaw } else { 'version none' } }"
            )
            encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
            return f"powershell -NoProfile -NonInteractive -EncodedCommand {encoded} 2>nul"
        case ProbeKind.REGISTRY:
            # Asked for by itself, a default value that is not set is answered with words.
            name = f'/v "{probe.name}" ' if probe.name else ""
            return f'reg query "{subject}" {name}/reg:64 2>&1 && echo {_ASKED}'  # a key may be empty
        case ProbeKind.PORT:
            return "netstat -a -n -p TCP & netstat -a -n -p TCPv6"
        case ProbeKind.HTTP:
            return f'curl -s -o nul -m {probe.seconds:.0f} -w "%{{http_code}}" "{subject}" & echo.'
        case ProbeKind.COMMAND:
            raise AssertionError("a command is run by itself")


def _answer(probe: Probe, lines: list[str]) -> str:
    text = "\n".join(lines)
    match probe.kind:
        case ProbeKind.SERVICE:
            return _service(text)
        case ProbeKind.FILE_HASH:
            # Windows 8 writes the hash with blanks between the bytes.
            missing = any(f"0x{code:08x}" in text.lower() for code in _NO_FILE)
            found = next((squeezed for line in lines if _HASH.fullmatch(squeezed := _squeeze(line))), FAILED)
            return ABSENT if missing else found
        case ProbeKind.FILE_VERSION:
            if ABSENT in lines:
                return ABSENT
            return next((line[8:].strip() for line in lines if line.startswith("version ")), FAILED)
        case ProbeKind.REGISTRY:
            shape = _VALUE if probe.name else _DEFAULT
            return next((_data(match) for line in lines if (match := shape.fullmatch(line))), ABSENT)
        case ProbeKind.PORT:
            return _port(probe, lines)
        case ProbeKind.HTTP:
            status = text.strip()
            if re.fullmatch("[0-9]{3}", status) is None:
                return FAILED
            return "unreachable" if status == "000" else status
        case ProbeKind.COMMAND:
            raise AssertionError("a command is run by itself")


def _service(text: str) -> str:
    state = next((_STATES[word] for word in text.split() if word in _STATES), None)
    start = re.search(r"REG_DWORD +(0x[0-9a-f]+)", text)
    if start is None:
        return ABSENT if state is None else FAILED
    mode = _MODES.get(start[1])
    return f"{state} {mode}" if state is not None and mode is not None else FAILED


def _port(probe: Probe, lines: list[str]) -> str:
    listening = {match["port"] for line in lines if (match := _LISTENING.fullmatch(line))}
    if not any("TCP" in line for line in lines):
        return FAILED
    return "open" if probe.subject in listening else "closed"


def _data(match: re.Match[str]) -> str:
    kind, data = match["type"], match["data"] or ""
    if kind in ("REG_DWORD", "REG_QWORD") and _HEXADECIMAL.fullmatch(data):
        return f"{kind}:{int(data, 16)}"
    if kind == "REG_MULTI_SZ":
        data = "\n".join(data.split(r"\0"))
    return f"{kind}:{data}"


def _squeeze(line: str) -> str:
    return line.replace(" ", "").lower()
