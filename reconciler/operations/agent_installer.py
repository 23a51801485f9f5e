"""Makes the installer that puts the agent on a host: for which server, trusting whom, with which settings."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from reconciler.agent.placing import CA_NAME, SiteDefaults
from reconciler.agent.settings import SETTINGS_NAME, InvalidSettings, load_settings
from reconciler.kernel.errors import ReconcilerError
from reconciler.packaging.agent_msi import BuiltAgent, build_agent_msi

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_ANY_HOST = "ANY-HOST"


class NoAuthority(ReconcilerError):
    """A file that holds no certificate to trust."""

    reference = "no-authority"


@dataclass(frozen=True, slots=True)
class AgentInstaller:
    """An agent's MSI as it is asked for.

    ``server`` is the server's address, ``ca`` the PEM file of the authorities that hosts shall trust (``None`` for
    those of Windows), ``settings`` further settings of ``agent.json``.
    """

    server: str
    ca: Path | None
    settings: Mapping[str, Any]


def make_agent_installer(wanted: AgentInstaller, output: Path) -> BuiltAgent:
    """Build the agent's MSI as ``output``. It holds no secret: each host is given its token at the install.

    Raises:
        NoAuthority: the authority's file cannot be read, or holds no certificate.
        InvalidSettings: an agent could not start with these settings.
        PackagingUnavailable: wixl or msitools are missing, or the Windows Python could not be had.
        PackageBuildFailed: the MSI could not be built.
    """
    site = SiteDefaults({"server": wanted.server, **wanted.settings}, _authorities(wanted.ca))
    _check(site)
    return build_agent_msi(site, output)


def _authorities(ca: Path | None) -> str | None:
    if ca is None:
        return None
    try:
        text = ca.read_text("ascii")
    except (OSError, UnicodeDecodeError) as error:
        raise NoAuthority(f"the file cannot be read: {error}", where=str(ca)) from error
    if _CERTIFICATE not in text or "PRIVATE KEY" in text:
        raise NoAuthority(
            "the file must hold certificates in PEM form, and no key",
            where=str(ca),
            hint="the server's own authority is tls/ca.pem in its data folder",
        )
    return text


def _check(site: SiteDefaults) -> None:
    """Let the agent itself read the settings, as a host would."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ca = {}
        if site.ca is not None:
            (folder / CA_NAME).write_text(site.ca, "ascii")
            ca = {"ca": CA_NAME}
        settings = {"host": _ANY_HOST, **site.settings, **ca}
        (folder / SETTINGS_NAME).write_text(json.dumps(settings), "utf-8")
        try:
            load_settings(folder)
        except InvalidSettings as error:
            raise InvalidSettings(error.what, hint=error.hint) from error  # the place is a passing one
