"""docs/architecture.md names files, functions and layers that there are."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs.conftest import ROOT, Page

PAGE = Page.of("architecture.md")
PACKAGE = ROOT / "reconciler"
NAMED = sorted(set(re.findall(r"`([^`\s]+)`", PAGE.prose)))
FILES = [name for name in NAMED if name.endswith(".py")]
FUNCTIONS = [name for name in NAMED if re.fullmatch(r"[A-Z]\w+\.\w+|[a-z]\w*_\w+", name)]
SOURCE = "\n".join(path.read_text("utf-8") for path in sorted(PACKAGE.rglob("*.py")))


@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_named_exists(name: str) -> None:
    assert any((PACKAGE / folder / name).is_file() for folder in ("", "agent")), f"there is no {name}"


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_that_is_named_exists(name: str) -> None:
    owner, _, function = name.rpartition(".")
    if owner and not owner.isupper():
        body = re.search(rf"^class {owner}\b.*?(?=^\S|\Z)", SOURCE, re.MULTILINE | re.DOTALL)
        assert body is not None, f"there is no class {owner}"
        assert re.search(rf"\b{function}\b", body[0]), f"{owner} has no {function}"
    else:
        assert re.search(rf"^\s*(def|class) {function}\b|^    {function}: ", SOURCE, re.MULTILINE), name


def test_the_layers_are_those_of_the_import_contracts() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    layers = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    (diagram,) = [text for language, text in PAGE.section("The layers").blocks() if language == "text"]
    assert [re.split(r"\s{2,}", line)[0] for line in diagram.splitlines()] == layers
