"""The key by which the daemon signs merges. Made at first use; the public half lies beside it, for anybody."""

from __future__ import annotations

import os
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_ssh_private_key,
)

from reconciler.approval.ssh_signatures import PublicKey, public_key_of, sign
from reconciler.kernel.errors import ReconcilerError

_COMMENT = "reconciler"


class KeyUnusable(ReconcilerError):
    """The daemon's key cannot be made or read."""

    reference = "key-unusable"


class DaemonKey:
    """An Ed25519 key in OpenSSH's form, readable by the daemon's user alone.

    Args:
        file: where it is; made if missing. ``.pub`` is appended for the public half.

    Raises:
        KeyUnusable: it cannot be made, or is no such key.
    """

    def __init__(self, file: Path) -> None:
        try:
            if not file.exists():
                _make(file)
            key = load_ssh_private_key(file.read_bytes(), None)
        except (OSError, ValueError) as error:
            what = f"the key that merges are signed by cannot be used: {error}"
            hint = "restore it from a backup; with another key, earlier merges are no longer known as ours"
            raise KeyUnusable(what, where=str(file), hint=hint) from error
        if not isinstance(key, Ed25519PrivateKey):
            raise KeyUnusable("the key that merges are signed by is no Ed25519 key", where=str(file))
        self._key = key
        self.public: PublicKey = public_key_of(key, _COMMENT)
        """Its public half."""

    def sign(self, payload: bytes) -> str:
        """Return the signature of a commit."""
        return sign(payload, self._key)


def _make(file: Path) -> None:
    """Write a new key: whole or not at all, and never readable by others."""
    key = Ed25519PrivateKey.generate()
    draft = file.with_name(f"{file.name}.new")
    draft.unlink(missing_ok=True)
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "wb") as out:
        out.write(key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()))
        out.flush()
        os.fsync(out.fileno())
    public = file.with_name(f"{file.name}.pub")
    public.touch(mode=0o600)
    public.write_text(public_key_of(key, _COMMENT).line + "\n", "utf-8")
    draft.replace(file)
