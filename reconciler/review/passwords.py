"""Makes passwords, and the hashes by which they are known again. Keeps neither.

The hash is scrypt (RFC 7914), 16 MiB and some 40 ms each. Passwords are made here, never chosen: with their 128
random bits nobody finds one by its hash, so a cost that only slows the server down would protect nothing more.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_COST, _BLOCK, _LANES = 2**14, 8, 1
_SALT_BYTES, _HASH_BYTES, _PASSWORD_BYTES = 16, 32, 16
_MEMORY = 64 * 1024 * 1024


def make_password() -> str:
    """Return a new password: 128 random bits in 26 letters and digits, in groups that can be read out."""
    text = base64.b32encode(secrets.token_bytes(_PASSWORD_BYTES)).decode().rstrip("=").lower()
    return "-".join(text[start : start + 7] for start in range(0, len(text), 7))


def hash_password(password: str) -> str:
    """Return what to keep of a password: the scheme, its parameters, the salt and the hash."""
    salt = secrets.token_bytes(_SALT_BYTES)
    parts = (
        f"{_COST}",
        f"{_BLOCK}",
        f"{_LANES}",
        salt.hex(),
        _scrypt(password, salt, (_COST, _BLOCK, _LANES)).hex(),
    )
    return "$".join(("scrypt", *parts))


def is_password(password: str, kept: str) -> bool:
    """Return whether a password is the one whose hash was kept; takes as long for a hash that is none."""
    try:
        scheme, cost, block, lanes, salt, expected = kept.split("$")
        parameters = (int(cost), int(block), int(lanes))
        if scheme != "scrypt":
            raise ValueError(scheme)
        found = _scrypt(password, bytes.fromhex(salt), parameters)
        return hmac.compare_digest(found, bytes.fromhex(expected))
    except ValueError:
        _scrypt(password, bytes(_SALT_BYTES), (_COST, _BLOCK, _LANES))
        return False


def _scrypt(password: str, salt: bytes, parameters: tuple[int, int, int]) -> bytes:
    cost, block, lanes = parameters
    content = password.encode("utf-8", "surrogatepass")
    return hashlib.scrypt(content, salt=salt, n=cost, r=block, p=lanes, maxmem=_MEMORY, dklen=_HASH_BYTES)
