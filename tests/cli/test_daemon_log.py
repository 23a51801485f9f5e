"""The daemon's log: each line is written whole, whoever else writes at that moment."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator

import pytest
import structlog

from reconciler.cli.daemon import configure_log


class Written(io.StringIO):
    """Keeps what each call has written."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def write(self, text: str) -> int:
        self.calls.append(text)
        return len(text)


@pytest.fixture
def log() -> Iterator[None]:
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("log")
def test_a_line_of_the_log_is_written_by_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    written = Written()
    monkeypatch.setattr(sys, "stdout", written)
    configure_log()
    structlog.get_logger("reconciler.pusher").warning("a host cannot be reached", host="DEV-01")
    (line,) = written.calls
    assert line.endswith("event='a host cannot be reached' host='DEV-01'\n")
