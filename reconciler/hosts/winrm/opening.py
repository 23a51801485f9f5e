"""Opens pywinrm's protocol for a host, with the secrets found at that moment. The only place that holds them."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from winrm.exceptions import WinRMError
from winrm.protocol import Protocol

from reconciler.desired.host_addresses import IPAddress
from reconciler.grants.credentials import path_of, secret_of
from reconciler.grants.model import Transport
from reconciler.hosts.winrm.connection import OPERATION_SECONDS
from reconciler.hosts.winrm.faults import HostUnreachable
from reconciler.hosts.winrm.pinning import pin
from reconciler.hosts.winrm.target import Target

_READ_SECONDS = 30
"""Longer than an operation may take, or each quiet command would look like a dropped connection."""


def open_protocol(target: Target, address: IPAddress, data: Path | None = None) -> Protocol:
    """Return a protocol for ``target``; nothing is sent yet.

    It connects to ``address`` and nowhere else: names are not looked up again, and redirects are not followed.
    Names in certificates and Kerberos tickets are still those of the target.

    Args:
        target: how the host is reached.
        address: the address that was checked against the grant.
        data: the data folder of the installation, in which no secret may be; ``None`` to allow any file.

    Raises:
        CredentialMissing: a secret of the grant cannot be had.
        HostUnreachable: the transport lacks something on this server.
    """
    grant = target.grant
    try:
        protocol = Protocol(
            endpoint=target.url,
            transport=grant.transport.value,
            username=grant.user or None,
            password=secret_of(grant.password, data) if grant.password else None,
            cert_pem=str(path_of(grant.certificate, data)) if grant.certificate else None,
            cert_key_pem=str(path_of(grant.key, data)) if grant.key else None,
            ca_trust_path=str(path_of(grant.authority, data)) if grant.authority else None,  # type: ignore[arg-type]
            message_encryption=_encryption(target),
            operation_timeout_sec=OPERATION_SECONDS,
            read_timeout_sec=_READ_SECONDS,
            proxy=None,
        )
    except WinRMError as error:
        raise HostUnreachable(f"this server cannot speak {grant.transport}: {error}", where=target.host) from error
    pin(protocol.transport, target.url, address)
    return protocol


def _encryption(target: Target) -> Literal["auto", "always"]:
    """Over plain HTTP never go without message encryption where the transport has it, whatever the host says."""
    encrypts = target.grant.transport in (Transport.NTLM, Transport.KERBEROS)
    return "always" if encrypts and target.url.startswith("http:") else "auto"
