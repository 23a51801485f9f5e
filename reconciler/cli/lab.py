"""Commands on the lab: lab up, lab down, lab status."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, settings_from

if TYPE_CHECKING:
    from reconciler.lab import HostStatus

app = typer.Typer(help="Windows hosts without Windows, for a first try and for tests.", no_args_is_help=True)


@app.command("up", epilog="Example: `reconciler lab up DEV-01 UAT-01`")
def up(
    names: Annotated[
        list[str] | None, typer.Argument(help="Hosts of the desired state; all of them where none is named.")
    ] = None,
    poll_seconds: Annotated[
        float, typer.Option("--poll-seconds", min=0.1, help="Seconds between the agents' check-ins.")
    ] = 5.0,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Start lab hosts and let their agents enrol. Hosts that run already are left as they are."""
    from reconciler.operations.lab import lab_up
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        _print(lab_up(site, names or [], poll_seconds), form)


@app.command("down", epilog="Example: `reconciler lab down`")
def down(data: DataOption = None) -> None:
    """End and remove every lab host of this installation."""
    from reconciler.cli.output import print_line
    from reconciler.operations.lab import lab_of
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        lab = lab_of(site)
        count = len(lab.status())
        lab.down()
    print_line(f"removed {count} lab host(s)")


@app.command("status", epilog="Example: `reconciler lab status --format json`")
def status(data: DataOption = None, form: FormatOption = Format.TEXT) -> None:
    """Show the lab hosts of this installation."""
    from reconciler.operations.lab import lab_of
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        _print(lab_of(site).status(), form)


def _print(hosts: tuple[HostStatus, ...], form: Format) -> None:
    from reconciler.cli.output import print_json, print_table

    if form is Format.JSON:
        print_json(hosts)
        return
    print_table(
        ("host", "booted", "agent", "files"),
        [
            (
                host.name,
                "yes" if host.booted else "no",
                "running" if host.agent_running else "not running",
                str(host.layering),
            )
            for host in hosts
        ],
    )
