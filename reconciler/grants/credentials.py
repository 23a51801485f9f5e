"""Reads the secrets that the server's configuration refers to. Keeps none and puts none into a message."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.kernel.errors import ReconcilerError

_ENVIRONMENT = "env:"
_FILE = "file:"


class CredentialMissing(ReconcilerError):
    """A secret that is referred to and cannot be had."""

    reference = "credential-missing"


def secret_of(reference: str, data: Path | None = None) -> str:
    """Return the secret that ``env:NAME`` or ``file:PATH`` refers to.

    Args:
        reference: ``env:`` and the name of a variable of the daemon's, or ``file:`` and the full path of a file
            that the daemon can read; a line end at the file's end is no part of the secret.
        data: the data folder of the installation, in which the file must not be; ``None`` to allow any.

    Raises:
        CredentialMissing: there is no such variable or file, or the reference is of no known kind.
    """
    if reference.startswith(_ENVIRONMENT):
        name = reference.removeprefix(_ENVIRONMENT)
        value = os.environ.get(name)
        if not value:
            raise CredentialMissing(
                f"the variable {name} is not set", where=reference, hint="set it where the daemon is started"
            )
        return value
    return _read(path_of(reference, data), reference)


def path_of(reference: str, data: Path | None = None) -> Path:
    """Return the path that ``file:PATH`` refers to.

    Args:
        reference: ``file:`` and the full path of a file.
        data: as for `secret_of`.

    Raises:
        CredentialMissing: it is no such reference, or there is no such file.
    """
    path = Path(reference.removeprefix(_FILE))
    if not reference.startswith(_FILE) or not path.is_absolute():
        # It is not repeated: it may be the secret itself.
        raise CredentialMissing("a reference names no secret", hint="write env:NAME or file:/full/path")
    if data is not None and is_within(path, data):
        hint = f"keep the secret outside of {data}, such as in /etc/reconciler"
        raise CredentialMissing("the file is in the data folder of the server", where=str(path), hint=hint)
    if not path.is_file():
        raise CredentialMissing(
            "there is no such file", where=str(path), hint="put it there, readable by the daemon's user alone"
        )
    return path


def is_within(path: Path, folder: Path) -> bool:
    """Return whether a path leads into a folder, symbolic links followed."""
    return path.resolve().is_relative_to(folder.resolve())


def _read(path: Path, reference: str) -> str:
    try:
        value = path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialMissing(f"the file cannot be read: {error}", where=reference) from error
    if not value:
        raise CredentialMissing("the file is empty", where=reference)
    return value
