"""A machine that can't have lab hosts is told so, with the command that mends it."""

from __future__ import annotations

import platform
from pathlib import Path

import pytest

from reconciler.lab import Lab, LabUnavailable, missing, require
from reconciler.lab.packages import EXAMPLES, build
from reconciler.packaging.errors import PackagingUnavailable


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))


@pytest.mark.usefixtures("bare_machine")
def test_missing_tools_come_with_the_apt_command(tmp_path: Path) -> None:
    assert missing() == ("wine", "wineserver", "msiinfo", "wixl")

    for attempt in (require, lambda: Lab(tmp_path).up(["dev-01"])):
        with pytest.raises(LabUnavailable) as caught:
            attempt()
        assert caught.value.hint == (
            "as root: apt-get install -y --no-install-recommends wine64 wine msitools wixl"
        )


@pytest.mark.usefixtures("bare_machine")
def test_a_machine_without_the_builder_is_told_too(tmp_path: Path) -> None:
    with pytest.raises(PackagingUnavailable) as caught:
        build(EXAMPLES[0], tmp_path)

    assert caught.value.hint == "as root: apt-get install -y --no-install-recommends msitools wixl"


def test_another_platform_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "aarch64")

    with pytest.raises(LabUnavailable, match="need Linux on x86-64"):
        require()
