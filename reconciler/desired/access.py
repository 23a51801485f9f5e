"""How the server comes in at a host that has no agent, as the desired state says it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Transport(StrEnum):
    """How the server proves to a host's WinRM service who it is."""

    NTLM = "ntlm"
    KERBEROS = "kerberos"
    BASIC = "basic"
    CERTIFICATE = "certificate"


@dataclass(frozen=True, slots=True)
class WinRMAccess:
    """How the server comes in at a host's WinRM service.

    ``password``, ``certificate``, ``key`` and ``authority`` are references (``env:NAME``, ``file:PATH``), never
    the thing itself; empty where there is none.
    """

    transport: Transport
    user: str = ""
    password: str = ""
    certificate: str = ""
    key: str = ""
    authority: str = ""
