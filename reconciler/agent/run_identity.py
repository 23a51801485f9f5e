"""What the agent says of itself in each request, so that the server can tell two machines with one key apart."""

from __future__ import annotations

import hashlib
import secrets

from reconciler.agent.state import AgentState


class RunIdentity:
    """One start of the agent: a random name, its number, the number of its last check-in, and its machine.

    Args:
        state: counts the starts, on disk. A clone counts from the same number on, a reverted snapshot from an
            earlier one.
    """

    def __init__(self, state: AgentState) -> None:
        self._state = state
        self._machine = ""
        self.renew()

    def renew(self) -> None:
        """Take a new name and number."""
        self._run = secrets.token_hex(16)
        self._start = self._state.count_start()
        self._check_ins = 0

    def know_machine(self, machine_id: str) -> None:
        """Take over what the machine calls itself; only a hash of it is ever sent."""
        self._machine = (
            hashlib.sha256(machine_id.encode("utf-8", "replace")).hexdigest()[:32] if machine_id else ""
        )

    def count_check_in(self) -> int:
        """Return the number of the check-in that is about to be sent."""
        self._check_ins += 1
        return self._check_ins

    def header(self) -> str:
        """Return the header's value; see `reconciler.kernel.protocol.MACHINE_HEADER`."""
        return f"{self._run} {self._start} {self._machine}".rstrip()
