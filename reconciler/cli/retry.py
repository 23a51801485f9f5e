"""The command `retry`."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, operator, settings_from

if TYPE_CHECKING:
    from reconciler.operations.retry import Retried
    from reconciler.site import Site


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("retry", epilog='Example: `reconciler retry PROD-01 contoso-agent --reason "disk freed"`')(retry)


def retry(
    host: Annotated[str | None, typer.Argument(help="The host's name, in any case.", show_default=False)] = None,
    package: Annotated[str | None, typer.Argument(help="The package's name.", show_default=False)] = None,
    environment: Annotated[
        str | None, typer.Option("--environment", help="Instead of a host: all hosts of this environment.")
    ] = None,
    there: Annotated[str | None, typer.Option("--package", help="The package's name, with --environment.")] = None,
    reason: Annotated[str, typer.Option("--reason", help="Why, for the record.", show_default=False)] = "",
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Have a package tried afresh where its tries failed or it was halted: on one host, or in an environment."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.retry import Asking, retry_environment, retry_host
    from reconciler.site import open_site

    asking = Asking(operator(), reason)
    ask: Callable[[Site], Retried]
    if host is not None and package is not None and environment is None and there is None:
        ask = partial(retry_host, name=host, package=package, asking=asking)
    elif host is None and environment is not None and there is not None:
        ask = partial(retry_environment, environment=environment, package=there, asking=asking)
    else:
        raise typer.BadParameter("give HOST and PACKAGE, or --environment and --package")
    with open_site(settings_from(data=data)) as site:
        retried = ask(site)
    if form is Format.JSON:
        print_json(retried)
        return
    print_line(
        f"{retried.retry.package} is tried afresh on {', '.join(retried.hosts)}: "
        "the daemon gives it out at the agents' next check-in"
    )
