"""Asks the Windows that the agent runs on who signed a file. Leaves the judgement to the kernel."""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

from reconciler.agent.windows import wintrust
from reconciler.kernel.signatures import Signature, signature_of


class WindowsSignatures:
    """The signatures of files on this machine. Implements `reconciler.agent.machine.Signatures`."""

    def examine(self, path: str) -> Signature:
        """Have Windows check a file's signature: it reads the whole file, and asks no network."""
        return signature_of(*wintrust.verify(path))
