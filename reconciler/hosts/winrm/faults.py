"""Puts into words why a WinRM service refuses or cannot be reached, and what to do about it. Speaks with no host.

Source: learn.microsoft.com/windows/win32/winrm/quotas and the codes in wsmerror.h of the Windows SDK
"""

from __future__ import annotations

import ssl

import requests
from winrm.exceptions import AuthenticationError, WSManFaultError

from reconciler.kernel.errors import ReconcilerError

_SHELLS = (
    "this account has as many shells open there as it may",
    "end leftover ones (winrm enumerate shell), or raise it there: winrm set winrm/config/winrs "
    '@{MaxShellsPerUser="50"}',
)
_COMMANDS = (
    "its shell runs as many processes as it may",
    'raise it there: winrm set winrm/config/winrs @{MaxProcessesPerShell="50"}',
)
_OPERATIONS = (
    "this account asks more of it at once than it may",
    'wait, or raise it there: winrm set winrm/config/service @{MaxConcurrentOperationsPerUser="1500"}',
)
_USERS = (
    "as many accounts have shells open there as may",
    'raise it there: winrm set winrm/config/winrs @{MaxConcurrentUsers="20"}',
)
_SYSTEM = ("its WinRM service is at its limits", "wait; if it stays so, restart the service WinRM there")
_NOT_ALLOWED = (
    "it lets nobody have a shell",
    'allow it there: winrm set winrm/config/winrs @{AllowRemoteShellAccess="true"} (group policy may forbid it)',
)
_DENIED = (
    "this account may not use its WinRM service",
    "make it a member of Administrators there; a local account other than Administrator also needs "
    "LocalAccountTokenFilterPolicy=1",
)

_WORDS = {
    5: _DENIED,
    0x803381A5: _SHELLS,
    0x803381E4: _SHELLS,
    0x803381E6: _SHELLS,
    0x803381A6: _OPERATIONS,
    0x803381A7: _OPERATIONS,
    0x803381E7: _OPERATIONS,
    0x803381E8: _OPERATIONS,
    0x803381E9: _COMMANDS,
    0x803381A8: _SYSTEM,
    0x803381EA: _SYSTEM,
    0x803381AB: _USERS,
    0x803381E5: _USERS,
    0x803381AC: _NOT_ALLOWED,
}


_OF_KERBEROS = "authGSSClient"
"""Stands in each of its faults. Their class cannot be imported where Kerberos is not installed."""


class HostUnreachable(ReconcilerError):
    """A host whose WinRM service does not answer, or not to us."""

    reference = "host-unreachable"


class HostRefused(ReconcilerError):
    """The host's WinRM service answered, and said no."""

    reference = "host-refused"


def refusal(error: WSManFaultError, host: str) -> HostRefused:
    """Return what a fault means, in words for an operator.

    Args:
        error: the fault.
        host: the host's name.
    """
    code = (error.wsman_fault_code or error.wmierror_code or 0) & 0xFFFFFFFF
    if code in _WORDS:
        what, hint = _WORDS[code]
        return HostRefused(f"{what} (WinRM fault 0x{code:08X})", where=host, hint=hint)
    said = " ".join(str(error.reason).split())[:300]
    return HostRefused(f"its WinRM service refused: {said} (fault 0x{code:08X})", where=host)


def unreachable(error: Exception, host: str) -> HostUnreachable:
    """Return why a host could not be asked at all, in words for an operator.

    Args:
        error: what pywinrm raised.
        host: the host's name.
    """
    if isinstance(error, AuthenticationError):
        return HostUnreachable(
            "its WinRM service does not accept these credentials",
            where=host,
            hint="check transport, user and password or certificate of its grant, and what the host maps it to",
        )
    root = _root(error)
    if isinstance(root, ssl.SSLCertVerificationError):
        return HostUnreachable(
            f"its certificate is not trusted: {root}",
            where=host,
            hint="give authority in its grant, and the name that the certificate is for as its address",
        )
    if isinstance(error, requests.TooManyRedirects):
        return HostUnreachable(
            "its WinRM service redirects to another address; nothing was sent there",
            where=host,
            hint="what answers there is no WinRM service: check the address in its file",
        )
    if isinstance(error, requests.exceptions.SSLError):
        return HostUnreachable(
            f"TLS with its WinRM service fails: {root}",
            where=host,
            hint="is this its port for HTTPS, and does it trust the authority of the certificate in its grant?",
        )
    if isinstance(error, (requests.ConnectionError, requests.Timeout)):
        return HostUnreachable(
            f"its WinRM service does not answer: {str(root) or type(root).__name__}",
            where=host,
            hint="is it on, is WinRM enabled there (winrm quickconfig), and does a firewall let us through?",
        )
    if _OF_KERBEROS in str(error):
        return HostUnreachable(
            f"Kerberos gives no ticket for its WinRM service: {_last_words(root)}",
            where=host,
            hint="has the daemon's user a ticket of this account (klist, kinit), and is the address the name by "
            "which the directory knows the host?",
        )
    return HostUnreachable(f"WinRM failed: {error}", where=host)


def _root(error: BaseException) -> BaseException:
    """Return what lies at the bottom of a chain of network errors, which is what says something."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return error


def _last_words(error: BaseException) -> str:
    """Return what the library says last: GSSAPI first says that something failed, then what."""
    said = error.args[-1] if error.args else error
    return str(said[0] if isinstance(said, tuple) else said)
