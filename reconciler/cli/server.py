"""Options that say which server to ask and as whom, for commands that reviewers run on machines of their own."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from reconciler.review.client import Server

ServerOption = Annotated[
    str | None,
    typer.Option(
        "--server",
        help="The server's address; on the server itself it is known.",
        envvar="RECONCILER_SERVER",
        show_envvar=True,
    ),
]
CaOption = Annotated[
    Path | None,
    typer.Option(
        "--ca",
        help="PEM file of the authorities to trust; else the system's.",
        envvar="RECONCILER_CA",
        show_envvar=True,
        dir_okay=False,
    ),
]
UserOption = Annotated[
    str | None,
    typer.Option("--user", help="The name of your account.", envvar="RECONCILER_USER", show_envvar=True),
]


def server_from(url: str | None, ca: Path | None, user: str | None, data: Path | None) -> Server:
    """Return the server that options and environment name; on the server itself, the one of its installation.

    The password comes from RECONCILER_PASSWORD, or is asked for.

    Raises:
        ServerUnreachable: no server is named, or nobody to sign in as.
    """
    from reconciler.review.client import Server, ServerUnreachable

    if url is None:
        url, ca = _local(data, ca)
    if user is None:
        raise ServerUnreachable("no account is named", hint="give --user, or set RECONCILER_USER")
    password = os.environ.get("RECONCILER_PASSWORD")
    if password is None:
        if not sys.stdin.isatty():
            raise ServerUnreachable("no password is given", hint="set RECONCILER_PASSWORD")
        password = typer.prompt(f"Password of {user}", hide_input=True, err=True)
    return Server(url, ca, user, password.strip())


def _local(data: Path | None, ca: Path | None) -> tuple[str, Path | None]:
    from reconciler.cli.options import settings_from
    from reconciler.review.client import ServerUnreachable
    from reconciler.site import has_installation, open_site

    settings = settings_from(data=data)
    url = None
    if has_installation(settings):
        with open_site(settings) as site:
            url = site.revisions.fact("url")
    if url is None:
        hint = "give --server, or set RECONCILER_SERVER, to an address such as https://reconciler.example.com:8443"
        raise ServerUnreachable("no server is named, and there is none here", hint=hint)
    return url, ca or settings.data / "tls" / "ca.pem"
