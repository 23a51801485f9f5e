"""A host gets its name also where this machine allows no namespaces."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reconciler.lab import LabHost
from reconciler.lab.naming import Naming, available_naming
from reconciler.lab.template import PYTHON


@pytest.fixture
def no_namespaces(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    refusal = tmp_path / "unshare"
    refusal.write_text("#!/bin/sh\nexit 1\n", encoding="ascii")
    refusal.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    available_naming.cache_clear()
    yield
    available_naming.cache_clear()


@pytest.mark.usefixtures("no_namespaces")
def test_the_registry_names_a_host_where_namespaces_are_refused(lab_host: Callable[[str], LabHost]) -> None:
    host = lab_host("dev-01")
    assert available_naming() is Naming.REGISTRY

    for _ in range(2):
        name = host.run([PYTHON, "-c", "import os; print(os.environ['COMPUTERNAME'])"]).stdout.strip()
        assert name == "DEV-01"
        host.reboot()
