"""The commands of the built-in review: change list, show, approve, reject, merge … They ask the server."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reconciler.cli.options import DataOption, Format, FormatOption
from reconciler.cli.server import CaOption, ServerOption, UserOption, server_from

if TYPE_CHECKING:
    from reconciler.review.client import Server

app = typer.Typer(
    help="Changes that wait for review, in the repository that the daemon holds.", no_args_is_help=True
)

NumberArgument = Annotated[int, typer.Argument(help="The change's number.", min=1)]
HeadOption = Annotated[
    str | None,
    typer.Option(
        "--head",
        help="The head that you looked at; without it, the one that this command shows. Refused if the change has "
        "another head by then.",
    ),
]
CommentOption = Annotated[str, typer.Option("--comment", help="Why, for the record.", show_default=False)]


class State(StrEnum):
    """Which changes are listed."""

    OPEN = "open"
    MERGED = "merged"
    CLOSED = "closed"
    ALL = "all"


class ShowFormat(StrEnum):
    """How a change is printed."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"


@app.command("list", epilog="Example: `reconciler change list --state merged`")
def list_changes(
    state: Annotated[State, typer.Option("--state", help="Which of them.")] = State.OPEN,
    server: ServerOption = None,
    ca: CaOption = None,
    user: UserOption = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """List changes, the newest first."""
    from reconciler.cli.output import moment, print_json, print_line, print_table

    found = server_from(server, ca, user, data).get("/api/changes", {"state": state.value})
    if form is Format.JSON:
        print_json(found)
        return
    if not found:
        print_line("none" if state is State.ALL else f"no change is {state}")
        return
    rows = [
        (
            str(item["number"]),
            item["state"],
            item["title"],
            item["requester"] or "unknown",
            item["head"][:10],
            moment(item["opened_at"]),
            ", ".join(item["approved_by"]),
            ", ".join(item["rejected_by"]),
        )
        for item in found
    ]
    print_table(("change", "state", "title", "by", "head", "opened", "approved by", "rejected by"), rows)


@app.command("show", epilog="Example: `reconciler change show 12`")
def show(
    number: NumberArgument,
    server: ServerOption = None,
    ca: CaOption = None,
    user: UserOption = None,
    data: DataOption = None,
    form: Annotated[
        ShowFormat, typer.Option("--format", help="Print for people or for programs.")
    ] = ShowFormat.TEXT,
) -> None:
    """Show a change: what is in it, what merging it would do on every host, who said what, what is missing."""
    from reconciler.cli.change_text import as_markdown, as_text
    from reconciler.cli.output import print_json, print_line

    shown = server_from(server, ca, user, data).get(f"/api/changes/{number}")
    if form is ShowFormat.JSON:
        print_json(shown)
        return
    for line in as_markdown(shown) if form is ShowFormat.MARKDOWN else as_text(shown):
        print_line(line)


@app.command("approve", epilog='Example: `reconciler change approve 12 --head 3f2a9c1 --comment "as agreed"`')
def approve(
    number: NumberArgument,
    head: HeadOption = None,
    comment: CommentOption = "",
    server: ServerOption = None,
    ca: CaOption = None,
    user: UserOption = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Show a change and approve it at that head. The approval does not count for a later head."""
    asked = server_from(server, ca, user, data)
    body = {"verdict": "approved", "head": head or _head_shown(asked, number, form), "comment": comment}
    _ask(asked.post(f"/api/changes/{number}/reviews", body), form, "approved")


@app.command("reject", epilog='Example: `reconciler change reject 12 --comment "not in the freeze"`')
def reject(
    number: NumberArgument,
    head: HeadOption = None,
    comment: CommentOption = "",
    server: ServerOption = None,
    ca: CaOption = None,
    user: UserOption = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Reject a change as it is now, and take back an approval. To take the rejection back, approve it."""
    body = {"verdict": "rejected", "head": head or "", "comment": comment}
    _ask(server_from(server, ca, user, data).post(f"/api/changes/{number}/reviews", body), form, "rejected")


@app.command("comment", epilog='Example: `reconciler change comment 12 "why now?"`')
def comment(
    number: NumberArgument,
    text: Annotated[str, typer.Argument(help="What to say.")],
    server: ServerOption = None,
    ca: CaOption = None,
    user: UserOption = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Say something of a change, without approving or rejecting it."""
    body = {"verdict": "commented", "comment": text}
    _ask(server_from(server, ca, user, data).post(f"/api/changes/{number}/reviews", body), form, "commented")


@app.command("merge", epilog="Example: `reconciler change merge 12`")
def merge(
    number: NumberArgument,
    head: HeadOption = None,
    server: ServerOption = None,
    ca: CaOption = None,
    user: UserOption = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """Merge a change by a commit that the server signs, where nothing is missing. Its branch is deleted."""
    asked = server_from(server, ca, user, data)
    shown = asked.post(f"/api/changes/{number}/merge", {"head": head or _head_shown(asked, number, form)})
    _ask(shown, form, f"merged by {shown['detail']['merge_commit'][:10]}")


@app.command("close", epilog='Example: `reconciler change close 12 --comment "superseded by 13"`')
def close(
    number: NumberArgument,
    comment: CommentOption = "",
    server: ServerOption = None,
    ca: CaOption = None,
    user: UserOption = None,
    data: DataOption = None,
    form: FormatOption = Format.TEXT,
) -> None:
    """End a change without merging it. Its branch stays; another push to it opens another change."""
    shown = server_from(server, ca, user, data).post(f"/api/changes/{number}/close", {"comment": comment})
    _ask(shown, form, "closed")


def _head_shown(server: Server, number: int, form: Format) -> str:
    """Show a change, and return its head: what is done now is refused if the change moves on meanwhile."""
    from reconciler.cli.change_text import as_text
    from reconciler.cli.output import print_line

    shown = server.get(f"/api/changes/{number}")
    if form is Format.TEXT:
        for line in (*as_text(shown), ""):
            print_line(line)
    return str(shown["detail"]["change"]["head"])


def _ask(shown: dict[str, Any], form: Format, done: str) -> None:
    """Print what came of it, and what is missing yet."""
    from reconciler.cli.output import print_json, print_line

    if form is Format.JSON:
        print_json(shown)
        return
    detail = shown["detail"]
    change = detail["change"]
    print_line(f"change {change['number']} ({change['title']}) at {change['head'][:10]}: {done}")
    for note in shown.get("warnings", ()):
        print_line(f"note: {note}", "yellow")
    if change["state"] == "open":
        for reason in detail["missing"]:
            print_line(f"missing: {reason}", "yellow")
        if detail["mergeable"]:
            print_line(f"it may be merged: reconciler change merge {change['number']}")
