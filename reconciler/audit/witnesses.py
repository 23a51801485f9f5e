"""Witnesses of the audit chain: places outside the database that keep its checkpoints, each by an address.

``file:/mnt/audit/checkpoints``: the checkpoint is appended to a file. ``git:URL`` or ``git:URL#REF``: it is
committed and pushed. ``https://…``: it is sent by POST. ``mail:env:NAME`` and ``mail:file:/path``: it is mailed to
an address as apprise takes it, which holds a password. ``env:NAME`` stands for any of these that is a secret.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import httpx2

from reconciler.audit.checkpoint import SignedCheckpoint
from reconciler.audit.same_machine import why_folder_is_here, why_host_is_here
from reconciler.desired.mirror import without_secrets
from reconciler.kernel.errors import ReconcilerError

_SECONDS = 30.0
"""Seconds that a witness may take to answer by HTTP."""

_ENVIRONMENT, _FILE, _MAIL, _GIT = "env:", "file:", "mail:", "git:"
_WEB = ("https://", "http://")
_HINT = "write file:/path, git:URL, https://…, mail:env:NAME, or env:NAME for one of these that is a secret"


class BadWitness(ReconcilerError):
    """A witness whose address cannot be used."""

    reference = "bad-witness"


class NotWitnessed(ReconcilerError):
    """A witness did not take a checkpoint, or nobody can tell whether it did. It is sent again later."""

    reference = "not-witnessed"


class Witness(Protocol):
    """Keeps checkpoints."""

    @property
    def name(self) -> str:
        """What it is called: its address without secrets."""

    def why_here(self) -> str:
        """Return why it is this machine, which then vouches for itself; empty where it is another."""

    def publish(self, checkpoint: SignedCheckpoint) -> None:
        """Have it keep a checkpoint. One that it has already may be kept twice.

        Raises:
            NotWitnessed: it did not take it.
        """


class FileWitness:
    """A file that checkpoints are appended to, in a folder that exists: a missing mount is not written over.

    Args:
        file: the file; made where it is missing.
        data: the data folder.

    Raises:
        BadWitness: the path is not absolute, or leads into the data folder.
    """

    def __init__(self, file: Path, data: Path) -> None:
        if not file.is_absolute():
            raise BadWitness("the path of a witness is not absolute", where=f"{_FILE}{file}", hint=_HINT)
        if file.resolve().is_relative_to(data.resolve()):
            raise BadWitness(
                "a witness cannot be in the data folder: whoever rewrites the database rewrites it as well",
                where=f"{_FILE}{file}",
                hint="name a file on a share that another machine serves",
            )
        self._file = file
        self._data = data
        self.name = f"{_FILE}{file}"

    def why_here(self) -> str:
        """Return why it is this machine."""
        try:
            return why_folder_is_here(self._file.parent, self._data)
        except OSError:
            return ""

    def publish(self, checkpoint: SignedCheckpoint) -> None:
        """Append the checkpoint, durably."""
        try:
            handle = os.open(self._file, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            with os.fdopen(handle, "ab") as out:
                out.write(f"{checkpoint.note}\n".encode())
                out.flush()
                os.fsync(out.fileno())
        except OSError as error:
            raise NotWitnessed(
                f"the file cannot be written: {error.strerror or error}",
                where=self.name,
                hint="check that the share is mounted and that this account can write to it",
            ) from error


class WebWitness:
    """An HTTP endpoint. It takes a checkpoint as text, and answers with a status from 200 to 299.

    Args:
        url: its URL; a user and password in it are sent as Basic authentication.

    Raises:
        BadWitness: there is no host in it.
    """

    def __init__(self, url: str) -> None:
        self._host = urlsplit(url).hostname or ""
        self.name = without_secrets(url).partition("?")[0]
        if not self._host:
            raise BadWitness("the URL of a witness names no host", where=self.name, hint=_HINT)
        self._url = url

    def why_here(self) -> str:
        """Return why it is this machine."""
        return why_host_is_here(self._host)

    def publish(self, checkpoint: SignedCheckpoint) -> None:
        """Send the checkpoint."""
        headers = {"Content-Type": "text/plain; charset=utf-8"}
        try:
            with (
                httpx2.Client(timeout=_SECONDS, follow_redirects=False) as client,
                client.stream("POST", self._url, content=checkpoint.note.encode(), headers=headers) as answer,
            ):
                status = answer.status_code
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise NotWitnessed(
                f"it cannot be reached: {without_secrets(str(error)) or type(error).__name__}",
                where=self.name,
                hint="check the network, and RECONCILER_AUDIT_WITNESSES",
            ) from error
        if not 200 <= status < 300:
            raise NotWitnessed(f"it answered {status}", where=self.name, hint="look into the log of the witness")


class MailWitness:
    """A mailbox.

    Args:
        reference: where its address is to be found, ``env:NAME`` or ``file:/path``.
        address: its address, as apprise takes it (mailto://, mailtos://).

    Raises:
        BadWitness: the address is none of a mailbox.
    """

    def __init__(self, reference: str, address: str) -> None:
        self.name = f"{_MAIL}{reference}"
        if not address.startswith(("mailto://", "mailtos://")):
            raise BadWitness(
                "its address is not one of a mailbox", where=self.name, hint="see docs/how-to/notify.md for mail"
            )
        self._address = address

    def why_here(self) -> str:
        """Return why it is this machine: where its mail server is, nobody knows where the mail goes on to."""
        host = urlsplit(self._address).hostname or ""
        return why_host_is_here(host) if host else ""

    def publish(self, checkpoint: SignedCheckpoint) -> None:
        """Send the checkpoint."""
        from apprise import Apprise, NotifyFormat

        mailer = Apprise()
        size = checkpoint.checkpoint.size
        title = f"Reconciler: audit checkpoint of {size} records"
        # apprise says why in its log only, and may say the password with it.
        if not mailer.add(self._address) or not mailer.notify(
            body=checkpoint.note, title=title, body_format=NotifyFormat.TEXT
        ):
            raise NotWitnessed(
                "the mail was not taken", where=self.name, hint="check its address and that the mail server is up"
            )


def open_witness(text: str, data: Path, secret_of: Callable[[str], str]) -> Witness:
    """Return the witness of an address.

    Args:
        text: its address, as in RECONCILER_AUDIT_WITNESSES.
        data: the data folder.
        secret_of: gives what ``env:NAME`` or ``file:/path`` refers to.

    Raises:
        BadWitness: the address cannot be used.
        ReconcilerError: whatever ``secret_of`` raises.
    """
    from reconciler.audit.git_witness import GitWitness

    address = secret_of(text) if text.startswith(_ENVIRONMENT) else text
    if address.startswith(_WEB):
        return WebWitness(address)
    if address.startswith(_FILE):
        return FileWitness(Path(address.removeprefix(_FILE)), data)
    if address.startswith(_MAIL):
        reference = address.removeprefix(_MAIL)
        return MailWitness(reference, secret_of(reference))
    if address.startswith(_GIT):
        return GitWitness(address.removeprefix(_GIT), data)
    shown = text if text.startswith(_ENVIRONMENT) else f"{text.partition(':')[0][:40]}:…"
    raise BadWitness("the address of a witness is of no known kind", where=shown, hint=_HINT)
