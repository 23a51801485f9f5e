"""The command that proposes a promotion: promote."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import DataOption, RepositoryOption, settings_from

if TYPE_CHECKING:
    from reconciler.operations.promote import Promotion


class PromotionFormat(StrEnum):
    """How a proposal is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("promote", epilog="Example: `reconciler promote --to prod --package contoso-agent`")(promote)


def promote(
    target: Annotated[str, typer.Option("--to", help="The environment that gets the versions.")],
    source: Annotated[
        str | None,
        typer.Option("--from", help="The environment that has them; else what promotesFrom says."),
    ] = None,
    packages: Annotated[
        list[str] | None,
        typer.Option("--package", help="A package to promote; may be repeated. Else all that is verified."),
    ] = None,
    unverified: Annotated[
        str | None,
        typer.Option("--unverified", help="Why the packages go on whether verified or not. It shows."),
    ] = None,
    author: Annotated[
        str | None,
        typer.Option("--author", help="Name \\<mail@example.com>; else as git is configured.", show_default=False),
    ] = None,
    repository: RepositoryOption = None,
    data: DataOption = None,
    form: Annotated[
        PromotionFormat, typer.Option("--format", help="For people, programs, or a pull request.")
    ] = PromotionFormat.TEXT,
) -> None:
    """Propose what is verified upstream for an environment, on a branch of its own that is pushed.

    Verified is what every reachable host upstream that should have it has, healthy, for the soak time of the
    environment that gets it. What is not is refused, with the reasons.
    """
    from reconciler.cli.output import print_aside, print_lines
    from reconciler.operations.promote import PromotionRequest
    from reconciler.operations.promote import promote as propose
    from reconciler.site import open_site

    if unverified is not None and not packages:
        raise typer.BadParameter("name what goes on unverified: --unverified takes --package")
    request = PromotionRequest(target, source, tuple(packages or ()), unverified, author)
    with open_site(settings_from(data=data, repository=repository)) as site:
        promotion = propose(site, request)
    if form is PromotionFormat.JSON:
        _print_json(promotion)
    elif form is PromotionFormat.MARKDOWN:
        print_lines(promotion.message.removesuffix("\n"))
    else:
        _print_text(promotion)
    if promotion.trouble:
        what = f"{promotion.branch} is pushed, but no change was opened from it: {promotion.trouble}"
        print_aside(f"error: {what}")
        raise typer.Exit(1)


def _print_json(promotion: Promotion) -> None:
    import dataclasses

    from reconciler.cli.output import print_json

    fields = {field.name: getattr(promotion, field.name) for field in dataclasses.fields(promotion)}
    proposal = promotion.proposal
    print_json({**fields, "title": proposal.title if proposal is not None else ""})


def _print_text(promotion: Promotion) -> None:
    from reconciler.cli.output import moment, print_line, print_lines
    from reconciler.operations.promote import Fate
    from reconciler.planning.proposal_report import as_text

    if promotion.proposal is not None:
        print_lines(as_text(promotion.proposal, moment))
        print_line()
    for item in promotion.left_out:
        print_line(f"not promoted: {item.package} {item.before or '-'} -> {item.after}", "yellow")
        for reason in item.reasons:
            print_line(f"  {reason}")
    for name in promotion.also_on:
        print_line(f"{name} proposes one of these packages too: close one of the two", "yellow")
    match promotion.fate:
        case Fate.OPENED:
            ask = "" if promotion.change or promotion.trouble else ": open a pull request from it"
            print_line(f"pushed {promotion.commit[:10]} to {promotion.branch}{ask}")
        case Fate.UPDATED:
            print_line(f"pushed {promotion.commit[:10]} to {promotion.branch}: the proposal there is replaced")
        case Fate.UNCHANGED:
            print_line(f"nothing was pushed: {promotion.branch} proposes just this at {promotion.commit[:10]}")
        case Fate.NOTHING:
            print_line(f"nothing to promote from {promotion.source} to {promotion.target}")
    if promotion.change:
        print_line(f"{promotion.change} asks for it: {promotion.url}")
    for name in promotion.merged:
        print_line(f"{name} is merged: the branch can be deleted")
