"""SSH signatures: OpenSSH and git agree on them, and nothing that was tampered with passes."""

from __future__ import annotations

import base64
import hashlib
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from reconciler.approval.ssh_signatures import (
    BadSignature,
    PublicKey,
    parse_public_key,
    public_key_of,
    sign,
    verify,
)

KEY = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
PAYLOAD = b"tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\n\nA commit\n"
KINDS = [
    ("ed25519", []),
    ("ecdsa", ["-b", "256"]),
    ("ecdsa", ["-b", "384"]),
    ("ecdsa", ["-b", "521"]),
    ("rsa", []),
]


def string(content: bytes) -> bytes:
    return len(content).to_bytes(4) + content


def armored(content: bytes) -> str:
    body = base64.b64encode(content).decode()
    return f"-----BEGIN SSH SIGNATURE-----\n{body}\n-----END SSH SIGNATURE-----\n"


def content_of(text: str) -> bytes:
    return base64.b64decode("".join(text.strip().splitlines()[1:-1]))


def run(*command: object, stdin: bytes = b"") -> str:
    return subprocess.run([str(c) for c in command], input=stdin, capture_output=True, check=True).stdout.decode()


@pytest.mark.parametrize(("kind", "options"), KINDS, ids="".join)
def test_what_openssh_signs_is_verified_and_named_as_openssh_names_it(ssh_keygen, tmp_path, kind, options):
    file = tmp_path / "key"
    run(ssh_keygen, "-q", "-t", kind, *options, "-N", "", "-C", "ann@example.com", "-f", file)
    text = run(ssh_keygen, "-Y", "sign", "-n", "git", "-f", file, "-", stdin=PAYLOAD)
    key = parse_public_key(file.with_suffix(".pub").read_text())
    assert verify(PAYLOAD, text) == key.fingerprint
    assert key.comment == "ann@example.com"
    assert key.fingerprint == run(ssh_keygen, "-l", "-f", file).split()[1]
    assert parse_public_key(key.line) == key
    with pytest.raises(BadSignature, match="was made for 'git', not for 'file'"):
        verify(PAYLOAD, text, "file")
    with pytest.raises(BadSignature, match="does not hold"):
        verify(PAYLOAD + b"\n", text)


def test_openssh_verifies_what_is_signed_here(ssh_keygen, tmp_path):
    allowed, signature = tmp_path / "allowed", tmp_path / "signature"
    allowed.write_text(f"daemon {public_key_of(KEY).line}\n")
    signature.write_text(sign(PAYLOAD, KEY))
    said = run(
        ssh_keygen, "-Y", "verify", "-f", allowed, "-I", "daemon", "-n", "git", "-s", signature, stdin=PAYLOAD
    )
    assert said.startswith('Good "git" signature for daemon')
    assert public_key_of(KEY).fingerprint in said


@given(st.data())
def test_no_changed_bit_of_a_signature_or_of_what_was_signed_passes(data):
    content = bytearray(content_of(sign(PAYLOAD, KEY)))
    payload = bytearray(PAYLOAD)
    target = data.draw(st.sampled_from([content, payload]))
    at = data.draw(st.integers(0, len(target) - 1))
    target[at] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(BadSignature):
        verify(bytes(payload), armored(bytes(content)))


@given(st.data())
def test_no_cut_off_or_lengthened_signature_passes(data):
    content = content_of(sign(PAYLOAD, KEY))
    changed = data.draw(
        st.one_of(
            st.integers(0, len(content) - 1).map(lambda end: content[:end]),
            st.binary(min_size=1, max_size=40).map(lambda more: content + more),
        )
    )
    with pytest.raises(BadSignature):
        verify(PAYLOAD, armored(changed))


@given(st.text(max_size=300), st.binary(max_size=300))
def test_whatever_is_read_is_refused_by_name(text, content):
    for odd in (text, armored(content), armored(b"SSHSIG" + content), armored(b"SSHSIG\0\0\0\1" + content)):
        with pytest.raises(BadSignature):
            verify(PAYLOAD, odd)
    with pytest.raises(BadSignature):
        parse_public_key(f"ssh-ed25519 {base64.b64encode(content).decode()}")


