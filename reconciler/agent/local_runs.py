"""Runs on the machine that this process runs on: each has a folder, and a child process that outlives this."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from reconciler.agent.durable import write_atomically
from reconciler.agent.installer_log import read_end
from reconciler.agent.machine import MachineError, Run, Running, RunResult
from reconciler.agent.run_folder import CALL_NAME, LOG_NAME, claim_run, read_claim, read_result
from reconciler.kernel.calls import Call
from reconciler.kernel.wire import encode

_NOT_TO_BEGIN = "the agent, after a restart: not to begin"


class Process(Protocol):
    """A process on this machine."""

    def wait(self, seconds: float) -> bool:
        """Wait for its end, ``seconds`` at most; return whether it has ended."""

    def kill(self) -> None:
        """End it by force, with all that it has started."""


class LocalRuns:
    """The runs of this machine.

    Args:
        folder: where each has its folder.
        spawn: starts the child process that carries out a call in a run's folder; it may raise `OSError`.
        find_process: gives the running process that claimed a run so, or ``None``.
    """

    def __init__(
        self,
        folder: Path,
        spawn: Callable[[Path, Call], Process],
        find_process: Callable[[str], Process | None],
    ) -> None:
        self._folder = folder
        self._spawn = spawn
        self._find_process = find_process

    def start(self, run: Run) -> Running:
        """Start a run.

        Raises:
            MachineError: its process could not be started.
        """
        folder = self._folder / run.name
        try:
            folder.mkdir(parents=True)
            write_atomically(folder / CALL_NAME, json.dumps(encode(run.call)))
            process = self._spawn(folder, run.call)
        except OSError as error:
            raise MachineError(f"the run's process cannot be started: {error}", where=str(folder)) from error
        return _LocalRun(folder, process)

    def find(self, name: str) -> Running | None:
        """Return a run that was begun, by whatever process; ``None`` where it never began, and never will."""
        folder = self._folder / name
        if not folder.is_dir() or claim_run(str(folder), _NOT_TO_BEGIN):
            return None
        claimed_by = read_claim(str(folder)) or ""
        if claimed_by == _NOT_TO_BEGIN:
            return None
        return _LocalRun(folder, self._find_process(claimed_by))

    def forget(self, attempt: str) -> None:
        """Delete the folders of an attempt's runs, or of all runs where ``attempt`` is empty."""
        for folder in self._folder.glob(f"{attempt}-*" if attempt else "*"):
            shutil.rmtree(folder, ignore_errors=True)


class _LocalRun:
    """A run; ``process`` is ``None`` where it has ended already."""

    def __init__(self, folder: Path, process: Process | None) -> None:
        self._folder = folder
        self._process = process

    @property
    def log_path(self) -> str:
        return str(self._folder / LOG_NAME)

    def wait(self, seconds: float) -> bool:
        return self._process is None or self._process.wait(seconds)

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()

    def result(self) -> RunResult | None:
        found = read_result(str(self._folder))
        return RunResult(*found) if found is not None else None

    def log(self) -> str:
        return read_end(self._folder / LOG_NAME)
