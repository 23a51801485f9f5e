"""Makes, reads and verifies SSH signatures, as git makes them of commits. Knows nobody: it says which key signed.

The format is OpenSSH's "sshsig" (PROTOCOL.sshsig in OpenSSH's sources); keys and signatures within it are as in
RFC 4253 section 6.6, RFC 5656, RFC 8332 and RFC 8709, those of security keys as in OpenSSH's PROTOCOL.u2f.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from dataclasses import dataclass
from typing import Literal

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from reconciler.kernel.errors import ReconcilerError

GIT = "git"
"""The namespace of signatures of commits and tags."""

_BEGIN = "-----BEGIN SSH SIGNATURE-----"
_END = "-----END SSH SIGNATURE-----"
_MAGIC = b"SSHSIG"
_VERSION = 1
_LINE = 70
_LONGEST = 16 * 1024
_SMALLEST_RSA = 2048
_TOUCHED = 0x01

_CURVES: dict[str, ec.EllipticCurve] = {
    "nistp256": ec.SECP256R1(),
    "nistp384": ec.SECP384R1(),
    "nistp521": ec.SECP521R1(),
}
_CURVE_HASHES: dict[str, hashes.HashAlgorithm] = {
    "nistp256": hashes.SHA256(),
    "nistp384": hashes.SHA384(),
    "nistp521": hashes.SHA512(),
}
_RSA_HASHES: dict[str, hashes.HashAlgorithm] = {"rsa-sha2-256": hashes.SHA256(), "rsa-sha2-512": hashes.SHA512()}
_DIGESTS = {"sha256": hashlib.sha256, "sha512": hashlib.sha512}


class BadSignature(ReconcilerError):
    """A signature, or a key, that cannot be read or does not hold."""

    reference = "bad-signature"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """An SSH public key. ``blob`` is its wire form, which fingerprints and signatures go by."""

    kind: str
    blob: bytes
    comment: str = ""

    @property
    def fingerprint(self) -> str:
        """``SHA256:`` and the digest, as ssh-keygen -l prints it."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @property
    def line(self) -> str:
        """The key as a file of public keys has it."""
        return f"{self.kind} {base64.b64encode(self.blob).decode()} {self.comment}".rstrip()


def parse_public_key(line: str) -> PublicKey:
    """Return the key of one line, as in ``id_ed25519.pub``: its kind, the key in base64, and perhaps a comment.

    Raises:
        BadSignature: the line is none, or its key is of a kind that cannot be used.
    """
    words = line.split(None, 2)
    if len(words) < 2:
        raise BadSignature("this is no SSH public key", hint="give a line such as: ssh-ed25519 AAAA… name")
    blob = _decoded(words[1], "the public key")
    key = PublicKey(words[0], blob, words[2].strip() if len(words) > 2 else "")
    if _Reader(blob).text() != key.kind:
        raise BadSignature(f"the public key is not of the kind {key.kind} that it is said to be")
    _verifier(key.kind, blob)
    return key


def verify(payload: bytes, armored: str, namespace: str = GIT) -> str:
    """Return the fingerprint of the key that signed. Whether that key may be trusted is not decided here.

    Args:
        payload: what was signed: of a commit, all of it but the signature.
        armored: the signature, from its BEGIN to its END line.
        namespace: what it has to be made for.

    Raises:
        BadSignature: it cannot be read, was made for something else, or is not of this payload.
    """
    reader = _Reader(_unarmored(armored))
    if reader.take(len(_MAGIC)) != _MAGIC or reader.number() != _VERSION:
        raise BadSignature("this is no SSH signature of a version that is known")
    blob = reader.string()
    made_for, reserved, digest = reader.text(), reader.string(), reader.text()
    signature = reader.string()
    reader.end()
    if reserved:  # it is not part of what is signed, so it could be anything
        raise BadSignature("the signature has something in its reserved field")
    if made_for != namespace:
        raise BadSignature(f"the signature was made for {made_for!r}, not for {namespace!r}")
    if digest not in _DIGESTS:
        raise BadSignature(f"the signature goes by the digest {digest!r}, which is not accepted")
    kind = _Reader(blob).text()
    key = _verifier(kind, blob)
    try:
        key.check(signature, _to_be_signed(payload, namespace, digest))
    except (InvalidSignature, ValueError) as error:
        raise BadSignature("the signature does not hold: what was signed is something else") from error
    return PublicKey(kind, blob).fingerprint


