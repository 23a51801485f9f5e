"""The commands `audit verify` and `audit export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, settings_from

app = typer.Typer(help="The record of what happened, in which nothing changes unseen.", no_args_is_help=True)


class ExportForm(StrEnum):
    """The forms in which the chain is written out."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command("verify", epilog="Example: `reconciler audit verify --head 1840:9f2c…`")
def verify(
    head: Annotated[
        str | None,
        typer.Option("--head", help="NUMBER:HASH as noted before: shows whether the end was cut off since."),
    ] = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Verify that no record was changed, taken out or put in since it was written; exit with 1 where one was."""
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.audit import Head, verify_audit
    from reconciler.site import open_site

    known = Head.parse(head) if head is not None else None
    with open_site(settings_from(data=data)) as site:
        found = verify_audit(site, known)
    if form is Format.JSON:
        print_json({"intact": found.intact, "records": found.records, "head": found.head, "faults": found.faults})
    else:
        for fault in found.faults:
            print_line(f"record {fault.number}: {fault.what}")
        told = "intact" if found.intact else "NOT INTACT: restore it from a backup, and find out who wrote to it"
        print_line(f"{found.records} records, {told}")
        print_line(f"head: {found.head}  (note it elsewhere; verify --head shows later whether all this is there)")
    if not found.intact:
        raise typer.Exit(1)


@app.command("export", epilog="Example: `reconciler audit export --format csv --output audit.csv`")
def export(
    form: Annotated[ExportForm, typer.Option("--format", help="JSON Lines, or CSV.")] = ExportForm.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write; else standard output.", show_default=False)
    ] = None,
    data: DataOption = None,
) -> None:
    """Write all records out, the oldest first, each with its hash and that of the one before."""
    from reconciler.cli.output import print_document, print_line
    from reconciler.operations.audit import audit_as_csv, audit_as_json_lines
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        lines = audit_as_csv(site) if form is ExportForm.CSV else audit_as_json_lines(site)
        if output is None:
            for line in lines:
                print_document(line)
            return
        count = 0
        with output.open("w", encoding="utf-8", newline="\n") as file:
            for line in lines:
                file.write(line + "\n")
                count += 1
    records = count - (form is ExportForm.CSV)
    print_line(f"{records} records written to {output}")
