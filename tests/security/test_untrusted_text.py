"""Text from a host, a forge, a feed or a commit can neither steer a terminal nor pose as text of ours."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from reconciler.cli.main import app
from reconciler.kernel.visible_text import visible
from reconciler.presentation.terminal import for_terminal
from tests.security.commands_with_data import COMMANDS, Command, in_place
from tests.security.hostile import PAYLOADS, Text

FORMATS = [(command, form) for command in COMMANDS for form in ("", *command.formats)]


def texts(payload: str, change: Callable[[str], str] = str) -> Text:
    """Return what gives a text that no other field has, so that none is taken for another."""
    numbers = itertools.count(1)
    return lambda: change(f"{payload}{next(numbers)}")


def run(monkeypatch: pytest.MonkeyPatch, command: Command, form: str, text: Text) -> str:
    with monkeypatch.context() as patched:
        in_place(patched)
        command.patch(patched, text)
        done = CliRunner().invoke(app, [*command.words, *(("--format", form) if form else ())])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.output
    return done.output


def harmful(output: str) -> list[str]:
    """Return the lines that hold what a terminal would obey, hide or reorder."""
    return [line for line in output.split("\n") if visible(line) != line]


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize(("command", "form"), FORMATS, ids=lambda part: str(part) or "text")
def test_no_command_prints_what_steers_a_terminal(
    command: Command, form: str, payload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = run(monkeypatch, command, form, texts(payload))
    assert harmful(output) == []
    if form in ("json", "sarif"):
        return
    # Neither do values split lines, shift columns or become markup: the visible form prints just the same.
    assert output == run(monkeypatch, command, form, texts(payload, for_terminal))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("command", [c for c in COMMANDS if "json" in c.formats], ids=str)
def test_json_holds_the_exact_text(command: Command, payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    output = run(monkeypatch, command, "json", texts(payload))
    assert any(payload.replace("\n", " ") in text.replace("\n", " ") for text in strings(json.loads(output)))


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings(item))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)
