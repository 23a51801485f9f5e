"""Commands on the desired state: validate, schema."""

from __future__ import annotations

import contextlib
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import DataOption, SigningRootsOption, settings_from

if TYPE_CHECKING:
    from reconciler.desired.loading import Loaded


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("validate", epilog="Example: `reconciler validate environments`")(validate)
    app.command("schema", epilog="Example: `reconciler schema schemas --check`")(schema)


class ReportFormat(StrEnum):
    """How findings are printed."""

    TEXT = "text"
    JSON = "json"
    GITHUB = "github"
    SARIF = "sarif"


def validate(
    folder: Annotated[Path, typer.Argument(help="The folder of the desired state.")] = Path("environments"),
    revision: Annotated[
        str | None,
        typer.Option("--revision", help="Look at this commit of the git repository in FOLDER or above instead."),
    ] = None,
    artifacts: Annotated[
        bool,
        typer.Option("--artifacts", help="Hold the files of all releases against the catalog as well."),
    ] = False,
    signing_roots: SigningRootsOption = None,
    data: DataOption = None,
    form: Annotated[
        ReportFormat,
        typer.Option("--format", help="Print for people or for programs."),
    ] = ReportFormat.TEXT,
) -> None:
    """Check a desired state and show everything that is wrong with it. Exits with 1 on errors."""
    from reconciler.grants.loading import load_grants
    from reconciler.operations import validate as operation

    if artifacts:
        loaded = _with_artifacts(folder, revision, signing_roots, data)
    else:
        settings = settings_from(data=data)
        grants = load_grants(settings.grants, settings.data) if settings.grants else None
        loaded = operation.validate(folder, revision, grants)
    _report(loaded, form)
    raise typer.Exit(0 if loaded.state is not None else 1)


def _with_artifacts(folder: Path, revision: str | None, roots: Path | None, data: Path | None) -> Loaded:
    from reconciler.cli.output import waiting
    from reconciler.grants.loading import load_grants
    from reconciler.operations.validate_artifacts import validate_with_artifacts
    from reconciler.site import has_installation, open_site

    settings = settings_from(data=data)
    grants = load_grants(settings.grants, settings.data)
    with contextlib.ExitStack() as stack:
        site = stack.enter_context(open_site(settings)) if has_installation(settings) else None
        show = stack.enter_context(waiting("looking at artifacts"))
        kept = site.artifacts if site is not None else None
        return validate_with_artifacts(folder, revision, kept, roots, show, grants)


def _report(loaded: Loaded, form: ReportFormat) -> None:
    from reconciler import __version__
    from reconciler.cli.output import print_document, print_json, print_line, print_lines
    from reconciler.desired.findings import Severity, as_json, render_text
    from reconciler.desired.reports import as_annotation, as_sarif

    findings, state = loaded.findings, loaded.state
    if form is ReportFormat.JSON:
        print_json({"valid": state is not None, "findings": [as_json(finding) for finding in findings]})
        return
    if form is ReportFormat.SARIF:
        print_json(as_sarif(findings, __version__))
        return
    if form is ReportFormat.GITHUB:
        for finding in findings:
            print_document(as_annotation(finding))
    elif findings:
        print_lines(render_text(findings))
    warnings = sum(finding.severity is Severity.WARNING for finding in findings)
    counts = f"{len(findings) - warnings} error(s), {warnings} warning(s)"
    if state is None:
        print_line(counts)
        return
    print_line(
        f"valid: {len(state.environments)} environments, {len(state.hosts)} hosts, {len(state.packages)} packages"
        + (f"; {warnings} warning(s)" if warnings else "")
    )


def schema(
    folder: Annotated[Path, typer.Argument(help="Where the schemas are.")] = Path("schemas"),
    check: Annotated[bool, typer.Option("--check", help="Write nothing; exit with 1 where one is stale.")] = False,
) -> None:
    """Write the JSON Schemas of the desired-state files, for editors."""
    from reconciler.cli.output import print_line
    from reconciler.desired.schemas import stale_schemas, write_schemas

    if not check:
        write_schemas(folder)
        return
    stale = stale_schemas(folder)
    for path in stale:
        print_line(f"stale: {path}")
    if stale:
        print_line(f"run: reconciler schema {folder}")
    raise typer.Exit(1 if stale else 0)
