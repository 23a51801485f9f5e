"""The quotas of the endpoint; decides nothing."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The quotas of a WinRM service, by the names that ``winrm get winrm/config`` gives them, with its defaults.

    ``min_idle_timeout_ms`` is the least that a client may ask for as a shell's ``IdleTimeOut``.

    Source: learn.microsoft.com/windows/win32/winrm/installation-and-configuration-for-windows-remote-management
    """

    max_shells_per_user: int = 30
    max_concurrent_operations_per_user: int = 1500
    max_envelope_size_kb: int = 500
    max_timeout_ms: int = 60_000
    idle_timeout_ms: int = 7_200_000
    min_idle_timeout_ms: int = 60_000
