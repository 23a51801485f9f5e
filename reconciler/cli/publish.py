"""The command for build servers: publish."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.catalog import IssueOption, NotesOption, TransformsOption, print_diff, print_notices
from reconciler.cli.options import (
    DataOption,
    Format,
    FormatOption,
    RepositoryOption,
    SigningRootsOption,
    settings_from,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rich.console import Console

    from reconciler.operations.arrival import Arrival
    from reconciler.operations.publish import Published
    from reconciler.site import Site

FAILED, TIMED_OUT = 1, 3
"""Exit codes of waiting in vain."""


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command(
        "publish",
        epilog="Example: `reconciler publish agent.msi --package contoso-agent --environment dev --wait`",
    )(publish)


def publish(
    file: Annotated[Path, typer.Argument(help="The MSI.", exists=True, dir_okay=False)],
    package: Annotated[str, typer.Option("--package", help="The package that it is a release of.")],
    environment: Annotated[str, typer.Option("--environment", help="The environment that gets the version.")],
    transforms: TransformsOption = None,
    issue: IssueOption = "",
    notes: NotesOption = "",
    signing_roots: SigningRootsOption = None,
    author: Annotated[
        str | None,
        typer.Option("--author", help="Name \\<mail@example.com>; else as git is configured.", show_default=False),
    ] = None,
    message: Annotated[
        str | None, typer.Option("--message", help="The commit's message; else one is made.", show_default=False)
    ] = None,
    branch: Annotated[
        str | None,
        typer.Option("--branch", help="Propose on this branch instead of committing.", show_default=False),
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until every host that should have it does.")] = False,
    timeout: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait at the most.")] = 1800,
    repository: RepositoryOption = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Keep an MSI as an artifact, add its release and set the version in one commit, and push that.

    With --wait it exits with 0 once every host that should have the release does, with 1 where one failed, and
    with 3 where time was up.
    """
    from reconciler.cli.output import print_json
    from reconciler.operations.arrival import ArrivalState
    from reconciler.operations.publish import PublishRequest
    from reconciler.operations.publish import publish as push
    from reconciler.site import open_site

    if wait and branch is not None:
        raise typer.BadParameter("a proposal is not installed anywhere: leave out --wait or --branch")
    added = tuple(transforms or ())
    request = PublishRequest(
        file, package, environment, added, issue, notes, author, message, branch, signing_roots
    )
    with open_site(settings_from(data=data, repository=repository)) as site:
        published = push(site, request)
        if form is Format.TEXT:
            _show(published)
        arrival = _wait(site, published, timeout) if wait else None
    if form is Format.JSON:
        print_json({**_plain(published), "arrival": arrival})
    if arrival is not None and arrival.state is not ArrivalState.SYNCED:
        raise typer.Exit(TIMED_OUT if arrival.state is ArrivalState.TIMED_OUT else FAILED)


def _wait(site: Site, published: Published, timeout: float) -> Arrival:
    from reconciler.cli.output import aside
    from reconciler.operations.arrival import await_arrival

    return show_arrivals(await_arrival(site, published, timeout), published, aside())


def _show(published: Published) -> None:
    from reconciler.cli.output import print_line

    print_notices(published.notices)
    print_diff(published.changes)
    what = f"{published.package} {published.release.version}"
    if published.changes:
        print_line(f"pushed {published.commit[:10]} to {published.branch}: {published.environment} gets {what}")
    else:
        print_line(f"nothing to change: {published.environment} asks for {what} on {published.branch} already")


def _plain(published: Published) -> dict[str, object]:
    return {
        "changed": bool(published.changes),
        "package": published.package,
        "version": published.release.version,
        "environment": published.environment,
        "branch": published.branch,
        "commit": published.commit,
        "changes": [{"path": change.path, "diff": change.diff()} for change in published.changes],
        "notices": published.notices,
    }


def show_arrivals(arrivals: Iterator[Arrival], published: Published, console: Console) -> Arrival:
    """Show how it goes, on standard error: a bar on a terminal, lines elsewhere; return how it ended."""
    from reconciler.cli.output import print_aside

    last = _with_bar(arrivals, published, console) if console.is_terminal else _with_lines(arrivals, published)
    print_aside(_sentence(last, published))
    for host in last.missing:
        reason = f"{host.health.value}, {host.reason.value}" + (f": {host.message}" if host.message else "")
        print_aside(f"  {host.host}: {reason}")
    return last


def _with_bar(arrivals: Iterable[Arrival], published: Published, console: Console) -> Arrival:
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from reconciler.presentation.terminal import for_terminal

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task(for_terminal(f"{published.package} {published.release.version}"), total=None)
        for arrival in arrivals:
            total, told = arrival.hosts or None, for_terminal(_sentence(arrival, published))
            progress.update(task, completed=arrival.arrived, total=total, description=told)
    return arrival


def _with_lines(arrivals: Iterable[Arrival], published: Published) -> Arrival:
    from reconciler.cli.output import print_aside

    for arrival in arrivals:
        if not arrival.ended:
            print_aside(_sentence(arrival, published))
    return arrival


def _sentence(arrival: Arrival, published: Published) -> str:
    from reconciler.operations.arrival import ArrivalState

    what = f"{published.package} {published.release.version}"
    count = f"{arrival.arrived} of {arrival.hosts} hosts of {published.environment} have {what}"
    match arrival.state:
        case ArrivalState.NOT_IN_FORCE:
            return f"waiting: {arrival.message}"
        case ArrivalState.SYNCED if arrival.hosts == 0:
            return f"done: no host of {published.environment} is to have {what}"
        case ArrivalState.SYNCED:
            return f"done: {count}"
        case ArrivalState.FAILED:
            return f"failed: {arrival.message or count}"
        case ArrivalState.SUPERSEDED:
            return f"superseded: {arrival.message}"
        case ArrivalState.TIMED_OUT:
            return f"time is up: {arrival.message or count}"
        case ArrivalState.ON_ITS_WAY:
            return count
