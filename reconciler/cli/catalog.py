"""Commands that write desired-state files: init, import, adopt."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, SigningRootsOption, settings_from
from reconciler.operations.adoption import Into
from reconciler.operations.scaffold.forges import Forge

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from reconciler.operations.adopt import Adoption
    from reconciler.operations.cataloguing.notices import Notice
    from reconciler.operations.import_release import Imported
    from reconciler.operations.text_files import FileChange

EnvironmentsOption = Annotated[
    Path, typer.Option("--environments", help="The folder of the desired state, in a working tree.")
]
TransformsOption = Annotated[
    list[Path] | None,
    typer.Option("--transform", help="A transform (.mst) that the MSI is installed with; may be repeated."),
]
IssueOption = Annotated[
    str,
    typer.Option("--issue", help="The issue that the release belongs to: a link or a key.", show_default=False),
]
NotesOption = Annotated[
    str, typer.Option("--notes", help="What else people should know of the release.", show_default=False)
]


def register(app: typer.Typer) -> None:
    """Add the commands to ``app``."""
    app.command("init", epilog="Example: `reconciler init fleet --forge gitlab`")(init)
    app.command("import", epilog="Example: `reconciler import agent-2.1.0.msi --package contoso-agent`")(
        import_releases
    )
    app.command("adopt", epilog="Example: `reconciler adopt PROD-01 contoso-agent --write environments`")(adopt)


def init(
    folder: Annotated[Path, typer.Argument(help="The top of the repository; made if missing.")] = Path(),
    forge: Annotated[
        Forge, typer.Option("--forge", help="Where its pull requests are made; decides on the CI file.")
    ] = Forge.GITHUB,
    git: Annotated[
        bool, typer.Option("--git/--no-git", help="Make a git repository with a first commit where there is none.")
    ] = True,
    form: FormatOption = Format.TEXT,
) -> None:
    """Make a desired-state repository; run again, refresh what it made and leave alone what is somebody's own."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.init import Fate
    from reconciler.operations.init import init as make

    made = make(folder, forge, git=git)
    if form is Format.JSON:
        print_json(made)
        return
    for file in made.files:
        if file.fate is not Fate.UNCHANGED:
            print_line(f"{file.fate:<9} {folder / file.path}" + (f": {file.why}" if file.why else ""))
    unchanged = sum(file.fate is Fate.UNCHANGED for file in made.files)
    if unchanged:
        print_line(f"{unchanged} files were up to date")
    if made.commit is not None:
        print_line(f"committed {made.commit[:10]} to main")
    for advice in made.advice:
        print_line(f"note: {advice}")


def import_releases(
    files: Annotated[
        list[Path], typer.Argument(help="Files (.msi, .msp, .exe), and folders of them.", exists=True)
    ],
    package: Annotated[
        str | None,
        typer.Option(
            "--package", help="The package they are releases of; else by UpgradeCode.", show_default=False
        ),
    ] = None,
    version: Annotated[
        str,
        typer.Option("--version", help="The version of a patch or program; else the file's.", show_default=False),
    ] = "",
    transforms: TransformsOption = None,
    issue: IssueOption = "",
    notes: NotesOption = "",
    signing_roots: SigningRootsOption = None,
    folder: EnvironmentsOption = Path("environments"),
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Keep MSIs, patches and programs as artifacts and add their releases to the catalog."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations import import_release as operation
    from reconciler.site import open_site

    request = operation.ImportRequest(
        tuple(files), package, tuple(transforms or ()), issue, notes, signing_roots, version
    )
    with open_site(settings_from(data=data)) as site:
        result = operation.import_releases(site, request, folder)
    if form is Format.JSON:
        print_json(result)
        return
    for imported in result.releases:
        for line in _identity_lines(imported):
            print_line(line)
        print_line(f"  sha256 {imported.artifact.sha256}, {imported.artifact.size} bytes")
        if imported.artifact.signer:
            print_line(f"  its signer is pinned as {imported.artifact.signer}: hosts check it")
        there = imported.catalog_file
        print_line(f"  added to {there}" if imported.added else f"  {there} has it already")
    print_notices(result.notices)


def _identity_lines(imported: Imported) -> Iterator[str]:
    from reconciler.artifacts.installer_files import Patch
    from reconciler.artifacts.msi_file import MsiIdentity

    identity = imported.identity
    if isinstance(identity, MsiIdentity):
        yield f"{identity.product_name} {identity.version} ({identity.architecture})"
        yield f"  ProductCode {identity.product_code}, PackageCode {identity.package_code}"
    elif isinstance(identity, Patch):
        yield f"{identity.name or imported.package} {imported.version} (a patch)"
        yield f"  PatchCode {identity.patch_code}, for {', '.join(identity.product_codes)}"
    else:
        yield f"{identity.product_name or imported.package} {imported.version} (a program)"


def adopt(
    host: Annotated[str, typer.Argument(help="The host's name, in any case.")],
    packages: Annotated[
        list[str] | None,
        typer.Argument(help="The packages to adopt; else all of which nothing is wanted yet."),
    ] = None,
    into: Annotated[Into, typer.Option("--into", help="Which file takes the versions.")] = Into.HOST,
    write: Annotated[
        Path | None,
        typer.Option(
            "--write",
            metavar="FOLDER",
            help="Write into this folder of the desired state, in a working tree; its catalog counts.",
            show_default=False,
        ),
    ] = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Propose a desired state that asks for the MSI products a host has already. Touches no host."""
    from reconciler.cli.output import print_json
    from reconciler.operations.adopt import adopt as propose
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        adoption = propose(site, host, tuple(packages or ()), into, write)
    if form is Format.JSON:
        print_json(adoption)
    else:
        _show_adoption(adoption)


def print_notices(notices: Iterable[Notice]) -> None:
    """Print what there is to point out, on standard error."""
    from reconciler.cli.output import print_aside

    for notice in notices:
        print_aside(f"warning: {notice.where}: {notice.message}")


def print_diff(changes: Iterable[FileChange]) -> None:
    """Print changes of files as git shows them, in colour on a terminal."""
    from reconciler.cli.output import print_line

    styles = {"+": "green", "-": "red", "@": "cyan"}
    for change in changes:
        for line in change.diff().removesuffix("\n").split("\n"):
            print_line(line, "bold" if line.startswith(("+++", "---")) else styles.get(line[:1], ""))


def _show_adoption(adoption: Adoption) -> None:
    from reconciler.cli.output import print_line, print_table

    print_line(f"{adoption.host} ({adoption.environment})", "bold")
    if adoption.change is not None:
        print_diff([adoption.change])
        if adoption.written:
            print_line(f"written to {adoption.change.path}")
    else:
        print_line("nothing to adopt")
    if adoption.managed:
        print_line(f"as it should be already: {', '.join(adoption.managed)}")
    if adoption.left_out:
        print_line("left out:")
        rows = [
            (
                item.product.name,
                item.product.version,
                item.product.product_code,
                item.product.upgrade_code or "-",
                item.package or "-",
                item.advice,
            )
            for item in adoption.left_out
        ]
        print_table(("product", "version", "ProductCode", "UpgradeCode", "package", "what to do"), rows)
