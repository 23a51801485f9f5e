"""Untrusted text for the headers of mail."""

from __future__ import annotations

import re

from reconciler.presentation.terminal import for_terminal

LONGEST_HEADER = 200
"""Characters of a subject or a display name that are sent."""

_ENCODED_WORD = re.compile(r"=(?=\?)")


def for_mail_header(text: object, longest: int = LONGEST_HEADER) -> str:
    r"""Return a value for a header of a mail: one line that adds no header, and that no mail program decodes.

    A program decodes an encoded word (``=?utf-8?B?…?=``) even in a header of plain ASCII, so what begins one is
    escaped as ``\x3d?``. Source: RFC 2047, section 2.

    Args:
        text: the value; what is not text is converted by `str`.
        longest: characters to send.
    """
    return _ENCODED_WORD.sub(r"\\x3d", for_terminal(text, longest))
