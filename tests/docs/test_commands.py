"""Every command and option has its place in docs/reference/commands.md, and every example there is one."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Any

import pytest
import typer

from reconciler.cli.main import app
from tests.docs.conftest import PAGES, Page, page_id

PROGRAM: Any = typer.main.get_command(app)
PAGE = Page.of("reference/commands.md")
SHARED = ["--help"]


def leaves(command: Any, path: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from leaves(inner, (*path, name))
    else:
        yield " ".join(path), command


COMMANDS = dict(leaves(PROGRAM, ("reconciler",)))


def options_of(command: Any) -> list[str]:
    return [name for p in command.params if p.param_type_name == "option" for name in (*p.opts, *p.secondary_opts)]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_has_a_section_with_each_option_argument_and_an_example(name: str) -> None:
    section = PAGE.section(name)
    command = COMMANDS[name]
    entries = " ".join(section.entries())
    documented = set(re.findall(r"--[a-z-]+", entries))
    assert documented == set(options_of(command)) - set(SHARED)
    arguments = {p.name.upper() for p in command.params if p.param_type_name == "argument"}
    assert {re.sub("…", "", entry) for entry in section.entries() if not entry.startswith("-")} == arguments
    examples = [line for language, text in section.blocks() if language == "sh" for line in text.splitlines()]
    assert any(example.startswith(name) for example in examples), f"{name} has no example"


def test_shared_options_are_told_once_for_all() -> None:
    shared = re.findall(r"--[a-z]+", " ".join(PAGE.section("Commands").entries()))
    assert set(shared) == {"--data", "--format", *SHARED}


def test_no_section_tells_of_a_command_that_there_is_not() -> None:
    told = [heading for heading in PAGE.headings() if heading.startswith("reconciler ")]
    assert sorted(told) == sorted(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_shows_an_example_that_can_be_typed(name: str) -> None:
    match = re.search(r"`(.+)`", COMMANDS[name].epilog or "")
    assert match is not None, f"{name} --help shows no example"
    assert match[1].startswith(name)
    check_typed(match[1])


def typed_in(text: str) -> Iterator[str]:
    """Yield each call of the program in a block of shell commands."""
    for line in text.replace("\\\n", " ").splitlines():
        for part in re.split(r"&&|;|\|", line):
            words = part.split("#")[0].strip()
            found = re.search(r"(?:^|\s|/)reconciler (?=[a-z-])(.*)", words)
            if found and not re.match(r"(git|python|cp|cat|bash|useradd|systemctl|chown)\b", words):
                yield "reconciler " + re.split(r"\s+(?:>|2>|&$)", found[1])[0].rstrip(" &")


def check_typed(line: str) -> None:
    """Fail where the command line names a command or option that there is not, or lacks what is required."""
    _, *words = shlex.split(line)
    command, path = PROGRAM, "reconciler"
    while hasattr(command, "commands"):
        name = words.pop(0)
        assert name in command.commands, f"{line!r}: there is no command {path} {name}"
        command, path = command.commands[name], f"{path} {name}"
    context = command.context_class(command, info_name=path)
    try:
        given, rest, _ = command.make_parser(context).parse_args(words)
    except Exception as error:
        pytest.fail(f"{line!r}: {error}", pytrace=False)
    assert not rest, f"{line!r}: {rest} are too many"
    for parameter in command.params:
        value = given.get(parameter.name)
        assert value is not None or not parameter.required, f"{line!r} lacks {parameter.name}"
        kind = parameter.type_descriptor.annotation
        if isinstance(value, str) and isinstance(kind, type) and issubclass(kind, Enum):
            assert value in [choice.value for choice in kind], f"{line!r}: {parameter.name} cannot be {value}"


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_every_example_can_be_typed(page: Path) -> None:
    for language, text in Page(page.read_text("utf-8")).blocks():
        if language == "sh":
            for line in typed_in(text):
                check_typed(line)


@pytest.mark.parametrize("page", PAGES, ids=page_id)
def test_commands_named_in_the_text_exist(page: Path) -> None:
    for words in re.findall(r"`reconciler ([^`]+)`", Page(page.read_text("utf-8")).prose):
        command = PROGRAM
        for word in words.split():
            if hasattr(command, "commands"):
                assert word == "COMMAND" or word in command.commands, f"there is no `reconciler {words}`"
                command = command.commands.get(word)
            elif word.startswith("--") and command is not None:
                assert word in (*options_of(command), *SHARED), f"`reconciler {words}`: no option {word}"


def test_commands_that_the_readme_misses_are_missing() -> None:
    missing = re.search(r"- \*\*Commands:\*\* ([^.]+)\.", PAGES[0].read_text("utf-8"))
    assert missing is not None
    names = re.findall(r"`(\w+)`", missing[1])
    assert len(names) > 3
    assert PROGRAM.commands.keys().isdisjoint(names)


def test_the_examples_of_the_readme_are_found() -> None:
    text = "".join(text for language, text in Page(PAGES[0].read_text("utf-8")).blocks() if language == "sh")
    found = list(typed_in(text))
    assert "reconciler plan --revision promote" in found
    assert "reconciler daemon --repository ~/fleet-try/fleet.git" in found
    with pytest.raises(AssertionError, match="no command"):
        check_typed("reconciler frobnicate")
    with pytest.raises(pytest.fail.Exception, match="--frob"):
        check_typed("reconciler status --frob")
    with pytest.raises(AssertionError, match="lacks"):
        check_typed("reconciler trace PROD-01")
    with pytest.raises(AssertionError, match="cannot be xml"):
        check_typed("reconciler status --format xml")
