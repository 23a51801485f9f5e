"""A boot that breaks off is tried once more; programs in the place of Wine's count how often."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reconciler.lab import LabError
from reconciler.lab.prefix import WinePrefix


@pytest.fixture
def prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> WinePrefix:
    """A machine whose `wineboot` fails as often as ``failures`` has lines, and takes one away each time."""
    programs = tmp_path / "bin"
    programs.mkdir()
    scripts = {
        "wineserver": "exit 0",
        "wine": f"""
            [ "$1" = wineboot ] || exit 0
            cd {tmp_path}
            echo boot >> boots
            [ -s failures ] || exit 0
            sed -i 1d failures
            exit 1
        """,
    }
    for name, script in scripts.items():
        (programs / name).write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
        (programs / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    folder = tmp_path / "prefix"
    folder.mkdir()
    return WinePrefix(folder, "LAB-01")


def test_a_boot_that_breaks_off_is_done_again(prefix: WinePrefix, tmp_path: Path) -> None:
    (tmp_path / "failures").write_text("one\n", encoding="utf-8")
    prefix.switch_on()
    assert len((tmp_path / "boots").read_text("utf-8").splitlines()) == 2


def test_a_boot_that_breaks_off_twice_is_told(prefix: WinePrefix, tmp_path: Path) -> None:
    (tmp_path / "failures").write_text("one\n" * 5, encoding="utf-8")
    with pytest.raises(LabError, match="wineboot ended with 1"):
        prefix.switch_on()
    assert len((tmp_path / "boots").read_text("utf-8").splitlines()) == 2
