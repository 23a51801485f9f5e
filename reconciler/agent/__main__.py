"""``python -m reconciler.agent``: the agent on a Windows machine, and what its installer asks of it."""

from __future__ import annotations

import sys
from collections.abc import Sequence

from reconciler.agent.entry import BAD_START, complain, parse_data_folder, run_agent
from reconciler.kernel.errors import ReconcilerError


def main(arguments: Sequence[str]) -> int:
    """Run the agent until it is told to end; return the exit code: 0, or 2 where it could not start."""
    if sys.platform != "win32":
        complain("this agent keeps Windows machines; a simulated one: python -m reconciler.testing.simulated_host")
        return BAD_START
    else:  # noqa: RET505 - mypy leaves out what comes after a check of the platform, but not an else
        from reconciler.agent.windows.data_folder import protect_folder
        from reconciler.agent.windows.installed import INSTALLED_COMMANDS
        from reconciler.agent.windows.machine import WindowsMachine
        from reconciler.agent.windows.signatures import WindowsSignatures

        command = INSTALLED_COMMANDS.get(arguments[0]) if arguments else None
        if command is not None:
            return command(arguments[1:])
        data = parse_data_folder(arguments, "python -m reconciler.agent")
        if data is None:
            return BAD_START
        try:
            protect_folder(data)  # before a key, a journal or a log is in it
        except (ReconcilerError, OSError) as error:
            complain(f"the agent cannot start: {error}")
            return BAD_START
        return run_agent(data, WindowsMachine(data / "runs"), WindowsSignatures())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
