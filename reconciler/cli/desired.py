"""Commands on the desired state: validate, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import Format, FormatOption


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("validate", epilog="Example: `reconciler validate environments`")(validate)
    app.command("schema", epilog="Example: `reconciler schema schemas --check`")(schema)


def validate(
    folder: Annotated[Path, typer.Argument(help="The folder of the desired state.")] = Path("environments"),
    revision: Annotated[
        str | None,
        typer.Option("--revision", help="Look at this commit of the git repository in FOLDER or above instead."),
    ] = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Check a desired state and show everything that is wrong with it. Exits with 1 on findings."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.desired.findings import as_json, render_text
    from reconciler.operations.validate import validate_folder, validate_revision

    loaded = validate_folder(folder) if revision is None else validate_revision(folder, revision)
    if form is Format.JSON:
        print_json({"valid": loaded.state is not None, "findings": [as_json(f) for f in loaded.findings]})
    elif loaded.state is None:
        print_line(render_text(loaded.findings))
        print_line(f"{len(loaded.findings)} finding(s)")
    else:
        state = loaded.state
        print_line(
            f"valid: {len(state.environments)} environments, {len(state.hosts)} hosts, "
            f"{len(state.packages)} packages"
        )
    raise typer.Exit(0 if loaded.state is not None else 1)


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