def test_another_persons_key_put_into_a_signature_is_found_out():
    other = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))
    content = content_of(sign(PAYLOAD, KEY))
    swapped = content.replace(public_key_of(KEY).blob, public_key_of(other).blob)
    assert swapped != content
    with pytest.raises(BadSignature, match="does not hold"):
        verify(PAYLOAD, armored(swapped))


def wrapped(blob: bytes, signature: bytes, reserved: bytes = b"", digest: bytes = b"sha512") -> str:
    fields = map(string, (blob, b"git", reserved, digest, signature))
    return armored(b"SSHSIG" + (1).to_bytes(4) + b"".join(fields))


def signed_bytes(payload: bytes) -> bytes:
    return b"SSHSIG" + b"".join(map(string, (b"git", b"", b"sha512", hashlib.sha512(payload).digest())))


def by_security_key(flags: int) -> tuple[PublicKey, str]:
    """As OpenSSH's PROTOCOL.u2f has it: the device signs the application, its flags, a counter and a digest."""
    kind, application = b"sk-ssh-ed25519@openssh.com", b"ssh:"
    raw = KEY.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    blob = b"".join(map(string, (kind, raw, application)))
    tail = bytes([flags]) + (7).to_bytes(4)
    digest = hashlib.sha256(application).digest() + tail + hashlib.sha256(signed_bytes(PAYLOAD)).digest()
    return PublicKey(kind.decode(), blob), wrapped(blob, string(kind) + string(KEY.sign(digest)) + tail)


def test_a_security_key_counts_when_it_was_touched():
    key, text = by_security_key(flags=0x01)
    assert verify(PAYLOAD, text) == key.fingerprint
    _, untouched = by_security_key(flags=0x00)
    with pytest.raises(BadSignature, match="without being touched"):
        verify(PAYLOAD, untouched)


def test_what_is_not_covered_by_the_signature_must_be_empty():
    blob = public_key_of(KEY).blob
    signature = string(b"ssh-ed25519") + string(KEY.sign(signed_bytes(PAYLOAD)))
    assert verify(PAYLOAD, wrapped(blob, signature)) == public_key_of(KEY).fingerprint
    with pytest.raises(BadSignature, match="reserved"):
        verify(PAYLOAD, wrapped(blob, signature, reserved=b"x"))


def test_weak_and_unknown_keys_and_digests_are_refused():
    small = rsa.generate_private_key(65537, 1024).public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    with pytest.raises(BadSignature, match="1024 bits, fewer than 2048"):
        parse_public_key(small.decode())
    dsa = base64.b64encode(string(b"ssh-dss") + string(b"x")).decode()
    with pytest.raises(BadSignature, match="'ssh-dss' cannot be used"):
        parse_public_key(f"ssh-dss {dsa}")
    ours = base64.b64encode(public_key_of(KEY).blob).decode()
    with pytest.raises(BadSignature, match="not of the kind ssh-rsa"):
        parse_public_key(f"ssh-rsa {ours}")
    signature = string(b"ssh-ed25519") + string(KEY.sign(signed_bytes(PAYLOAD)))
    with pytest.raises(BadSignature, match="'md5', which is not accepted"):
        verify(PAYLOAD, wrapped(public_key_of(KEY).blob, signature, digest=b"md5"))


def test_rsa_with_sha1_is_refused():
    key = rsa.generate_private_key(65537, 2048)
    public = parse_public_key(key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode())
    with pytest.raises(BadSignature, match="'ssh-rsa', which is not accepted"):
        verify(PAYLOAD, wrapped(public.blob, string(b"ssh-rsa") + string(b"\0" * 256)))


def test_git_signs_by_ssh_and_the_payload_is_all_but_the_signature(ssh_keygen, tmp_path):
    import pygit2

    file = tmp_path / "key"
    run(ssh_keygen, "-q", "-t", "ed25519", "-N", "", "-f", file)
    run("git", "init", "-q", tmp_path / "repository")
    settings = ("gpg.format=ssh", f"user.signingkey={file}", "user.name=Ann", "user.email=ann@example.com")
    options = [word for setting in settings for word in ("-c", setting)]
    run("git", "-C", tmp_path / "repository", *options, "commit", "-q", "-S", "--allow-empty", "-m", "Signed")
    commit = pygit2.Repository(str(tmp_path / "repository")).head.peel(pygit2.Commit)
    text, payload = commit.gpg_signature
    assert verify(payload, text.decode()) == parse_public_key(Path(f"{file}.pub").read_text()).fingerprint
