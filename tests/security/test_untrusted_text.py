"""Text from a host, a forge, a feed or a commit can neither steer a terminal nor pose as text of ours."""

from __future__ import annotations

import io
import itertools
import json
import logging
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from typer.testing import CliRunner

from reconciler.agent.agent_log import open_log
from reconciler.cli import output
from reconciler.cli.daemon import configure_log
from reconciler.cli.main import app
from reconciler.cli.output import LONGEST_LINE, print_error, print_line
from reconciler.kernel.errors import ReconcilerError
from reconciler.kernel.visible_text import visible
from reconciler.presentation.json_text import as_json
from reconciler.presentation.terminal import for_terminal
from tests.security.commands_with_data import COMMANDS, Command, in_place
from tests.security.hostile import PAYLOADS, Text

BUILD_COMMAND = re.compile(r"(?m)^\s*::|##\w*\[")
FORMATS = [(command, form) for command in COMMANDS for form in ("", *command.formats)]


def texts(payload: str, change: Callable[[str], str] = str) -> Text:
    """Return what gives a text that no other field has, so that none is taken for another."""
    numbers = itertools.count(1)
    return lambda: change(f"{payload}{next(numbers)}")


def run(monkeypatch: pytest.MonkeyPatch, command: Command, form: str, text: Text) -> tuple[str, str]:
    """Return what a command prints, on standard output and on standard error."""
    with monkeypatch.context() as patched:
        in_place(patched)
        command.patch(patched, text)
        done = CliRunner().invoke(app, [*command.words, *(("--format", form) if form else ())])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.stdout
    return done.stdout, done.stderr


