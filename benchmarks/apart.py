"""Runs one benchmark in a process of its own, and sees to it that what it started is taken down in the end."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from multiprocessing.connection import Connection
from types import FrameType
from typing import NoReturn

from benchmarks.measure import Figure, progress
from reconciler.kernel.errors import ReconcilerError

Benchmark = Callable[[], tuple[Figure, ...]]


def run_apart(benchmark: Benchmark) -> tuple[Figure, ...]:
    """Run a benchmark in a process of its own, and return its figures.

    Raises:
        ReconcilerError: it could not be carried out.
        KeyboardInterrupt: it was to end; it has, and what it started too.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("spawn").Process(target=_run_here, args=(benchmark, theirs))
    process.start()
    theirs.close()
    try:
        told: tuple[Figure, ...] | str = ours.recv()
    except EOFError:
        told = "its process broke off"
    except KeyboardInterrupt:
        process.terminate()
        raise
    finally:
        process.join()
    if isinstance(told, str):
        raise ReconcilerError(told)
    return told


def end_on_signals() -> None:
    """Have Ctrl-C and SIGTERM raise `KeyboardInterrupt`, once."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)


def _run_here(benchmark: Benchmark, answer: Connection) -> None:
    end_on_signals()
    try:
        answer.send(benchmark())
    except ReconcilerError as error:
        answer.send(str(error))
    except KeyboardInterrupt:
        return


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    """Have everything taken down, and let no second signal break into that."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    progress("ending: what was started is being taken down")
    raise KeyboardInterrupt