def sign(payload: bytes, key: ed25519.Ed25519PrivateKey, namespace: str = GIT) -> str:
    """Return the signature of ``payload`` in the form that git keeps in a commit."""
    content = b"".join(
        (
            _MAGIC,
            _VERSION.to_bytes(4),
            _string(public_key_of(key).blob),
            _string(namespace.encode()),
            _string(b""),
            _string(b"sha512"),
            _string(_string(b"ssh-ed25519") + _string(key.sign(_to_be_signed(payload, namespace, "sha512")))),
        )
    )
    text = base64.b64encode(content).decode()
    lines = [text[start : start + _LINE] for start in range(0, len(text), _LINE)]
    return "\n".join((_BEGIN, *lines, _END))


def public_key_of(key: ed25519.Ed25519PrivateKey, comment: str = "") -> PublicKey:
    """Return the public half of a key."""
    raw = key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return PublicKey("ssh-ed25519", _string(b"ssh-ed25519") + _string(raw), comment)


class _Reader:
    """Takes the fields of SSH's wire form one after the other (RFC 4251 section 5)."""

    def __init__(self, content: bytes) -> None:
        self._content = content
        self._at = 0

    def take(self, length: int) -> bytes:
        found = self._content[self._at : self._at + length]
        if len(found) != length:
            raise BadSignature("the signature or its key is cut off")
        self._at += length
        return found

    def number(self) -> int:
        return int.from_bytes(self.take(4))

    def string(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        try:
            return self.string().decode("ascii")
        except UnicodeDecodeError as error:
            raise BadSignature("the signature or its key has a name that is no text") from error

    def integer(self) -> int:
        """Take a positive number of any length, written as short as can be."""
        content = self.string()
        value = int.from_bytes(content, signed=True)
        if value <= 0 or content != value.to_bytes(value.bit_length() // 8 + 1):
            raise BadSignature("the signature or its key has a malformed number")
        return value

    def end(self) -> None:
        if self._at != len(self._content):
            raise BadSignature("there is more behind the signature or its key than belongs there")


class _Ed25519:
    kind = "ssh-ed25519"

    def __init__(self, reader: _Reader) -> None:
        self._key = ed25519.Ed25519PublicKey.from_public_bytes(reader.string())

    def check(self, signature: bytes, signed: bytes) -> None:
        reader = _Reader(signature)
        _demand(reader.text(), self.kind)
        content = reader.string()
        reader.end()
        self._key.verify(content, signed)


class _Ecdsa:
    def __init__(self, kind: str, reader: _Reader) -> None:
        self.kind = kind
        curve = reader.text()
        if not kind.endswith(curve) or curve not in _CURVES:
            raise BadSignature(f"the key is on a curve {curve!r} that does not go with {kind}")
        self._hash = _CURVE_HASHES[curve]
        self._key = ec.EllipticCurvePublicKey.from_encoded_point(_CURVES[curve], reader.string())

    def check(self, signature: bytes, signed: bytes) -> None:
        reader = _Reader(signature)
        _demand(reader.text(), self.kind)
        numbers = _Reader(reader.string())
        reader.end()
        content = encode_dss_signature(numbers.integer(), numbers.integer())
        numbers.end()
        self._key.verify(content, signed, ec.ECDSA(self._hash))


class _Rsa:
    def __init__(self, reader: _Reader) -> None:
        exponent, modulus = reader.integer(), reader.integer()
        if modulus.bit_length() < _SMALLEST_RSA:
            raise BadSignature(f"the RSA key has {modulus.bit_length()} bits, fewer than {_SMALLEST_RSA}")
        self._key = rsa.RSAPublicNumbers(exponent, modulus).public_key()

    def check(self, signature: bytes, signed: bytes) -> None:
        reader = _Reader(signature)
        kind = reader.text()
        if kind not in _RSA_HASHES:  # ssh-rsa would be SHA-1, which PROTOCOL.sshsig forbids
            raise BadSignature(f"the signature is of the kind {kind!r}, which is not accepted")
        content = reader.string()
        reader.end()
        self._key.verify(content, signed, padding.PKCS1v15(), _RSA_HASHES[kind])


class _SecurityKey:
    """A key in a device, which signs a digest with its own counter; only what was signed by a touch counts."""

    def __init__(self, kind: Literal["ed25519", "ecdsa"], reader: _Reader) -> None:
        if kind == "ed25519":
            self._kind = "sk-ssh-ed25519@openssh.com"
            self._edwards: ed25519.Ed25519PublicKey | None = ed25519.Ed25519PublicKey.from_public_bytes(
                reader.string()
            )
        else:
            self._kind = "sk-ecdsa-sha2-nistp256@openssh.com"
            self._edwards = None
            _demand(reader.text(), "nistp256")
            self._curve = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), reader.string())
        self._application = reader.string()

    def check(self, signature: bytes, signed: bytes) -> None:
        reader = _Reader(signature)
        _demand(reader.text(), self._kind)
        content = reader.string()
        flags, counter = reader.take(1), reader.take(4)
        reader.end()
        if not flags[0] & _TOUCHED:
            raise BadSignature("the security key signed without being touched")
        digest = hashlib.sha256(self._application).digest() + flags + counter + hashlib.sha256(signed).digest()
        if self._edwards is not None:
            self._edwards.verify(content, digest)
            return
        numbers = _Reader(content)
        encoded = encode_dss_signature(numbers.integer(), numbers.integer())
        numbers.end()
        self._curve.verify(encoded, digest, ec.ECDSA(hashes.SHA256()))


