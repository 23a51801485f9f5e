"""The `reconciler` command: puts the commands together, and turns errors into words and exit codes."""

from __future__ import annotations

import io
import sys

import typer

from reconciler.cli import (
    account,
    agent,
    audit,
    catalog,
    change,
    daemon,
    demo,
    desired,
    fleet,
    lab,
    plan,
    promote,
    publish,
    retry,
    trace,
)
from reconciler.kernel.errors import ReconcilerError

app = typer.Typer(
    name="reconciler",
    help="Keeps fleets of Windows machines at the versions that a git repository says.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
for commands in (catalog, desired, plan, publish, promote, fleet, trace, retry, daemon, demo):
    commands.register(app)
app.add_typer(account.app, name="account")
app.add_typer(agent.app, name="agent")
app.add_typer(audit.app, name="audit")
app.add_typer(change.app, name="change")
app.add_typer(lab.app, name="lab")


def run() -> None:
    """Run the command line; exits with 1 on an error, 2 on wrong usage."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # what the terminal's encoding lacks shows as an escape
            stream.reconfigure(errors="backslashreplace")
    try:
        app()
    except ReconcilerError as error:
        from reconciler.cli.output import print_error

        print_error(error)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(1)


if __name__ == "__main__":
    run()
