"""Files that another program holds open for a moment, as on Windows, are replaced and read all the same.

Only Windows refuses this: the refusals are injected.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reconciler.agent import durable

BUSY = PermissionError(13, "The process cannot access the file because it is being used by another process")


def refusing(action: Callable[..., Any], times: int) -> Callable[..., Any]:
    """Return the action, refused as often as given before it is carried out."""
    left = [BUSY] * times

    def carry_out(*arguments: Any, **options: Any) -> Any:
        if left:
            raise left.pop()
        return action(*arguments, **options)

    return carry_out


def test_file_that_is_open_for_a_moment_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state"
    file.write_text("old")
    monkeypatch.setattr(durable.os, "replace", refusing(os.replace, 3))
    durable.write_atomically(file, "new")
    assert file.read_text() == "new"


def test_file_that_is_being_replaced_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "state"
    file.write_text("there")
    monkeypatch.setattr(durable, "open", refusing(open, 3), raising=False)
    assert durable.read_text(file) == "there"


def test_file_that_stays_open_is_an_error_and_keeps_its_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "state"
    file.write_text("old")
    monkeypatch.setattr(durable, "_BUSY_SECONDS", 0.0)
    monkeypatch.setattr(durable.os, "replace", refusing(os.replace, 1000))
    with pytest.raises(PermissionError):
        durable.write_atomically(file, "new")
    assert file.read_text() == "old"


def test_missing_file_is_reported_at_once(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        durable.read_text(tmp_path / "none")
