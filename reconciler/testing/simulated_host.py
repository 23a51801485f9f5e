"""``python -m reconciler.testing.simulated_host run --data DIR``: the real agent on a simulated Windows machine.

The machine's state is ``DIR/machine.json``; `reconciler.testing.simulated_windows` changes it by hand.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from reconciler.agent.entry import BAD_START, parse_data_folder, run_agent
from reconciler.testing.simulated_machine import SimulatedMachine

STATE_NAME = "machine.json"


def state_file(data: Path) -> Path:
    """Return where the state of the machine lies whose agent has its data in ``data``."""
    return data / STATE_NAME


def main(arguments: Sequence[str]) -> int:
    """Run the agent until it is told to end; return the exit code: 0, or 2 where it could not start."""
    data = parse_data_folder(arguments, "python -m reconciler.testing.simulated_host")
    if data is None:
        return BAD_START
    machine = SimulatedMachine(state_file(data))
    return run_agent(data, machine, machine.signatures)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
