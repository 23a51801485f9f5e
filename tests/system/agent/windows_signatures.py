"""Runs on a lab host: what its own WinVerifyTrust says of files, and what the agent makes of injected answers.

Copied to the host and run there by test_signatures.py. Prints JSON: ``seen`` by file, ``injected`` by code, and
``calls``, what WinVerifyTrust was asked while codes were injected.
"""

from __future__ import annotations

import ctypes
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from reconciler.agent.windows import wintrust
from reconciler.agent.windows.signatures import WindowsSignatures
from reconciler.kernel.signatures import Signature

FOLDER = Path(sys.argv[1])
CODES = json.loads(sys.argv[2])


def plain(signature: Signature) -> list[Any]:
    return [signature.trust, signature.detail, signature.subject.attributes if signature.subject else None]


def damaged_program() -> Path:
    """A signed program that was changed after it was signed."""
    content = bytearray(Path(sys.executable).read_bytes())
    content[len(content) // 3] ^= 1
    changed = FOLDER / "damaged.exe"
    changed.write_bytes(content)
    return changed


class InjectedTrust:
    """Stands in for wintrust.dll: answers with the codes that it is given, and notes how it was asked."""

    def __init__(self, codes: list[int]) -> None:
        self.codes = iter(codes)
        self.calls: list[list[int]] = []

    def WinVerifyTrust(self, _window: Any, _action: Any, reference: Any) -> int:
        data = reference._obj
        self.calls.append([data.state_action, data.ui_choice, data.revocation_checks, data.provider_flags])
        if data.state_action == 2:
            return 0
        return ctypes.c_long(next(self.codes)).value


def injected() -> tuple[dict[str, Any], list[list[int]]]:
    real, stand_in = wintrust._wintrust, InjectedTrust(CODES)
    wintrust._wintrust = stand_in
    try:
        return {
            f"{code:08X}": plain(WindowsSignatures().examine(sys.executable)) for code in CODES
        }, stand_in.calls
    finally:
        wintrust._wintrust = real


def seen() -> Iterator[tuple[str, Any]]:
    files = [*sorted(FOLDER.glob("*.msi")), Path(sys.executable), damaged_program(), FOLDER / "missing.msi"]
    for file in files:
        yield file.name.lower(), plain(WindowsSignatures().examine(str(file)))


answers, calls = injected()
sys.stdout.write(json.dumps({"seen": dict(seen()), "injected": answers, "calls": calls}))
