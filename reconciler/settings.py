"""The settings of one installation: from the environment (RECONCILER_…), over which command-line options go."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field
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
    address: str = Field(default="127.0.0.1", description="The address on which the daemon serves agents.")
    port: int = Field(default=8443, ge=0, le=65535, description="The port; 0 takes any free one.")
    server_names: tuple[str, ...] = Field(
        default=("localhost", "127.0.0.1"),
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
    push_seconds: float = Field(
        default=60.0, gt=0, description="Seconds between looks at a host that is kept by WinRM."
    )
    push_concurrency: int = Field(
        default=16, ge=1, le=512, description="Hosts that are worked on by WinRM at the same time, at most."
    )
