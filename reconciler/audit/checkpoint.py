"""Signed checkpoints: how many records the chain has, and the root of the tree over them. Pure.

The form is C2SP's tlog-checkpoint (c2sp.org/tlog-checkpoint), a signed note (c2sp.org/signed-note) with an Ed25519
signature. A key is written as Go's golang.org/x/mod/sumdb/note writes it: NAME+ID+BASE64.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reconciler.kernel.errors import ReconcilerError

_ED25519 = b"\x01"
_ID_BYTES = 4
_ROOT_BYTES = 32
_SIGNED = "\u2014 "
_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")
_NAME = re.compile(r"[^\s+]{1,200}")
_LONGEST = 64 * 1024 * 1024
"""Characters of a file of checkpoints that is read. A checkpoint has some 250."""


class BadCheckpoint(ReconcilerError):
    """A checkpoint, or a key for checkpoints, that cannot be read or whose signature does not hold."""

    reference = "bad-checkpoint"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """``origin`` names the log, ``size`` counts its records, ``root`` is the root of their tree (32 bytes)."""

    origin: str
    size: int
    root: bytes

    @property
    def text(self) -> str:
        """What is signed: three lines."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """The public half of the key that signs checkpoints, and the name that it signs under."""

    name: str
    public: bytes

    @classmethod
    def parse(cls, text: str) -> VerifierKey:
        """Read a key as ``str()`` of one writes it.

        Raises:
            BadCheckpoint: it is not written so, or its id does not fit.
        """
        name, _, rest = text.strip().partition("+")
        number, _, encoded = rest.partition("+")
        try:
            content = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            content = b""
        key = cls(name, content[1:])
        if (
            content[:1] != _ED25519
            or len(content) != 1 + 32
            or number != key.id.hex()
            or not _NAME.fullmatch(name)
        ):
            raise BadCheckpoint(
                f"{text[:80]!r} is no key for checkpoints",
                hint="copy the whole line that reconciler audit key prints",
            )
        return key

    @property
    def id(self) -> bytes:
        """The four bytes by which a signature names its key."""
        named = self.name.encode() + b"\n" + _ED25519 + self.public
        return hashlib.sha256(named).digest()[:_ID_BYTES]

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(_ED25519 + self.public).decode()}"


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint as it was read, with the lines of its signatures. Nothing is verified yet."""

    checkpoint: Checkpoint
    signatures: tuple[str, ...]

    @property
    def note(self) -> str:
        """The whole note, as witnesses keep it."""
        return self.checkpoint.text + "\n" + "".join(f"{line}\n" for line in self.signatures)

    def verify(self, key: VerifierKey) -> None:
        """Check that the key signed it.

        Raises:
            BadCheckpoint: the key did not, or not this.
        """
        for line in self.signatures:
            name, _, encoded = line.removeprefix(_SIGNED).partition(" ")
            try:
                content = base64.b64decode(encoded, validate=True)
            except (binascii.Error, ValueError):
                continue
            if name == key.name and content[:_ID_BYTES] == key.id:
                try:
                    public = Ed25519PublicKey.from_public_bytes(key.public)
                    public.verify(content[_ID_BYTES:], self.checkpoint.text.encode())
                except (InvalidSignature, ValueError) as error:
                    raise BadCheckpoint(
                        f"the signature of the checkpoint of {self.checkpoint.size} records does not hold",
                        hint="the file was changed: take the checkpoint from the witness again",
                    ) from error
                return
        raise BadCheckpoint(
            f"the checkpoint of {self.checkpoint.size} records was not signed by {key.name}",
            hint="give the key of the installation that it is of: --key, as reconciler audit key prints it",
        )


def key_of(private: Ed25519PrivateKey) -> VerifierKey:
    """Return the public half of a key. Its name, which is the log's origin, follows from the key alone."""
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return VerifierKey(f"reconciler/{hashlib.sha256(public).hexdigest()[:16]}", public)


def sign(size: int, root: bytes, private: Ed25519PrivateKey) -> SignedCheckpoint:
    """Return a signed checkpoint.

    Args:
        size: how many records it covers.
        root: the root of the tree over them.
        private: the key; its name becomes the origin.
    """
    key = key_of(private)
    checkpoint = Checkpoint(key.name, size, root)
    signature = base64.b64encode(key.id + private.sign(checkpoint.text.encode())).decode()
    return SignedCheckpoint(checkpoint, (f"{_SIGNED}{key.name} {signature}",))


def parse_checkpoints(text: str, where: str) -> tuple[SignedCheckpoint, ...]:
    """Read the checkpoints of a file, one after another: a witness that is a file keeps all that it was sent.

    Args:
        text: the file's text.
        where: the file's name, for the error.

    Raises:
        BadCheckpoint: the text holds none, or something else as well.
    """
    found = tuple(_each(text.replace("\r\n", "\n").split("\n"), where)) if len(text) <= _LONGEST else ()
    if not found:
        raise BadCheckpoint(
            "the file holds no checkpoint",
            where=where,
            hint="name a file that a witness of the audit chain has kept",
        )
    return found


def _each(lines: list[str], where: str) -> Iterator[SignedCheckpoint]:
    at = 0
    while True:
        while at < len(lines) and not lines[at].strip():
            at += 1
        if at >= len(lines):
            return
        head, first = lines[at : at + 4], at + 1
        at += len(head)
        signatures = []
        while at < len(lines) and lines[at].startswith(_SIGNED):
            signatures.append(lines[at].rstrip())
            at += 1
        checkpoint = _checkpoint(head)
        if checkpoint is None or not signatures:
            raise BadCheckpoint(
                "no checkpoint can be read here: origin, size and root on three lines, an empty line, a signature",
                where=f"{where}:{first}",
                hint="take the file from the witness again, whole",
            )
        yield SignedCheckpoint(checkpoint, tuple(signatures))


def _checkpoint(lines: list[str]) -> Checkpoint | None:
    if len(lines) < 4 or lines[3].strip() or not lines[0] or _SIZE.fullmatch(lines[1]) is None:
        return None
    try:
        root = base64.b64decode(lines[2], validate=True)
    except (binascii.Error, ValueError):
        return None
    return Checkpoint(lines[0], int(lines[1]), root) if len(root) == _ROOT_BYTES else None
