"""The key that signs checkpoints of the audit chain: a file in the data folder, made at first use."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from reconciler.kernel.errors import ReconcilerError

KEY_FILE = "checkpoint-key"
"""Its name in the data folder."""


class CheckpointKeyUnusable(ReconcilerError):
    """The key for checkpoints cannot be made or read."""

    reference = "checkpoint-key-unusable"


def load_key(file: Path) -> Ed25519PrivateKey | None:
    """Return the key in a file; ``None`` where there is no file.

    Raises:
        CheckpointKeyUnusable: the file cannot be read, or holds no Ed25519 key.
    """
    try:
        key = load_pem_private_key(file.read_bytes(), None)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointKeyUnusable(
            f"the key that signs checkpoints of the audit chain cannot be read: {error}",
            where=str(file),
            hint="restore it from a backup; or delete it, and note the new key that reconciler audit key prints",
        ) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise CheckpointKeyUnusable("the key that signs checkpoints is no Ed25519 key", where=str(file))
    return key


def open_key(file: Path) -> Ed25519PrivateKey:
    """Return the key in a file, made where there is none.

    Raises:
        CheckpointKeyUnusable: it cannot be made, or cannot be read.
    """
    key = load_key(file)
    if key is not None:
        return key
    key = Ed25519PrivateKey.generate()
    draft = file.with_name(f"{file.name}.new")
    try:
        draft.unlink(missing_ok=True)
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as out:
            out.write(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            out.flush()
            os.fsync(out.fileno())
        draft.replace(file)
    except OSError as error:
        what = f"the key that signs checkpoints of the audit chain cannot be made: {error}"
        raise CheckpointKeyUnusable(what, where=str(file)) from error
    return key
