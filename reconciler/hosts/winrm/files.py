"""The artifacts on a host that is reached by WinRM: the host fetches and hashes them itself, before any use."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from reconciler.agent.machine import ArtifactRefused, ArtifactUnavailable
from reconciler.agent.signers import demand_signer
from reconciler.hosts.tickets import DOWNLOADS, TICKET_SECONDS, Tickets
from reconciler.hosts.winrm.commands import Commands
from reconciler.hosts.winrm.numbers import whole_number
from reconciler.hosts.winrm.signatures import WinRMSignatures
from reconciler.kernel.artifact import Artifact

_TRIES = 3
_HASH_SECONDS = 600.0
_CONNECT_SECONDS = 30
_PART, _CODE = "===part", "===code "
_NO_CODE = -1
_NAME = re.compile(r'[^\x00-\x1f<>:"/\\|?*%]{1,150}(?<![ .])')
_SHA256 = re.compile(r"[0-9a-f]{64}")

_SAYINGS = {
    6: ("it cannot resolve this server's name", "set RECONCILER_SERVER_NAMES to a name that hosts resolve"),
    7: (
        "it cannot connect to this server",
        "set RECONCILER_ADDRESS and RECONCILER_SERVER_NAMES; is a firewall there?",
    ),
    23: ("it cannot write the file", "is its disk full?"),
    28: ("the file did not come in its time", None),
    35: ("it cannot speak TLS with this server", None),
    60: (
        "it does not trust this server's certificate",
        "RECONCILER_SERVER_NAMES must hold the name it connects to",
    ),
    9009: ("it has no curl.exe", "Windows has it since version 1803; keep an older host by an agent"),
}
"""What exit codes of curl say. Source: curl.se/docs/manpage.html, "EXIT CODES"; 9009 is cmd's: no such program."""


@dataclass(frozen=True, slots=True)
class FileServer:
    """Where hosts fetch files: the URL of this server as they reach it, its authority, and its tickets."""

    url: Callable[[], str]
    authority: Path
    tickets: Tickets


class WinRMFiles:
    """The artifacts on one host. Implements `reconciler.agent.machine.Files`; for one thread at a time.

    Args:
        commands: the host's commands.
        server: where it fetches them.
    """

    def __init__(self, commands: Commands, server: FileServer) -> None:
        self._commands = commands
        self._signatures = WinRMSignatures(commands)
        self._server = server
        self._knows_authority = False

    def fetch(self, artifact: Artifact) -> str:
        """Have an artifact on the host, fetched on from where a former try was cut off; hash and signer checked.

        Raises:
            ArtifactRefused, ArtifactUnavailable
            MachineError: the host does not tell who signed it.
            HostAway: the host cannot be reached.
        """
        path = self._fetch(artifact)
        demand_signer(self._signatures, artifact, path)
        return path

    def _fetch(self, artifact: Artifact) -> str:
        _check(artifact)
        kept = rf"{self._folder()}\{artifact.sha256}\{artifact.file_name}"
        part = rf"{self._folder()}\{artifact.sha256}.part"
        told = self._commands.run(
            f'{_hashing(kept)} & if exist "{part}" echo {_PART}', _HASH_SECONDS, repeatable=True
        )
        if _hash_in(told.output) == artifact.sha256:
            return kept
        resumed = _PART in told.output
        problem = ArtifactUnavailable("it was not fetched", where=artifact.file_name)
        for _ in range(_TRIES):
            code, found = self._download(artifact, part)
            if found == artifact.sha256:
                self._keep(part, kept)
                return kept
            if code != 0:
                problem, resumed = self._unavailable(artifact, code), True
                continue
            self._commands.run(f'del /f /q "{part}"', repeatable=True)
            if not resumed:
                raise ArtifactRefused(
                    f"the file's sha256 there is {found}, the catalog says {artifact.sha256}; nothing was run",
                    where=artifact.file_name,
                    hint="import the file anew, or find out who changed it",
                )
            # The older part may have been torn: only a fresh download proves the file wrong.
            resumed = False
        raise problem

    def fetch_again(self, artifact: Artifact) -> str:
        """Fetch an artifact anew, since the installer could not use the one that is there."""
        _check(artifact)
        self._commands.run(f'rmdir /s /q "{self._folder()}\\{artifact.sha256}"', repeatable=True)
        return self.fetch(artifact)

    def _download(self, artifact: Artifact, part: str) -> tuple[int, str]:
        """Let the host fetch what is missing of ``part``; return curl's exit code and the hash of it all."""
        authority = self._put_authority()
        ticket = self._server.tickets.issue(artifact.sha256, time.time())
        url = f"{self._server.url()}{DOWNLOADS}{ticket}/{quote(artifact.file_name)}"
        # The server's authority says nothing about revocation, and Windows would refuse it for that.
        options = f'--fail --silent --show-error --ssl-no-revoke --cacert "{authority}" --create-dirs'
        times = f"--connect-timeout {_CONNECT_SECONDS} --max-time {TICKET_SECONDS:.0f}"
        try:
            curl = f'curl.exe {options} {times} -C - -o "{part}" "{url}"'
            told = self._commands.run(
                f"{curl} & call echo {_CODE}%^errorlevel% & {_hashing(part)}",
                TICKET_SECONDS + _HASH_SECONDS,
                repeatable=True,
            ).output
            code = re.search(rf"{_CODE}([0-9]+)", told)
            returned = whole_number(code[1]) if code is not None else None
            return _NO_CODE if returned is None else returned, _hash_in(told)
        finally:
            self._server.tickets.withdraw(ticket)

    def _keep(self, part: str, kept: str) -> None:
        folder = kept.rpartition("\\")[0]
        told = self._commands.run(
            f'mkdir "{folder}" 2>nul & move /y "{part}" "{kept}" >nul & if exist "{kept}" echo {_PART}',
            repeatable=True,
        )
        if _PART not in told.output:
            raise ArtifactUnavailable(f"it cannot be kept as {kept}", where=self._commands.host)

    def _put_authority(self) -> str:
        path = rf"{self._commands.root()}\ca.pem"
        if not self._knows_authority:
            self._commands.upload(path, self._server.authority.read_bytes())
            self._knows_authority = True
        return path

    def _unavailable(self, artifact: Artifact, code: int) -> ArtifactUnavailable:
        what, hint = _SAYINGS.get(code, ("it could not fetch the file", None))
        where = f"{self._commands.host}, {artifact.file_name}"
        return ArtifactUnavailable(f"{what} (curl {code}, {self._server.url()})", where=where, hint=hint)

    def _folder(self) -> str:
        return rf"{self._commands.root()}\artifacts"


def _hashing(path: str) -> str:
    return f'certutil -hashfile "{path}" SHA256'


def _hash_in(told: str) -> str:
    """Return the SHA-256 that certutil wrote, empty where none. Windows 8 puts blanks between the bytes."""
    lines = (line.replace(" ", "").strip().lower() for line in told.splitlines())
    return next((line for line in lines if _SHA256.fullmatch(line)), "")


def _check(artifact: Artifact) -> None:
    """Name and hash become a path in commands, so neither may lead out of the folder or mean anything to cmd."""
    if _SHA256.fullmatch(artifact.sha256) is None or _NAME.fullmatch(artifact.file_name) is None:
        raise ArtifactRefused(
            f"{artifact.file_name!r} cannot be the name of a file on a host that is kept by WinRM",
            where=artifact.sha256[:64],
            hint="rename the file, without % and the like, and import it anew",
        )
