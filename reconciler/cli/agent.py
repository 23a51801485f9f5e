"""Commands on agents: agent token, agent msi, agent push."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, operator, settings_from

app = typer.Typer(help="Put agents on hosts.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Put agents on hosts."""


@app.command("token", epilog="Example: `reconciler agent token --environment dev`")
def token(
    environment: Annotated[
        str | None,
        typer.Option(
            "--environment", help="The environment that the host will belong to; of a known host, its own."
        ),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option("--host", help="The only host that may use it; it may also replace that host's key."),
    ] = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Make a one-time token with which one host can enrol. It is shown only now."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.token import make_token, make_token_for
    from reconciler.site import open_site

    if environment is None and host is None:
        raise typer.BadParameter("give --environment, --host, or both")
    with open_site(settings_from(data=data)) as site:
        made = make_token(site, environment, host) if environment is not None else make_token_for(site, host or "")
    if form is Format.JSON:
        print_json({"environment": environment, "host": host, "token": made})
    else:
        print_line(made)


@app.command("approve", epilog="Example: `reconciler agent approve PROD-77 3f2a91c0d4e5`")
def approve(
    host: Annotated[str, typer.Argument(help="The host's name, in any case.")],
    identity: Annotated[str, typer.Argument(metavar="ID", help="The key's or machine's id, as status shows it.")],
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Let a reinstalled machine take over a host's name, or a quarantined one speak for the host again."""
    _decide(host, identity, data, form, approved=True)


@app.command("refuse", epilog="Example: `reconciler agent refuse PROD-77 3f2a91c0d4e5`")
def refuse(
    host: Annotated[str, typer.Argument(help="The host's name, in any case.")],
    identity: Annotated[str, typer.Argument(metavar="ID", help="The key's or machine's id, as status shows it.")],
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Refuse a machine that asks for a host's name, or keep a quarantined one out permanently."""
    _decide(host, identity, data, form, approved=False)


def _decide(host: str, identity: str, data: Path | None, form: Format, *, approved: bool) -> None:
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.identity import decide
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        decided = decide(site, host, identity, approved=approved, by=operator())
    if form is Format.JSON:
        print_json(decided)
    elif approved:
        print_line(
            f"{decided.host}: the {decided.what} {decided.id} from {decided.address} speaks for it from now on"
        )
    else:
        print_line(f"{decided.host}: the {decided.what} {decided.id} from {decided.address} is refused")


@app.command(
    "msi", epilog="Example: `reconciler agent msi --server https://reconciler.example.com:8443 --ca ca.pem`"
)
def msi(
    server: Annotated[str, typer.Option("--server", help="The server's address, as hosts reach it.")],
    output: Annotated[Path, typer.Option("--output", help="The file to write.", dir_okay=False)] = Path(
        "reconciler-agent.msi"
    ),
    ca: Annotated[
        Path | None,
        typer.Option("--ca", help="PEM file of the authorities to trust; else those of Windows.", dir_okay=False),
    ] = None,
    proxy: Annotated[str | None, typer.Option("--proxy", help="The HTTP proxy that hosts go through.")] = None,
    poll_seconds: Annotated[
        float | None, typer.Option("--poll-seconds", help="Seconds between check-ins; 60 by default.")
    ] = None,
    bandwidth: Annotated[
        float | None,
        typer.Option("--bandwidth-kilobytes-per-second", help="Bound on each host's downloads; none by default."),
    ] = None,
    download_window: Annotated[
        str | None, typer.Option("--download-window", help='When hosts may download: "22:00-06:00", their time.')
    ] = None,
    cache_megabytes: Annotated[
        float | None,
        typer.Option("--cache-megabytes", help="Bound on the files kept on each host; none by default."),
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Build the installer that puts the agent on a host as a service. It holds no secret."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.agent_installer import AgentInstaller, make_agent_installer

    given = {
        "proxy": proxy,
        "pollSeconds": poll_seconds,
        "bandwidthKilobytesPerSecond": bandwidth,
        "downloadWindow": download_window,
        "cacheMegabytes": cache_megabytes,
    }
    settings = {name: value for name, value in given.items() if value is not None}
    built = make_agent_installer(AgentInstaller(server, ca, settings), output)
    if form is Format.JSON:
        print_json(
            {
                "file": str(built.path),
                "version": built.version,
                "productCode": built.product_code,
                "packageCode": built.package_code,
            }
        )
    else:
        print_line(f"{built.path}: Reconciler Agent {built.version} for {server}")
        print_line(f'on a host, as an administrator: msiexec /i "{built.path.name}" /qn TOKEN=<token>')


@app.command("push", epilog="Example: `reconciler agent push PROD-01`")
def push(
    host: Annotated[str, typer.Argument(help="The host's name, in any case; its file says how it is reached.")],
    server: Annotated[
        str | None,
        typer.Option("--server", help="The server's address, as the host reaches it; else as the daemon serves."),
    ] = None,
    poll_seconds: Annotated[
        float | None, typer.Option("--poll-seconds", help="Seconds between check-ins; 60 by default.")
    ] = None,
    timeout: Annotated[
        float, typer.Option("--timeout", help="Seconds to wait for the agent to enrol.", min=1, max=86400)
    ] = 120.0,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Put the agent on a host over WinRM, and wait until it has enrolled. The daemon must run."""
    from reconciler.cli.output import print_aside, print_json, print_line
    from reconciler.operations.push_agent import WantedAgent, push_agent
    from reconciler.site import open_site

    wanted = WantedAgent(server, {"pollSeconds": poll_seconds} if poll_seconds is not None else {})
    with open_site(settings_from(data=data)) as site:
        pushed = push_agent(site, host, wanted, timeout, print_aside)
    if form is Format.JSON:
        print_json(pushed)
    else:
        print_line(f"{pushed.host}: Reconciler Agent {pushed.version} has enrolled into {pushed.environment}")
        print_line("to have it keep the host, take driver, address and winrm out of the host's file")
