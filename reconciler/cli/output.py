"""Prints everything that a command prints: lines and tables for people, documents for programs.

Each line and each cell is cleaned here, so that no command can forget it: a value of a host, a forge, a feed or a
commit shows as text on one line. Only this module writes to the terminal.
"""

from __future__ import annotations

import contextlib
import datetime
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.kernel.attempts import Cause
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.retries import Retry, Tries
from reconciler.kernel.status import Health
from reconciler.presentation.json_text import as_json
from reconciler.presentation.terminal import for_terminal

LONGEST_LINE = 8_000
"""Characters of a line that are printed."""

LONGEST_BRIEF = 200
"""Characters of a value that other things follow on its line."""

_CONTINUED = "… "
"""Begins a row that continues a line, so that no text reaches the left edge of a terminal by its length."""

_COLOURS = {
    Health.HEALTHY: "green",
    Health.PROGRESSING: "cyan",
    Health.MISSING: "yellow",
    Health.DEGRADED: "red",
    Health.SUSPENDED: "blue",
    Health.UNKNOWN: "magenta",
}

_CAUSES = {
    Cause.WAITED: "had to wait",
    Cause.ARTIFACT_UNAVAILABLE: "artifact unavailable",
    Cause.ARTIFACT_REFUSED: "artifact refused",
    Cause.FAILED: "failed",
    Cause.PERMANENT: "refused for good",
    Cause.OUR_FAULT: "called wrongly",
    Cause.PLAN_WRONG: "host not as planned",
}

_NO_TIME = "no valid time"


def brief(value: str) -> str:
    """Return a value so short that what follows it on its line is seen."""
    return for_terminal(value, LONGEST_BRIEF)


def print_json(value: Any, *, indented: bool = True) -> None:
    """Print a value (dataclasses, enumerations and paths included) as one JSON document."""
    print_document(as_json(value, indented=indented))


def print_document(text: str) -> None:
    """Print a document for programs as it is: whatever wrote it made it safe for terminals."""
    typer.echo(text)


def print_line(text: str = "", style: str = "") -> None:
    """Print one line. On a terminal a long one continues on rows that are marked."""
    _print(text, style, _console())


def print_lines(text: str) -> None:
    """Print a text that has lines of its own: one in which each value was cleaned when it was written."""
    for line in text.split("\n"):
        print_line(line)


def print_aside(text: str, style: str = "") -> None:
    """Print one line on standard error, where it does not mix with what a program reads."""
    _print(text, style, aside())


def print_error(error: ReconcilerError) -> None:
    """Print what went wrong, where, and what to do next, on standard error."""
    place = f"{error.where}: " if error.where else ""
    print_aside(f"error: {place}{error.what}")
    for line in error.details:
        print_aside(line)
    if error.hint:
        print_aside(f"  hint: {error.hint}")


def aside() -> Console:
    """Return the console of standard error; it takes no text for markup."""
    return Console(stderr=True, highlight=False, markup=False, emoji=False)


@contextlib.contextmanager
def waiting(text: str) -> Iterator[Callable[[str], None]]:
    """Show on standard error that something takes its time; give a function that changes what is shown."""
    with aside().status(Text(for_terminal(text))) as status:
        yield lambda now: status.update(Text(for_terminal(now)))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table without lines, wide enough for its longest words when it is not shown on a terminal."""
    table = Table(box=box.SIMPLE_HEAD if _console().is_terminal else None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(for_terminal(cell)) for cell in row))
    _console().print(table)


def health(word: Health) -> Text:
    """Return a health in its colour."""
    return Text(word.value, style=_COLOURS[word])


def moment(seconds: float | None) -> str:
    """Return a time as this machine's clock shows it, with its zone's offset; a dash for none."""
    if seconds is None:
        return "-"
    found = _local(seconds)
    return found.strftime("%Y-%m-%d %H:%M:%S%z") if found is not None else _NO_TIME


def tries(standing: Tries | None) -> str:
    """Return how the tries at a goal stand, in one phrase; empty for none."""
    if standing is None:
        return ""
    charged = standing.most is not None
    what = f"attempt {standing.failed} of {standing.most}" if charged else f"attempt {standing.waits}, not charged"
    following = "no further try" if standing.next_at is None else f"next try {_soon(standing.next_at)}"
    code = f" {standing.exit_code}" if standing.exit_code is not None else ""
    return f"{what} ({cause(standing.cause)}{code}), {following}"


def cause(word: Cause) -> str:
    """Return in plain words why an attempt came to nothing."""
    return _CAUSES[word]


def _soon(seconds: float) -> str:
    """Return a time of today without its date."""
    then = _local(seconds)
    if then is None:
        return _NO_TIME
    today = then.date() == datetime.datetime.now().astimezone().date()
    return then.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M:%S%z")


def _print(text: str, style: str, console: Console) -> None:
    line = Text(for_terminal(text, LONGEST_LINE), style=style)
    if not console.is_terminal or line.cell_len <= console.width:
        console.print(line, soft_wrap=True)
        return
    first, *others = line.wrap(console, max(console.width - len(_CONTINUED), 1), overflow="fold")
    for row in (first, *(Text(_CONTINUED, style=style) + other for other in others)):
        console.print(row, soft_wrap=True)


def _local(seconds: float) -> datetime.datetime | None:
    """Return a time by this machine's clock; ``None`` where no calendar has it."""
    try:
        return datetime.datetime.fromtimestamp(seconds).astimezone()
    except (ValueError, OverflowError, OSError):
        return None


def _console() -> Console:
    console = Console(highlight=False, markup=False, emoji=False)
    if not console.is_terminal:
        console.width = 200
    return console


def retry_words(retry: Retry) -> str:
    """Return who asked for a retry of what, and why."""
    where = f"on {retry.host}" if retry.host else f"in {retry.environment}"
    why = f": {retry.reason}" if retry.reason else ""
    return f"{retry.asked_by} asked to retry {retry.package} {where}{why}"
