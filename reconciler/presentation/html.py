"""Untrusted text for web pages."""

from __future__ import annotations

import html
import re

from reconciler.presentation.terminal import LONGEST_VALUE, for_terminal

_WEB = re.compile(r"https?://[^\s/?#@\\]+(?:[/?#].*)?", re.IGNORECASE)
"""Addresses that a page may lead to: the web only, without a user name that poses as the host."""


def for_html(text: object, longest: int = LONGEST_VALUE) -> str:
    """Return a value as HTML text that is safe between tags and in a quoted attribute.

    Args:
        text: the value; what is not text is converted by `str`.
        longest: characters to show, before they are escaped.
    """
    return html.escape(for_terminal(text, longest), quote=True)


def link(address: str, text: object) -> str:
    """Return an HTML link where an address leads to the web, else only its text.

    Args:
        address: an address from untrusted text.
        text: what is shown.
    """
    if _WEB.fullmatch(address) is None or not address.isprintable():
        return for_html(text)
    quoted = html.escape(address, quote=True)
    return f'<a href="{quoted}" rel="noopener noreferrer nofollow">{for_html(text)}</a>'
