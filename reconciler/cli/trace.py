"""The command that tells why a package is as it is on a host: trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.fleet import HostArgument
from reconciler.cli.options import DataOption, Format, FormatOption, settings_from

if TYPE_CHECKING:
    from reconciler.operations.provenance import Provenance
    from reconciler.operations.trace import Approved, TracedAttempt


def register(app: typer.Typer) -> None:
    """Add the command to ``app``."""
    app.command("trace", epilog="Example: `reconciler trace PROD-01 contoso-agent`")(trace)


def trace(
    name: HostArgument,
    package: Annotated[str, typer.Argument(help="The package's name.")],
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show why a package is as it is on a host: who asked, what ran, what came of it."""
    from reconciler.cli.output import moment, print_json, print_line, retry_words, tries
    from reconciler.operations.trace import trace as traced
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        found = traced(site, name, package)
    if form is Format.JSON:
        print_json(found)
        return
    standing = found.standing
    print_line(f"{package} on {found.host} ({found.environment})", "bold")
    print_line(f"  {standing.sync} / {standing.health} / {standing.reason} since {moment(found.since)}")
    if standing.message:
        print_line(f"  {standing.message}")
    if standing.tries is not None:
        print_line(f"  tries      {tries(standing.tries)}")
    print_line(f"  wanted     {standing.wanted or 'absent'}")
    if found.asked_by is not None:
        print_line(f"  asked by   {_commit(found.asked_by)}")
        _print_approved(found.approved, "  ")
        if found.asked_by.commit.parents:
            between = f"--base {found.asked_by.commit.parents[0][:10]} --revision {found.asked_by.commit.id[:10]}"
            print_line(f"  plan       reconciler plan {between}")
    for product in found.installed:
        print_line(f"  installed  {product.version} {product.product_code} ({product.name})")
    if not found.installed:
        print_line(f"  installed  {standing.installed or 'nothing'}")
    for retry in found.retries:
        print_line(f"  {moment(retry.at)}  {retry_words(retry)}")
    for attempt in found.attempts:
        _print_traced(attempt)


def _print_traced(traced: TracedAttempt) -> None:
    from reconciler.cli.output import cause, moment, print_line

    attempt = traced.attempt
    outcome = attempt.outcome.value if attempt.outcome else "running"
    took = f" in {attempt.ended_at - attempt.started_at:.1f} s" if attempt.ended_at else ""
    print_line()
    print_line(
        f"  {moment(attempt.started_at)}  {attempt.kind} {attempt.from_version or '-'} -> "
        f"{attempt.to_version or '-'}: {outcome}{took}"
    )
    if traced.asked_by is not None:
        print_line(f"    asked by   {_commit(traced.asked_by)}")
        _print_approved(traced.approved, "    ")
    for action in attempt.actions:
        print_line(f"    ran        {action.command}")
        print_line(f"    returned   {action.exit_code}" + (f": {action.message}" if action.message else ""))
    if attempt.message:
        print_line(f"    because    {attempt.message}")
    if traced.cause is not None:
        print_line(f"    cause      {cause(traced.cause)}")
    if traced.log is not None:
        print_line(f"    log        {traced.log}")


def _print_approved(approved: Approved | None, indent: str) -> None:
    from reconciler.cli.output import brief, moment, print_line

    if approved is None:
        return
    judged, change = approved.decision.judgement, approved.change
    if judged.emergency:
        print_line(f"{indent}EMERGENCY  declared by {', '.join(judged.approvers)}: {judged.emergency}", "red")
    elif change is not None:
        merged = f", merged by {change.merged_by} {moment(change.merged_at)}" if change.merged_by else ""
        url = f" {change.url}" if change.url else ""
        asked = f"(asked for by {change.requester}{merged}){url}"
        print_line(f"{indent}change     {change.name} {brief(change.title)} {asked}")
        print_line(f"{indent}approved   by {', '.join(judged.approvers) or 'nobody: no approval was required'}")


def _commit(provenance: Provenance) -> str:
    from reconciler.cli.output import brief, moment

    commit = provenance.commit
    return f"{commit.id[:10]} {brief(commit.subject)} ({brief(commit.author)}, {moment(commit.authored_at)})"
