"""Options that several commands share, and the settings that they make up."""

from __future__ import annotations

import os
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Format(StrEnum):
    """How a listing is printed."""

    TEXT = "text"
    JSON = "json"


DataOption = Annotated[
    Path | None,
    typer.Option("--data", help="The folder of the installation.", envvar="RECONCILER_DATA", show_envvar=True),
]
RepositoryOption = Annotated[
    str | None,
    typer.Option("--repository", help="The desired-state repository: a path or a URL.", show_default=False),
]
BranchOption = Annotated[
    str | None, typer.Option("--branch", help="The branch whose head is the desired state.", show_default=False)
]
SigningRootsOption = Annotated[
    Path | None,
    typer.Option(
        "--signing-roots",
        help="PEM file of the authorities trusted to sign; else the system's.",
        show_default=False,
    ),
]
FormatOption = Annotated[Format, typer.Option("--format", help="Print for people or for programs.")]


def operator() -> str:
    """Return who runs the command: the person behind sudo, the user's name, or the user's number without one."""
    import getpass

    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def settings_from(**given: Any) -> Any:
    """Return the settings of the environment, with the options that were given put over them."""
    from pydantic import ValidationError

    from reconciler.kernel.errors import ReconcilerError
    from reconciler.settings import Settings

    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise ReconcilerError(
            f"the setting {name} is not usable: {first['msg']}",
            hint=f"look at the option --{name.replace('_', '-')} and the variable RECONCILER_{name.upper()}",
        ) from error