def harmful(output: str) -> list[str]:
    """Return the lines that hold what a terminal would obey, hide or reorder."""
    return [line for line in output.split("\n") if visible(line) != line]


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize(("command", "form"), FORMATS, ids=lambda part: str(part) or "text")
def test_no_command_prints_what_steers_a_terminal(
    command: Command, form: str, payload: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    printed = run(monkeypatch, command, form, texts(payload))
    assert harmful("\n".join(printed)) == []
    if form in ("json", "sarif") or (form == "markdown" and payload == PAYLOADS["build"]):
        return  # documents hold the exact text; Markdown breaks commands of build logs by its own escapes
    # Neither do values split lines, shift columns or become markup: the visible form prints just the same.
    assert printed == run(monkeypatch, command, form, texts(payload, for_terminal))


@pytest.mark.parametrize("payload", PAYLOADS.values(), ids=PAYLOADS)
@pytest.mark.parametrize("command", [c for c in COMMANDS if "json" in c.formats], ids=str)
def test_json_holds_the_exact_text(command: Command, payload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    printed, _ = run(monkeypatch, command, "json", texts(payload))
    assert any(payload.replace("\n", "\\n") in text.replace("\n", "\\n") for text in strings(json.loads(printed)))


@pytest.mark.parametrize("command", [c for c in COMMANDS if "markdown" in c.formats], ids=str)
def test_no_command_prints_commands_of_build_logs(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    for form in ("", "markdown"):
        printed, _ = run(monkeypatch, command, form, texts("::error::x ##vso[a]b ##[c]d ##teamcity[e]"))
        assert BUILD_COMMAND.findall(printed) == []


def test_a_finding_is_one_annotation(monkeypatch: pytest.MonkeyPatch) -> None:
    from reconciler.desired.findings import Finding, Rule
    from reconciler.desired.reports import as_annotation

    hostile = "a\n::error file=x::y\r%0A::stop-commands::z,b:c"
    line = as_annotation(Finding(hostile, 1, 1, Rule.SYMLINK, hostile, hostile))
    properties, _, told = line.removeprefix("::error ").partition("::")
    assert "\n" not in line
    assert properties.count(",") == 3
    assert properties.count("::") == 0
    assert "%0A" not in told.replace("%0A", "", 1), "the hint is on a line of its own; a value's %0A is escaped"
    assert "%250A" in told


def test_an_error_is_as_many_lines_as_it_has_parts(capsys: pytest.CaptureFixture[str]) -> None:
    hostile = "a\r\nerror: forged\x1b[2J\u202e"
    error = ReconcilerError(hostile, where=hostile, hint=hostile, details=[f"- {hostile}", hostile])
    print_error(error)
    told = capsys.readouterr().err
    assert harmful(told) == []
    assert [line[:9] for line in told.splitlines()] == ["error: a\\", "- a\\r\\ner", "a\\r\\nerro", "  hint: a"]


def test_errors_that_list_others_list_them_line_by_line(capsys: pytest.CaptureFixture[str]) -> None:
    from reconciler.desired.findings import Finding, Rule
    from reconciler.operations.import_release import CannotImport, SeveralProblems
    from reconciler.operations.publish import InvalidChange

    finding = Finding("a\nb.yaml", 1, 1, Rule.SYMLINK, "a\nlink", "a\nhint")
    problem = CannotImport("bad\nname", where="a\nb.msi", hint="rename\nit")
    for error, lines in ((InvalidChange((finding,)), 3), (SeveralProblems([problem, problem]), 5)):
        print_error(error)
        assert len(capsys.readouterr().err.splitlines()) == lines


def test_a_long_line_cannot_reach_the_left_edge_of_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=True, width=40, color_system=None)
    monkeypatch.setattr(output, "_console", lambda: console)
    print_line(f"  asked by   {'x' * 29}approved   by ann {' ' * 60} approved   by bob")
    first, *others = shown.getvalue().splitlines()
    assert first.startswith("  asked by")
    assert len(others) >= 2
    assert all(line.startswith("… ") for line in others)


@pytest.mark.parametrize("command", COMMANDS, ids=str)
def test_no_value_floods_a_terminal(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    printed = run(monkeypatch, command, "", texts("x" * 100_000))
    assert all(len(line) <= LONGEST_LINE for line in "\n".join(printed).split("\n"))
    assert re.search(r"… \(\d{6,} characters\)", printed[0] + printed[1])


def test_a_long_title_does_not_hide_the_author(monkeypatch: pytest.MonkeyPatch) -> None:
    (command,) = (command for command in COMMANDS if command.words == ("change", "show", "1"))
    printed, _ = run(monkeypatch, command, "", texts("x" * 100_000))
    (commit,) = (line for line in printed.split("\n") if line.startswith("  cccccccccc x"))
    assert commit.count(" characters)") == 2


def test_a_long_value_is_cut_and_says_so() -> None:
    assert for_terminal("x" * 5000, 100) == "x" * 81 + "… (5000 characters)"
    assert for_terminal("\x1b" * 5000, 100).endswith("… (5000 characters)")
    assert len(for_terminal("\x1b" * 5000, 100)) == 100


def test_what_people_write_stays_as_it_is() -> None:
    for text in (
        "C:\\Program Files\\Contoso",
        "Päivitys 2.0 – größer",
        "更新プログラム",
        "ปรับปรุงแล้ว",
        "תיקון",
        "⚡️ Faster",
        "e\u0301",
    ):
        assert for_terminal(text) == text


@given(st.text())
def test_cleaning_again_changes_nothing(text: str) -> None:
    assert for_terminal(for_terminal(text)) == for_terminal(text)
    assert visible(text).isprintable()


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stdout", written)
    handlers = logging.getLogger().handlers
    configure_log()
    yield written
    structlog.reset_defaults()
    logging.getLogger().handlers = handlers


def test_the_daemons_log_has_a_line_for_each_event(log: io.StringIO) -> None:
    hostile = "a\r\n2026-11-30 level='info' event='forged'\x1b[2J\u202e" + "\u0301" * 40
    structlog.get_logger("reconciler.test").warning("malformed message", why=hostile, long="x" * 100_000)
    logging.getLogger("reconciler.hosts").warning("the log of a run on %s cannot be read: %s", hostile, hostile)
    try:
        raise ReconcilerError(hostile)
    except ReconcilerError:
        structlog.get_logger("reconciler.test").exception("handler failed")
        logging.getLogger("uvicorn.error").exception("failed")
    assert harmful(log.getvalue()) == []
    assert len(log.getvalue().splitlines()) == 4
    assert len(log.getvalue()) < 60_000


def test_the_agents_log_has_a_line_for_each_event(tmp_path: Path) -> None:
    hostile = "a\r\n2026-11-30 12:00:00 INFO reconciler forged\x1b[2J\u202e"
    logger = logging.getLogger("reconciler")
    before = logger.level
    open_log(tmp_path)
    (handler,) = (h for h in logger.handlers if getattr(h, "baseFilename", "").startswith(str(tmp_path)))
    try:
        logger.warning("the server does not want the log: %s", hostile)
        try:
            raise ReconcilerError(hostile)
        except ReconcilerError:
            logger.exception("a turn broke off")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
        handler.close()
    lines = (tmp_path / "logs" / "agent.log").read_text("utf-8").split("\n")
    assert harmful("\n".join(lines)) == []
    assert len([line for line in lines if line and not line.startswith("  ")]) == 2


def test_audit_records_are_stored_in_ascii(tmp_path: Path) -> None:
    from reconciler.operations.audit import audit_as_csv, audit_as_json_lines
    from reconciler.settings import Settings
    from reconciler.site import open_site
    from reconciler.store.holds import Override

    with open_site(Settings(data=tmp_path / "data")) as site:
        for payload in PAYLOADS.values():
            site.holds.record_override(Override(payload, payload, payload, {"of": payload}), 1.0)
        for lines in (list(audit_as_csv(site)), list(audit_as_json_lines(site))):
            assert harmful("\n".join(lines)) == []
            assert len("\n".join(lines).split("\n")) == len(lines)


def test_only_one_module_of_the_command_line_writes() -> None:
    """A command that wrote by itself could forget to clean what it writes."""
    folder = Path(output.__file__).parent
    writing = re.compile(
        r"typer\.(?:echo|secho)|(?<![\w.])print\(|\bConsole\(|sys\.std(?:out|err)\.write|\.status\(\""
    )
    found = {path.name for path in folder.glob("*.py") if writing.search(path.read_text("utf-8"))}
    assert found == {"output.py"}


def strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from (key, *strings(item))
    elif isinstance(value, list):
        for item in value:
            yield from strings(item)


def test_json_commands_no_build() -> None:
    document = as_json({"title": "##vso[task.setvariable variable=x]y ###"})
    assert "##" not in document
    assert json.loads(document) == {"title": "##vso[task.setvariable variable=x]y ###"}
