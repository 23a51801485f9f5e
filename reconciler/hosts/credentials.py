"""Finds the secrets that the desired state only refers to. Keeps none and puts none into a message."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.kernel.errors import ReconcilerError

_ENVIRONMENT = "env:"
_FILE = "file:"


class CredentialMissing(ReconcilerError):
    """A secret that is referred to and cannot be had."""

    reference = "credential-missing"


def secret_of(reference: str) -> str:
    """Return the secret that ``env:NAME`` or ``file:PATH`` refers to.

    Args:
        reference: ``env:`` and the name of a variable of the daemon's, or ``file:`` and the full path of a file
            that the daemon can read; a line end at the file's end is no part of the secret.

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
    return _read(path_of(reference), reference)


def path_of(reference: str) -> Path:
    """Return the path that ``file:PATH`` refers to.

    Raises:
        CredentialMissing: it is no such reference, or there is no such file.
    """
    path = Path(reference.removeprefix(_FILE))
    if not reference.startswith(_FILE) or not path.is_absolute():
        # It is not repeated: it may be the secret itself.
        raise CredentialMissing("a reference names no secret", hint="write env:NAME or file:/full/path")
    if not path.is_file():
        raise CredentialMissing(
            "there is no such file", where=str(path), hint="put it there, readable by the daemon's user alone"
        )
    return path


def _read(path: Path, reference: str) -> str:
    try:
        value = path.read_text("utf-8").rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CredentialMissing(f"the file cannot be read: {error}", where=reference) from error
    if not value:
        raise CredentialMissing("the file is empty", where=reference)
    return value
