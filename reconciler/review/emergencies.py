"""Says whether a commit that claims an emergency is signed by somebody who may declare one.

The hook asks this before the commit is on the branch. Whether the emergency counts for an environment is decided
again when the branch is followed, by what is in force there.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path

from reconciler.approval.pgp_signatures import verify_pgp
from reconciler.approval.ssh_signatures import BadSignature, verify
from reconciler.desired.public_keys import PGP_BEGIN, UnusableKey, key_identity

SIGNERS_FILE = "emergency-signers.json"
"""The public keys of those who may declare an emergency, in the folder of the hosted repository."""

_SIGNATURE = b"gpgsig "


def write_signers(repository: Path, keys: Iterable[str]) -> None:
    """Keep the public keys of those who may declare an emergency in any environment, as they are in force.

    Args:
        repository: the folder of the hosted repository.
        keys: SSH keys as a line, OpenPGP keys in armor.
    """
    handle, temporary = tempfile.mkstemp(dir=repository)
    with os.fdopen(handle, "w", encoding="utf-8") as out:
        json.dump(sorted(set(keys)), out)
    Path(temporary).replace(repository / SIGNERS_FILE)


def read_signers(file: Path) -> tuple[str, ...]:
    """Return the keys that `write_signers` kept; none where there are none or the file is damaged."""
    with contextlib.suppress(OSError, ValueError):
        found = json.loads(file.read_text("utf-8"))
        if isinstance(found, list):
            return tuple(key for key in found if isinstance(key, str))
    return ()


def is_signed_by(commit: bytes, keys: Iterable[str], now: float) -> bool:
    """Return whether a commit carries a valid signature by one of some keys.

    Args:
        commit: the commit as git keeps it.
        keys: SSH keys as a line, OpenPGP keys in armor.
        now: when it was received, in seconds since 1970.
    """
    signature, payload = _split(commit)
    known = tuple(keys)
    pgp = [key for key in known if key.strip().startswith(PGP_BEGIN)]
    try:
        by_ssh = "SSH SIGNATURE" in signature.partition("\n")[0]
        signer = verify(payload, signature) if by_ssh else verify_pgp(payload, signature, pgp, now)
        return f"key:{signer}" in {key_identity(key) for key in known}
    except (BadSignature, UnusableKey):
        return False


def _split(commit: bytes) -> tuple[str, bytes]:
    """Return the signature of a commit, and what it is over: all but the header that has it.

    Source: git-scm.com/docs/gitformat-signature
    """
    head, blank, message = commit.partition(b"\n\n")
    signature: list[bytes] = []
    rest: list[bytes] = []
    within = False
    for line in head.split(b"\n"):
        within = line.startswith(_SIGNATURE) or (within and line.startswith(b" "))
        if within:
            signature.append(line.removeprefix(_SIGNATURE).removeprefix(b" "))
        else:
            rest.append(line)
    return b"\n".join(signature).decode("utf-8", "replace"), b"\n".join(rest) + blank + message


def main(signers: str) -> int:
    """Read a commit from standard input; return 0 where one of the signers signed it."""
    return 0 if is_signed_by(sys.stdin.buffer.read(), read_signers(Path(signers)), time.time()) else 1
