"""Message encryption over HTTP: packs and unpacks ``multipart/encrypted``; the keys are the sign-in's.

Source: [MS-WSMV] 2.2.9.1, "Encrypted Message Types".
"""

from __future__ import annotations

import re
import struct

import spnego
from spnego.exceptions import SpnegoError

PROTOCOL = "application/HTTP-SPNEGO-session-encrypted"
CONTENT_TYPE = f'multipart/encrypted;protocol="{PROTOCOL}";boundary="Encrypted Boundary"'

_BOUNDARY = b"--Encrypted Boundary"
_PARTS = re.compile(
    _BOUNDARY
    + rb"\r\n\s*Content-Type: *(?P<protocol>[^\r]*)\r\n\s*OriginalContent: *[^\r]*Length=(?P<length>\d+)[^\r]*\r\n"
    + _BOUNDARY
    + rb"\r\n\s*Content-Type: *application/octet-stream\r\n(?P<sealed>.*)"
    + _BOUNDARY
    + rb"--\r\n",
    re.DOTALL | re.IGNORECASE,
)


class NotUnsealed(Exception):
    """A message is not of this form, or not sealed with this connection's keys."""


def unseal(context: spnego.ContextProxy, body: bytes) -> bytes:
    """Return what was sealed.

    Raises:
        NotUnsealed: it cannot be opened.
    """
    found = _PARTS.fullmatch(body)
    if found is None or found["protocol"].strip() != PROTOCOL.encode():
        raise NotUnsealed
    sealed = found["sealed"]
    try:
        (size,) = struct.unpack_from("<i", sealed)
        message = context.unwrap_winrm(sealed[4 : 4 + size], sealed[4 + size :])
    except (SpnegoError, struct.error) as error:
        raise NotUnsealed from error
    if len(message) != int(found["length"]):
        raise NotUnsealed
    return message


def seal(context: spnego.ContextProxy, message: bytes) -> bytes:
    """Return ``message`` sealed, as the body of an answer of ``CONTENT_TYPE``."""
    sealed = context.wrap_winrm(message)
    length = len(message) + sealed.padding_length
    head = (
        f"\tContent-Type: {PROTOCOL}\r\n"
        f"\tOriginalContent: type=application/soap+xml;charset=UTF-8;Length={length}\r\n"
    ).encode()
    return b"".join(
        (
            _BOUNDARY + b"\r\n",
            head,
            _BOUNDARY + b"\r\n\tContent-Type: application/octet-stream\r\n",
            struct.pack("<i", len(sealed.header)),
            sealed.header,
            sealed.data,
            _BOUNDARY + b"--\r\n",
        )
    )
