"""The settings of one installation: from the environment (RECONCILER_…), over which command-line options go."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, IPvAnyNetwork
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """What an installation can be told. Every setting stands in docs/reference/settings.md."""

    model_config = SettingsConfigDict(env_prefix="RECONCILER_", frozen=True)

    data: Path = Field(
        default=Path("reconciler-data"),
        description="The folder of the database, the artifacts, the logs and the server's certificate.",
    )
    repository: str = Field(
        default="",
        description="The desired-state repository: a path or a URL. The daemon remembers it for other commands.",
    )
    host_repository: bool = Field(
        default=False,
        description="Whether the daemon holds the repository itself, with the built-in review.",
    )
    branch: str = Field(default="main", description="The branch whose head is the desired state.")
    root: str = Field(
        default="environments", description="The folder within the repository where the desired state begins."
    )
    forge: Literal["", "github", "gitlab", "forgejo", "azure"] = Field(
        default="",
        description="The forge that the repository is at, whose reviews count: github, gitlab, forgejo (Gitea as "
        "well) or azure (Azure DevOps).",
    )
    forge_url: str = Field(
        default="", description="Where the forge's API is; left out for github.com, gitlab.com and dev.azure.com."
    )
    forge_project: str = Field(
        default="",
        description="The project at the forge: owner/name, group/name, or for azure "
        "organization/project/repository.",
    )
    forge_token: str = Field(
        default="", description="Where the token for the forge's API stands: env:NAME or file:/full/path."
    )
    webhook_secret: str = Field(
        default="",
        description="Where the secret of the forge's webhook stands: env:NAME or file:/full/path. Without it, "
        "none is taken.",
    )
    address: str = Field(default="127.0.0.1", description="The address on which the daemon serves agents.")
    port: int = Field(default=8443, ge=0, le=65535, description="The port; 0 takes any free one.")
    server_names: tuple[str, ...] = Field(
        default=("127.0.0.1", "localhost"),
        description="Names and addresses by which agents reach the daemon, for its certificate (a JSON list).",
    )
    fetch_seconds: float = Field(
        default=60.0,
        gt=0,
        description="Seconds between looks at the repository; a local one is watched besides.",
    )
    silent_seconds: float = Field(
        default=300.0, gt=0, description="Seconds without a word after which a host counts as silent."
    )
    grants: str = Field(
        default="",
        description="The file of what the desired state may use of this server, by name: how hosts are reached by "
        "WinRM, where notifications go, where artifacts come from. Without it, nothing is granted.",
    )
    audit_witnesses: tuple[str, ...] = Field(
        default=(),
        description="Where signed checkpoints of the audit chain are kept besides the database (a JSON list): "
        "file:/path, git:URL, git:URL#REF, https://…, mail:env:NAME, or env:NAME for one of these.",
    )
    checkpoint_records: int = Field(
        default=1000, ge=1, description="New audit records after which a checkpoint is signed at once."
    )
    checkpoint_seconds: float = Field(
        default=86400.0,
        gt=0,
        description="Seconds after which a checkpoint is signed however few records are new.",
    )
    push_seconds: float = Field(
        default=60.0, gt=0, description="Seconds between looks at a host that is kept by WinRM."
    )
    push_concurrency: int = Field(
        default=16, ge=1, le=512, description="Hosts that are worked on by WinRM at the same time, at most."
    )
    unauthenticated_connections: int = Field(
        default=1000,
        ge=8,
        description="Most unauthenticated connections. One more ends the oldest of them.",
    )
    unauthenticated_per_address: int = Field(
        default=250,
        ge=4,
        description="Most unauthenticated connections of one address; for IPv6, of one /64 network.",
    )
    handshake_seconds: float = Field(default=10.0, gt=0, description="Seconds that a TLS handshake may take.")
    head_seconds: float = Field(
        default=10.0, gt=0, description="Seconds that the request line and headers of a request may take."
    )
    body_seconds: float = Field(
        default=30.0, gt=0, description="Seconds without a byte after which a request's body is given up."
    )
    trusted_proxies: tuple[IPvAnyNetwork, ...] = Field(
        default=(),
        description="Addresses or networks of reverse proxies whose X-Forwarded-For header counts (a JSON list).",
    )
    push_bytes: int = Field(
        default=64 * 1024 * 1024, ge=64 * 1024, description="Bytes of one push to the built-in review."
    )
    push_file_bytes: int = Field(
        default=1024 * 1024, ge=1024, description="Bytes of one file in the repository that the daemon holds."
    )
    branches_per_account: int = Field(
        default=50, ge=1, description="Branches that one account may have in the repository that the daemon holds."
    )
    changes_per_account: int = Field(default=20, ge=1, description="Open changes that one account may have.")
