"""The command that shows what a revision would do: plan."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import DataOption, RepositoryOption, settings_from


class PlanFormat(StrEnum):
    """How a plan is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("plan", epilog="Example: `reconciler plan --revision main --detailed-exitcode`")(plan)


def plan(
    revision: Annotated[
        str | None,
        typer.Option("--revision", help="A branch, tag or commit; without it, the revision in force."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option("--base", help="The revision to compare it with; without it, the one in force."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 where there is something to do.")
    ] = False,
    data: DataOption = None,
    repository: RepositoryOption = None,
    form: Annotated[PlanFormat, typer.Option("--format", help="For people, programs, or a pull request.")] = (
        PlanFormat.TEXT
    ),
) -> None:
    """Show what a revision would do on every host, by what the hosts last said. Changes nothing.

    Where there is no installation (in a build job, say), the two revisions are compared by what they say.
    """
    from reconciler.cli.output import print_json, print_lines
    from reconciler.operations.plan import plan_from_repository, plan_revision
    from reconciler.planning.report import as_markdown, as_text
    from reconciler.site import has_installation, open_site

    settings = settings_from(data=data, repository=repository)
    if has_installation(settings):
        with open_site(settings) as site:
            comparison = plan_revision(site, revision, base)
    else:
        folder = Path(settings.repository or ".")
        comparison = plan_from_repository(folder, settings.root, revision or "HEAD", base)
    if form is PlanFormat.JSON:
        print_json(comparison)
    elif form is PlanFormat.MARKDOWN:
        print_lines(as_markdown(comparison))
    else:
        print_lines(as_text(comparison))
    raise typer.Exit(2 if detailed_exitcode and comparison.something_to_do else 0)
