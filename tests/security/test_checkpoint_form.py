"""Checkpoints are what C2SP's specifications and RFC 6962 say, so that other programs can read them."""

from __future__ import annotations

import base64
import hashlib

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from reconciler.audit.checkpoint import VerifierKey, key_of, parse_checkpoints, sign
from reconciler.audit.merkle import Tree


def root_of(leaves: list[bytes]) -> bytes:
    """Return the root by the definition of RFC 6962 section 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return hashlib.sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + root_of(leaves[:split]) + root_of(leaves[split:])).digest()


@given(st.lists(st.binary(max_size=40), max_size=70))
def test_the_root_is_that_of_rfc_6962(leaves: list[bytes]) -> None:
    tree = Tree()
    for number, leaf in enumerate(leaves):
        assert tree.root() == root_of(leaves[:number])
        tree.add(leaf)
    assert (tree.root(), tree.size) == (root_of(leaves), len(leaves))


@given(st.binary(min_size=32, max_size=32), st.integers(0, 10**18), st.binary(min_size=32, max_size=32))
def test_a_note_has_the_lines_of_the_specification(seed: bytes, size: int, root: bytes) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    note, key = sign(size, root, private), key_of(private)
    origin, told, encoded, empty, signature, end = note.note.split("\n")
    assert (int(told), base64.b64decode(encoded), empty, end) == (size, root, "", "")
    dash, name, signed = signature.split(" ")
    assert (dash, name, origin) == ("\u2014", key.name, key.name)
    number = hashlib.sha256(f"{key.name}\n".encode() + b"\x01" + key.public).digest()[:4]
    content = base64.b64decode(signed)
    assert content[:4] == number
    private.public_key().verify(content[4:], f"{origin}\n{size}\n{encoded}\n".encode())
    assert parse_checkpoints(note.note * 2, "x") == (note, note)


def test_a_key_is_written_as_other_programs_write_it() -> None:
    """The example key of golang.org/x/mod/sumdb/note."""
    text = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    assert str(VerifierKey.parse(text)) == text
