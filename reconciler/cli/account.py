"""The commands on accounts, run on the server: account add, list, password, remove."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from reconciler.cli.options import DataOption, Format, FormatOption, settings_from

if TYPE_CHECKING:
    from reconciler.operations.accounts import MadePassword

app = typer.Typer(help="People who may sign in: to git, and to the built-in review.", no_args_is_help=True)

NameArgument = Annotated[str, typer.Argument(help="The account's name.")]


@app.command("add", epilog="Example: `reconciler account add ann --mail ann@example.com`")
def add(
    name: NameArgument,
    mail: Annotated[str, typer.Option("--mail", help="The address that stands in the person's commits.")],
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Add an account, and print its password. It is shown this once."""
    from reconciler.operations.accounts import add_account
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        made = add_account(site, name, mail)
    _print_password(made, form)


@app.command("list", epilog="Example: `reconciler account list`")
def list_accounts(data: DataOption = None, form: FormatOption = Format.TEXT) -> None:
    """List the accounts."""
    from reconciler.cli.output import moment, print_json, print_table
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        accounts = site.accounts.all()
    if form is Format.JSON:
        shown = ("name", "mail", "created_at", "password_at", "removed_at")
        print_json([{name: getattr(account, name) for name in shown} for account in accounts])
        return
    rows = [
        (a.name, a.mail, moment(a.created_at), moment(a.password_at), moment(a.removed_at) if a.removed_at else "")
        for a in accounts
    ]
    print_table(("name", "mail", "added", "password since", "removed"), rows)


@app.command("password", epilog="Example: `reconciler account password ann`")
def password(name: NameArgument, data: DataOption = None, form: FormatOption = Format.TEXT) -> None:
    """Give an account a new password, and print it. The old one is good no longer, from the next request on."""
    from reconciler.operations.accounts import renew_password
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        made = renew_password(site, name)
    _print_password(made, form)


@app.command("remove", epilog="Example: `reconciler account remove ann`")
def remove(name: NameArgument, data: DataOption = None) -> None:
    """Let an account sign in no longer. What it did stays on record, and its name is not given again."""
    from reconciler.cli.output import print_line
    from reconciler.operations.accounts import remove_account
    from reconciler.site import open_site

    with open_site(settings_from(data=data)) as site:
        remove_account(site, name)
    print_line(f"{name} can sign in no longer")


def _print_password(made: MadePassword, form: Format) -> None:
    from reconciler.cli.output import print_json, print_line

    if form is Format.JSON:
        print_json(made)
        return
    print_line(f"{made.account} signs in with: {made.password}")
    print_line("it is shown this once; reconciler account password makes another")
