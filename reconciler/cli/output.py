"""Prints tables for people, in colour on a terminal only, and JSON for programs."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import typer
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from reconciler.kernel.attempts import Cause
from reconciler.kernel.retries import Retry, Tries
from reconciler.kernel.status import Health

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


def print_json(value: Any) -> None:
    """Print a value (dataclasses, enumerations and paths included) as one JSON document."""
    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    typer.echo(orjson.dumps(value, default=str, option=options).decode())


def print_line(text: str = "", style: str = "") -> None:
    """Print a line, wrapped nowhere: what comes from hosts and commits is shown as it is, markup and all."""
    _console().print(Text(text, style=style), soft_wrap=True)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[str | Text]]) -> None:
    """Print a table without lines, wide enough for its longest words when it is not shown on a terminal."""
    table = Table(box=box.SIMPLE_HEAD if _console().is_terminal else None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(cell) for cell in row))
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
