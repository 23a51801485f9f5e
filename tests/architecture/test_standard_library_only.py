"""What runs on hosts may use nothing but the standard library and what goes there with it."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import reconciler

ROOT = Path(reconciler.__file__).parent
FILES = sorted([*ROOT.glob("kernel/**/*.py"), *ROOT.glob("agent/**/*.py")])


def imported(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide what is imported"
            yield node.module or ""


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_imports(file: Path) -> None:
    allowed = ("reconciler.kernel",) if "kernel" in file.parts else ("reconciler.kernel", "reconciler.agent")
    for name in imported(ast.parse(file.read_text("utf-8"))):
        if name.split(".")[0] == "reconciler":
            assert name == "reconciler" or name.startswith(allowed), f"{file.name} imports {name}"
        else:
            assert name.split(".")[0] in sys.stdlib_module_names, f"{file.name} imports {name}"


WITH_THE_ENDPOINT = ("spnego", "cryptography")
"""What goes to a lab host with the WinRM endpoint: spnego, and what that needs itself."""

ON_LAB_HOSTS = ("reconciler.lab.winrm.server", "reconciler.lab.winrm.stand_ins")
BROUGHT = {("powershell.py", "reconciler.agent.windows.wintrust")}
"""What `reconciler.lab.winrm.tools` packs with a stand-in, besides its own package."""


@pytest.mark.parametrize("package", ON_LAB_HOSTS)
def test_imports_of_what_runs_on_lab_hosts(package: str) -> None:
    files = sorted(ROOT.parent.joinpath(*package.split(".")).glob("*.py"))
    assert files
    for file in files:
        for name in imported(ast.parse(file.read_text("utf-8"))):
            if name.split(".")[0] == "reconciler":
                brought = (file.name, name) in BROUGHT
                assert brought or f"{name}.".startswith(f"{package}."), f"{file.name} imports {name}"
            else:
                known = name.split(".")[0] in sys.stdlib_module_names
                assert known or (name.startswith(WITH_THE_ENDPOINT) and package == ON_LAB_HOSTS[0]), (
                    f"{file.name} imports {name}"
                )
