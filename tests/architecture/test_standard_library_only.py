"""What runs on managed hosts may use nothing but the standard library and the kernel."""

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