def _verifier(kind: str, blob: bytes) -> _Ed25519 | _Ecdsa | _Rsa | _SecurityKey:
    """Return what verifies by a key.

    Raises:
        BadSignature: the key is malformed, or of a kind that is not known; certificates are not.
    """
    reader = _Reader(blob)
    reader.string()
    found: _Ed25519 | _Ecdsa | _Rsa | _SecurityKey
    try:
        match kind:
            case "ssh-ed25519":
                found = _Ed25519(reader)
            case "ssh-rsa":
                found = _Rsa(reader)
            case "ecdsa-sha2-nistp256" | "ecdsa-sha2-nistp384" | "ecdsa-sha2-nistp521":
                found = _Ecdsa(kind, reader)
            case "sk-ssh-ed25519@openssh.com":
                found = _SecurityKey("ed25519", reader)
            case "sk-ecdsa-sha2-nistp256@openssh.com":
                found = _SecurityKey("ecdsa", reader)
            case _:
                raise BadSignature(
                    f"keys of the kind {kind!r} cannot be used", hint="use an Ed25519, ECDSA or RSA key"
                )
    except (ValueError, UnsupportedAlgorithm) as error:
        raise BadSignature(f"the {kind} key is malformed: {error}") from error
    reader.end()
    return found


def _demand(found: str, expected: str) -> None:
    if found != expected:
        raise BadSignature(f"the signature is of the kind {found!r}, its key of {expected!r}")


def _to_be_signed(payload: bytes, namespace: str, digest: str) -> bytes:
    hashed = _DIGESTS[digest](payload).digest()
    return _MAGIC + b"".join(map(_string, (namespace.encode(), b"", digest.encode(), hashed)))


def _string(content: bytes) -> bytes:
    return len(content).to_bytes(4) + content


def _unarmored(armored: str) -> bytes:
    lines = armored.strip().splitlines()
    if len(armored) > _LONGEST or len(lines) < 3 or lines[0].strip() != _BEGIN or lines[-1].strip() != _END:
        raise BadSignature("this is no SSH signature", hint="git makes them with gpg.format=ssh")
    return _decoded("".join(line.strip() for line in lines[1:-1]), "the signature")


def _decoded(text: str, what: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise BadSignature(f"{what} is no base64") from error
    if base64.b64encode(content).decode() != text:
        raise BadSignature(f"{what} is no base64 as it is written")
    return content
