"""Asks a host that is reached by WinRM who signed a file there. Judges nothing.

Nothing but PowerShell tells it by a command, so it is asked only of files whose signer the catalog names.

Source: learn.microsoft.com/powershell/module/microsoft.powershell.security/get-authenticodesignature
"""

from __future__ import annotations

import base64
import re

from reconciler.agent.machine import MachineError
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.numbers import whole_number
from reconciler.kernel.signatures import Signature, Subject, Trust

_SECONDS = 300.0
_STATUS, _SUBJECT = "===status ", "===subject "
_TRUST = {
    0: Trust.HOLDS,
    2: Trust.NOT_SIGNED,
    3: Trust.CHANGED,
    4: Trust.DISTRUSTED,
    5: Trust.NOT_SIGNED,
}
"""What the members of ``SignatureStatus`` mean; any other is one that does not hold."""


class WinRMSignatures:
    """The signatures of files on one host. Implements `reconciler.agent.machine.Signatures`.

    Args:
        commands: the host's commands.
    """

    def __init__(self, commands: Commands) -> None:
        self._commands = commands

    def examine(self, path: str) -> Signature:
        """Return what is known of the signature of a file on the host.

        Raises:
            HostAway: the host cannot be reached.
            MachineError: it did not answer.
        """
        script = (
            f"$s = Get-AuthenticodeSignature -LiteralPath '{path.replace(chr(39), 2 * chr(39))}'; "
            f"'{_STATUS}' + [int]$s.Status; if ($s.SignerCertificate) {{ "
            "$n = $s.SignerCertificate.SubjectName.Decode('UseNewLines, DoNotUseQuotes, DoNotUsePlusSign'); "
            f"'{_SUBJECT}' + [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($n)) }}"
        )
        encoded = base64.b64encode(script.encode("utf-16-le")).decode("ascii")
        told = self._commands.run(
            f"powershell -NoProfile -NonInteractive -EncodedCommand {encoded}", _SECONDS, repeatable=True
        ).output
        status = re.search(rf"^{_STATUS}([0-9]+)", told, re.MULTILINE)
        if status is None:
            raise MachineError(
                "it does not tell who signed a file",
                where=self._commands.host,
                hint="may this account run PowerShell there?",
            )
        code = whole_number(status[1])
        subject = re.search(rf"^{_SUBJECT}([A-Za-z0-9+/=]+)", told, re.MULTILINE)
        trust = _TRUST.get(code, Trust.UNKNOWN) if code is not None else Trust.UNKNOWN
        detail = f"status {code}" if code else ""
        return Signature(trust, _subject(subject[1]) if subject else None, detail)


def _subject(encoded: str) -> Subject:
    """Return whom a certificate names: .NET writes one attribute a line, so commas in names do no harm.

    Raises:
        MachineError: it is not base64.
    """
    try:
        lines = base64.b64decode(encoded).decode("utf-8", "replace").splitlines()
    except ValueError as error:
        raise MachineError("it names a signer in no way that can be read") from error
    pairs = (line.partition("=") for line in lines)
    return Subject(tuple((key.strip(), value) for key, separator, value in pairs if separator))
