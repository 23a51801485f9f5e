"""Starts an agent on a machine and ends it on a signal. The one place where the agent's parts meet the process."""

from __future__ import annotations

import logging
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

from reconciler import __version__
from reconciler.agent.agent_log import open_log
from reconciler.agent.loop import Agent
from reconciler.agent.machine import Machine, Signatures
from reconciler.agent.settings import load_settings
from reconciler.kernel.errors import ReconcilerError

BAD_START = 2
"""The exit code of an agent that could not start."""

_log = logging.getLogger("reconciler.agent")


def parse_data_folder(arguments: Sequence[str], usage: str) -> Path | None:
    """Return the data folder that ``run --data DIR`` names, or tell the usage and return ``None``."""
    if len(arguments) == 3 and arguments[0] == "run" and arguments[1] == "--data":
        return Path(arguments[2]).resolve()
    complain(f"usage: {usage} run --data DIR\nexample: {usage} run --data C:\\ProgramData\\Reconciler")
    return None


def run_agent(data: Path, machine: Machine, signatures: Signatures) -> int:
    """Keep ``machine`` until the process is told to end; return the process's exit code.

    Args:
        data: the agent's data folder, with its settings in it.
        machine: what to keep.
        signatures: checks who signed the files that are run there.
    """
    agent = make_agent(data, machine, signatures)
    if agent is None:
        return BAD_START

    def stop(_signal: int, _frame: FrameType | None) -> None:
        agent.stop()

    for name in ("SIGTERM", "SIGINT", "SIGBREAK"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), stop)
    agent.run()
    _log.info("the agent has stopped")
    return 0


def make_agent(data: Path, machine: Machine, signatures: Signatures) -> Agent | None:
    """Open the log and return the agent that keeps ``machine``; ``None``, and why, where it cannot start."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        open_log(data)
        agent = Agent(load_settings(data), data, machine, signatures)
    except (ReconcilerError, OSError) as error:
        complain(f"the agent cannot start: {error}")
        return None
    _log.info("the agent %s starts in %s", __version__, data)
    return agent


def complain(text: str) -> None:
    """Tell what is wrong, in the log and where there is one on the standard error."""
    _log.error(text)
    if sys.stderr is not None:
        sys.stderr.write(text + "\n")
