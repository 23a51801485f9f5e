"""A simulated Windows machine: its state in a JSON file, changed as Windows Installer and others would change it.

It installs no files and runs nothing; what calls do to its state stands in `reconciler.testing.simulated_calls`.
Faults can be put in: exit codes, slowness, runs that claim success and do nothing.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from json import dumps, loads
from pathlib import Path

from reconciler.agent.durable import write_atomically
from reconciler.kernel.calls import Call
from reconciler.kernel.observation import InstalledProduct
from reconciler.kernel.probes import Answer, Probe
from reconciler.kernel.signatures import Signature, Trust
from reconciler.kernel.wire import decode, encode
from reconciler.testing.simulated_calls import answer, apply_call, product_code_of, with_answer
from reconciler.testing.simulated_state import Fault, SimulatedCommand, SimulatedSignature, WindowsState

REBOOT_SIGNAL = "a simulated installer"

_REBOOT_CODES = (3010, 1641)


class SimulatedWindows:
    """The machine whose state lies in the file at ``path``. Any number of processes may use it at once."""

    def __init__(self, path: Path) -> None:
        self._path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._locked():
            if not path.exists():
                self._write(WindowsState(booted_at=int(time.time())))

    def state(self) -> WindowsState:
        """Return what the machine has now."""
        return decode(WindowsState, loads(self._path.read_text("utf-8")))

    def change(self, change: Callable[[WindowsState], WindowsState]) -> WindowsState:
        """Change the machine's state, all at once, and return it."""
        with self._locked():
            changed = change(self.state())
            self._write(changed)
        return changed

    def add_fault(self, fault: Fault) -> None:
        """Make the installer go wrong from now on."""
        self.change(lambda state: replace(state, faults=(*state.faults, fault)))

    def clear_faults(self) -> None:
        """Make the installer work again."""
        self.change(lambda state: replace(state, faults=()))

    def put(self, *products: InstalledProduct) -> None:
        """Have products installed that nobody's installer run put there."""
        self.change(lambda state: replace(state, products=(*state.products, *products)))

    def remove(self, product_code: str) -> tuple[InstalledProduct, ...]:
        """Uninstall a product by hand; return what is left then."""

        def without(state: WindowsState) -> WindowsState:
            return replace(state, products=tuple(p for p in state.products if p.product_code != product_code))

        return self.change(without).products

    def set_answer(self, probe: Probe, text: str) -> None:
        """Have the machine answer ``text`` to ``probe`` from now on."""
        self.change(lambda state: with_answer(state, probe.key, text))

    def add_command(self, command: SimulatedCommand) -> None:
        """Have the machine know a command line."""
        self.change(lambda state: replace(state, commands=(*state.commands, command)))

    def sign(self, file_name: str, signature: Signature) -> None:
        """Have the machine say this of the signature of files that are called so; till then they have none."""
        told = SimulatedSignature(file_name, signature)
        self.change(
            lambda s: replace(s, signatures=(*(o for o in s.signatures if o.file_name != file_name), told))
        )

    def signature(self, file_name: str) -> Signature:
        """Return what the machine says of the signature of files that are called so."""
        found = (s.signature for s in self.state().signatures if s.file_name == file_name)
        return next(found, Signature(Trust.NOT_SIGNED))

    def answer(self, probes: Sequence[Probe]) -> tuple[Answer, ...]:
        """Return what the machine answers."""
        state = self.state()
        return tuple(answer(state, probe) for probe in probes)

    def reboot(self) -> None:
        """Restart the machine: what asked for it is answered."""
        self.change(lambda s: replace(s, booted_at=max(int(time.time()), s.booted_at + 600), reboot_pending=()))

    def run(self, call: Call) -> tuple[int, str]:
        """Carry out a call; return its exit code and its error text."""
        fault = self._take_fault(call)
        if fault is not None and fault.seconds:
            time.sleep(fault.seconds)
        code = fault.exit_code if fault is not None else 0
        if fault is not None and (fault.without_effect or code not in (0, *_REBOOT_CODES)):
            return code, fault.message
        with self._locked():
            changed, error, message = apply_call(self.state(), call)
            if code in _REBOOT_CODES and not error:
                changed = replace(changed, reboot_pending=(REBOOT_SIGNAL,))
            self._write(changed)
        return error or code, message

    def _take_fault(self, call: Call) -> Fault | None:
        taken: Fault | None = None
        subject = product_code_of(call)

        def take(state: WindowsState) -> WindowsState:
            nonlocal taken
            left = []
            for fault in state.faults:
                fits = fault.product_code == subject and fault.kind in (None, call.kind)
                if taken is None and fits:
                    taken = fault
                    if fault.times is None or fault.times > 1:
                        left.append(fault if fault.times is None else replace(fault, times=fault.times - 1))
                else:
                    left.append(fault)
            return replace(state, faults=tuple(left))

        self.change(take)
        return taken

    def _write(self, state: WindowsState) -> None:
        write_atomically(self._path, dumps(encode(state), indent=2))

    @contextmanager
    def _locked(self) -> Iterator[None]:
        with self._path.with_name(self._path.name + ".lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
