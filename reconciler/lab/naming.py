"""Decides how a lab host gets a Windows name of its own."""

from __future__ import annotations

import re
import subprocess
from enum import StrEnum
from functools import cache

from reconciler.lab.errors import LabError

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,13}[A-Za-z0-9])?")
_UTS = ("unshare", "--uts")
_USER_UTS = ("unshare", "--user", "--map-root-user", "--uts")
_AS_HOST = ("sh", "-c", 'hostname "$0" && exec "$@"')


class Naming(StrEnum):
    """Where a lab host's name comes from, best first."""

    NAMESPACE = "namespace"
    """A UTS namespace, as root: every program sees the host's name."""
    USER_NAMESPACE = "user-namespace"
    """The same within a user namespace, without root."""
    REGISTRY = "registry"
    """The registry's computer name only: ``COMPUTERNAME`` is right, but sockets tell this machine's name."""


def check_name(name: str) -> str:
    """Return ``name`` if Windows takes it for a computer name.

    Raises:
        LabError: it is not one.

    Source: learn.microsoft.com/troubleshoot/windows-server, "Naming conventions in Active Directory for computers"
    """
    if _NAME.fullmatch(name) is None:
        raise LabError(
            f"{name!r} can't be the name of a Windows host",
            hint="use 1 to 15 letters, digits and hyphens, with a letter or digit at both ends",
        )
    return name


@cache
def available_naming() -> Naming:
    """Return the best naming that this machine allows, found by trying."""
    for naming, unshare in ((Naming.NAMESPACE, _UTS), (Naming.USER_NAMESPACE, _USER_UTS)):
        trial = [*unshare, *_AS_HOST, "trial", "true"]
        try:
            if subprocess.run(trial, check=False, capture_output=True, timeout=10).returncode == 0:
                return naming
        except (OSError, subprocess.TimeoutExpired):
            continue
    return Naming.REGISTRY


def named(name: str, command: list[str]) -> list[str]:
    """Return ``command`` such that it sees ``name`` as the machine's name where that can be had."""
    match available_naming():
        case Naming.NAMESPACE:
            return [*_UTS, *_AS_HOST, name, *command]
        case Naming.USER_NAMESPACE:
            return [*_USER_UTS, *_AS_HOST, name, *command]
        case Naming.REGISTRY:
            return command
