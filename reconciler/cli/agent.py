"""Commands on agents: agent token."""

from __future__ import annotations

from typing import Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, settings_from

app = typer.Typer(help="Enrol hosts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Enrol hosts."""


@app.command("token", epilog="Example: `reconciler agent token --environment dev`")
def token(
    environment: Annotated[
        str, typer.Option("--environment", help="The environment that the host will belong to.")
    ],
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Make a one-time token with which one host can enrol into an environment. It is shown only now."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.token import make_token
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        made = make_token(site, environment)
    if form is Format.JSON:
        print_json({"environment": environment, "token": made})
    else:
        print_line(made)
