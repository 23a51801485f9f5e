"""The commands `audit verify` and `audit export`."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, settings_from

app = typer.Typer(help="The tamper-evident audit log.", no_args_is_help=True)


class ExportForm(StrEnum):
    """The forms in which the chain is written out."""

    JSONL = "jsonl"
    CSV = "csv"


@app.command("verify", epilog="Example: `reconciler audit verify --checkpoint checkpoints.txt`")
def verify(
    head: Annotated[
        str | None,
        typer.Option("--head", help="NUMBER:HASH as noted before: shows whether records were cut off since."),
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option("--checkpoint", help="File of signed checkpoints, from a witness.", show_default=False),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option("--key", help="Key that signed them, as `audit key` printed it; else this installation's."),
    ] = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Verify that no record was changed, removed or inserted; exit with 1 where one was.

    Only a checkpoint or a head that was kept elsewhere shows that the end was cut off, or all of it written anew.
    """
    from reconciler.cli.output import print_json, print_line
    from reconciler.operations.anchor import witness_states
    from reconciler.operations.audit import Head, verify_audit
    from reconciler.operations.audit_evidence import read_checkpoints, what_witnesses_prove
    from reconciler.site import open_site

    known = Head.parse(head) if head is not None else None
    with open_site(settings_from(data=data)) as site:
        evidence = read_checkpoints(site, checkpoint, key)
        found = verify_audit(site, known, evidence.checkpoints)
        witnesses = witness_states(site)
    told = (*evidence.notes, *what_witnesses_prove(witnesses))
    if form is Format.JSON:
        print_json(
            {
                "intact": found.intact,
                "records": found.records,
                "head": found.head,
                "faults": found.faults,
                "covered": evidence.covered,
                "witnesses": witnesses,
                "notes": told,
            }
        )
    else:
        for fault in found.faults:
            print_line(f"record {fault.number}: {fault.what}")
        verdict = (
            "intact" if found.intact else "NOT INTACT: restore it from a backup, and find out who wrote to it"
        )
        print_line(f"{found.records} records, {verdict}")
        print_line(f"head: {found.head}")
        for line in told:
            print_line(line)
    if not found.intact:
        raise typer.Exit(1)


@app.command("key", epilog="Example: `reconciler audit key`")
def key(data: DataOption = None, form: FormatOption = Format.TEXT) -> None:
    """Print the key that verifies checkpoints. Note it where whoever writes to this machine cannot change it."""
    from reconciler.audit.checkpoint import key_of
    from reconciler.audit.key import KEY_FILE, open_key
    from reconciler.cli.output import print_json, print_line
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        found = key_of(open_key(site.settings.data / KEY_FILE))
    if form is Format.JSON:
        print_json({"origin": found.name, "key": str(found)})
    else:
        print_line(str(found))


@app.command("export", epilog="Example: `reconciler audit export --format csv --output audit.csv`")
def export(
    form: Annotated[ExportForm, typer.Option("--format", help="JSON Lines, or CSV.")] = ExportForm.JSONL,
    output: Annotated[
        Path | None, typer.Option("--output", help="The file to write; else standard output.", show_default=False)
    ] = None,
    data: DataOption = None,
) -> None:
    """Write all records, the oldest first, each with its hash and that of the one before."""
    from reconciler.cli.output import print_document, print_line
    from reconciler.operations.audit import audit_as_csv, audit_as_json_lines
    from reconciler.site import open_site
    from reconciler.store.data_folder import users_umask

    with open_site(settings_from(data=data)) as site:
        lines = audit_as_csv(site) if form is ExportForm.CSV else audit_as_json_lines(site)
        if output is None:
            for line in lines:
                print_document(line)
            return
        count = 0
        with users_umask():
            file = output.open("w", encoding="utf-8", newline="\n")
        with file:
            for line in lines:
                file.write(line + "\n")
                count += 1
    records = count - (form is ExportForm.CSV)
    print_line(f"{records} records written to {output}")
