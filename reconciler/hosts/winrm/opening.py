"""Opens pywinrm's protocol for a host, with the secrets found at that moment. The only place that holds them."""

from __future__ import annotations

from typing import Literal

from winrm.exceptions import WinRMError
from winrm.protocol import Protocol

from reconciler.desired.access import Transport
from reconciler.hosts.credentials import path_of, secret_of
from reconciler.hosts.winrm.connection import OPERATION_SECONDS
from reconciler.hosts.winrm.faults import HostUnreachable
from reconciler.hosts.winrm.target import Target

_READ_SECONDS = 30
"""Longer than an operation may take, or each quiet command would look like a dropped connection."""


def open_protocol(target: Target) -> Protocol:
    """Return a protocol for ``target``; nothing is sent yet.

    Raises:
        CredentialMissing: a secret that its file refers to cannot be had.
        HostUnreachable: the transport lacks something on this server.
    """
    access = target.access
    try:
        return Protocol(
            endpoint=target.url,
            transport=access.transport.value,
            username=access.user or None,
            password=secret_of(access.password) if access.password else None,
            cert_pem=str(path_of(access.certificate)) if access.certificate else None,
            cert_key_pem=str(path_of(access.key)) if access.key else None,
            ca_trust_path=str(path_of(access.authority)) if access.authority else None,  # type: ignore[arg-type]
            message_encryption=_encryption(target),
            operation_timeout_sec=OPERATION_SECONDS,
            read_timeout_sec=_READ_SECONDS,
            proxy=None,
        )
    except WinRMError as error:
        raise HostUnreachable(
            f"this server cannot speak {access.transport}: {error}", where=target.host
        ) from error


def _encryption(target: Target) -> Literal["auto", "always"]:
    """Over plain HTTP never go without message encryption where the transport has it, whatever the host says."""
    encrypts = target.access.transport in (Transport.NTLM, Transport.KERBEROS)
    return "always" if encrypts and target.url.startswith("http:") else "auto"
