"""Opens the forge that the settings name. Asks it nothing yet."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from reconciler.approval.forge import Forge
from reconciler.approval.forges import azure_devops, github, gitlab
from reconciler.approval.forges.azure_devops import AzureDevOps
from reconciler.approval.forges.forgejo import Forgejo
from reconciler.approval.forges.github import GitHub
from reconciler.approval.forges.gitlab import GitLab
from reconciler.grants.credentials import secret_of
from reconciler.kernel.errors import ReconcilerError
from reconciler.settings import Settings


class ForgeMisconfigured(ReconcilerError):
    """The settings name a forge, and do not say all that is needed to ask it."""

    reference = "forge-misconfigured"


@dataclass(frozen=True, slots=True)
class _Kind:
    """One kind of forge. ``public`` is the API of the public service, empty where there is none.

    ``shape`` is how a project is written, and ``parts`` how many names that may be.
    """

    open: Callable[[str, str, str, str], Forge]
    public: str
    shape: str
    parts: range


_KINDS: Mapping[str, _Kind] = {
    "github": _Kind(GitHub, github.PUBLIC, "owner/name", range(2, 3)),
    "gitlab": _Kind(GitLab, gitlab.PUBLIC, "group/name", range(2, 22)),
    "forgejo": _Kind(Forgejo, "", "owner/name", range(2, 3)),
    "azure": _Kind(AzureDevOps, azure_devops.PUBLIC, "organization/project/repository", range(3, 4)),
}


def connected_forge(settings: Settings) -> Forge | None:
    """Return the forge that the settings name; ``None`` where they name none.

    Raises:
        ForgeMisconfigured: an address, a project or a token is missing, or is no such thing.
        CredentialMissing: the token is not where the settings say.
    """
    if not settings.forge:
        return None
    kind = _KINDS[settings.forge]
    project = settings.forge_project.strip("/")
    names = project.split("/")
    if len(names) not in kind.parts or not all(names):
        raise ForgeMisconfigured(
            f"{settings.forge_project!r} is no project of {settings.forge}",
            hint=f"set RECONCILER_FORGE_PROJECT to {kind.shape}",
        )
    if not settings.forge_token:
        raise ForgeMisconfigured(
            f"there is no token for {settings.forge}",
            hint="set RECONCILER_FORGE_TOKEN to env:NAME or file:/full/path",
        )
    base = settings.forge_url or kind.public
    _demand_safe(base, settings.forge)
    return kind.open(base, project, settings.branch, secret_of(settings.forge_token))


def webhook_secret(settings: Settings) -> str:
    """Return the secret of the forge's webhook; empty where none is set up.

    Raises:
        CredentialMissing: it is not where the settings say.
    """
    return secret_of(settings.webhook_secret) if settings.webhook_secret else ""


def _demand_safe(base: str, kind: str) -> None:
    """Refuse an address that is none, or that would let others read the token."""
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username is not None:
        raise ForgeMisconfigured(
            f"it is not known where the API of {kind} is",
            hint="set RECONCILER_FORGE_URL, to such as https://git.example.com/api/v1, with no account in it",
        )
    if parts.scheme == "http" and not _is_loopback(parts.hostname):
        raise ForgeMisconfigured(
            "plain HTTP would let anybody read the token", where=base, hint="set RECONCILER_FORGE_URL to https://…"
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
