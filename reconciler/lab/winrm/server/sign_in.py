"""Who a connection belongs to: Basic or a certificate with each request, or NTLM once for all; keeps no shell."""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

import spnego
from cryptography import x509
from spnego.exceptions import NegotiateOptions, SpnegoError


@dataclass(frozen=True, slots=True)
class Account:
    """The one user whom the endpoint knows; by a certificate that names ``principal``, where that is given."""

    user: str
    password: str
    principal: str = ""


class Step(Enum):
    """How far a connection has come with a request."""

    IN = auto()
    CONTINUE = auto()
    REFUSED = auto()


ACCOUNTS_VARIABLE = "NTLM_USER_FILE"
"""By this variable pyspnego finds the file of users."""

CHALLENGES = ("Negotiate", 'Basic realm="WSMAN"')

_BY_CERTIFICATE = "http://schemas.dmtf.org/wbem/wsman/1/wsman/secprofile/https/mutual"
_PRINCIPAL_NAME = x509.ObjectIdentifier("1.3.6.1.4.1.311.20.2.3")  # szOID_NT_PRINCIPAL_NAME


class SignIn:
    """The state of one connection.

    ``context`` is there once NTLM has been gone through; ``challenges`` and ``tokens`` are what the answer to the
    present request carries as ``WWW-Authenticate`` where it is refused, or where it is not.
    """

    def __init__(self, account: Account, certificate: Callable[[], bytes | None]) -> None:
        self._account = account
        self._certificate = certificate
        self._negotiating: spnego.ContextProxy | None = None
        self.context: spnego.ContextProxy | None = None
        self.challenges: tuple[str, ...] = CHALLENGES
        self.tokens: tuple[str, ...] = ()

    def step(self, authorization: str | None) -> Step:
        """Take the ``Authorization`` header of a request."""
        self.challenges, self.tokens = CHALLENGES, ()
        if authorization is None:
            return Step.IN if self.context is not None else Step.REFUSED
        if authorization == _BY_CERTIFICATE:
            return self._by_certificate()
        scheme, _, token = authorization.partition(" ")
        try:
            data = base64.b64decode(token.strip(), validate=True)
        except binascii.Error:
            return Step.REFUSED
        match scheme.lower():
            case "basic":
                return self._basic(data)
            case "negotiate" | "ntlm":
                return self._negotiate(scheme, data)
            case _:
                return Step.REFUSED

    def _basic(self, data: bytes) -> Step:
        user, _, password = data.decode("utf-8", errors="replace").partition(":")
        known = hmac.compare_digest(password.encode(), self._account.password.encode())
        return Step.IN if known and _local_name(user) == self._account.user.lower() else Step.REFUSED

    def _by_certificate(self) -> Step:
        shown = self._certificate()
        mapped = shown is not None and self._account.principal.lower() in _principals(shown)
        return Step.IN if mapped else Step.REFUSED

    def _negotiate(self, scheme: str, token: bytes) -> Step:
        self.context = None
        try:
            if self._negotiating is None:
                # Never the SSPI of this Windows: Wine's knows no accounts of ours.
                self._negotiating = spnego.server(protocol="negotiate", options=NegotiateOptions.use_negotiate)
            reply = self._negotiating.step(token)
        except (SpnegoError, ValueError, struct.error):
            self._negotiating = None
            return Step.REFUSED
        self.tokens = (f"{scheme} {base64.b64encode(reply).decode()}",) if reply else ()
        if not self._negotiating.complete:
            self.challenges = self.tokens
            return Step.CONTINUE
        self.context, self._negotiating = self._negotiating, None
        return Step.IN


def _local_name(user: str) -> str:
    return user.rpartition("\\")[2].lower()


def _principals(certificate: bytes) -> set[str]:
    """Return the user principal names among a certificate's alternative names, in lower case."""
    try:
        names = x509.load_der_x509_certificate(certificate).extensions.get_extension_for_class(
            x509.SubjectAlternativeName
        )
    except (ValueError, x509.ExtensionNotFound):
        return set()
    others = names.value.get_values_for_type(x509.OtherName)
    # A UTF8String in DER: its tag, its length in one byte, then the text.
    return {
        other.value[2:].decode("utf-8", "replace").lower() for other in others if other.type_id == _PRINCIPAL_NAME
    }
