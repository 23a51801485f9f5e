"""Commands on the desired state: validate, plan, import, schema."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import (
    DataOption,
    Format,
    FormatOption,
    RepositoryOption,
    settings_from,
)


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("validate", epilog="Example: `reconciler validate environments`")(validate)
    app.command("plan", epilog="Example: `reconciler plan --revision main --detailed-exitcode`")(plan)
    app.command("import", epilog="Example: `reconciler import agent-2.1.0.msi --package contoso-agent`")(
        import_release
    )
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


def plan(
    revision: Annotated[
        str | None,
        typer.Option("--revision", help="A branch, tag or commit; without it, the revision in force."),
    ] = None,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit with 2 where there is something to do.")
    ] = False,
    data: DataOption = None,
    repository: RepositoryOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show what a revision would do on every host, by what the hosts last said. Changes nothing."""
    from reconciler.cli.output import print_json, print_line, print_table, size
    from reconciler.operations.plan import plan_revision
    from reconciler.planning.plan import group
    from reconciler.site import open_site

    with open_site(settings_from(data=data, repository=repository)) as site:
        planned = plan_revision(site, revision)
    if form is Format.JSON:
        print_json(planned)
    else:
        print_line(f"revision {planned.revision[:10]}, {planned.hosts} hosts")
        rows = [
            (
                item.environment,
                item.package,
                item.kind.value,
                f"{item.from_version or '-'} -> {item.to_version or '-'}",
                str(len(item.hosts)),
                _some(item.hosts),
                size(item.fetch),
                f"{item.reason}" + (f": {item.message}" if item.message else ""),
            )
            for item in group(planned.steps)
        ]
        if rows:
            print_table(("environment", "package", "step", "versions", "hosts", "which", "to fetch", "when"), rows)
        else:
            print_line("nothing to do")
        if planned.unknown:
            names = _some(tuple(host.host for host in planned.unknown))
            print_line(f"cannot tell about {len(planned.unknown)} host(s) that never reported: {names}")
    raise typer.Exit(2 if detailed_exitcode and planned.steps else 0)


def import_release(
    file: Annotated[Path, typer.Argument(help="The MSI.", exists=True, dir_okay=False)],
    package: Annotated[str, typer.Option("--package", help="The package that it is a release of.")],
    folder: Annotated[
        Path, typer.Option("--environments", help="The folder of the desired state, in a working tree.")
    ] = Path("environments"),
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Keep an MSI as an artifact and add its release to the catalog, by what the MSI says of itself."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.import_release import import_msi
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        imported = import_msi(site, file, package, folder)
    if form is Format.JSON:
        print_json(imported)
    else:
        identity = imported.identity
        print_line(f"{identity.product_name} {identity.version} ({identity.architecture})")
        print_line(f"  ProductCode {identity.product_code}, PackageCode {identity.package_code}")
        print_line(f"  sha256 {imported.artifact.sha256}, {imported.artifact.size} bytes")
        print_line(
            f"added to {imported.catalog_file}" if imported.changed else f"{imported.catalog_file} has it already"
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


def _some(names: tuple[str, ...]) -> str:
    """Name a few and count the rest."""
    few = ", ".join(names[:4])
    return few if len(names) <= 4 else f"{few} and {len(names) - 4} more"
