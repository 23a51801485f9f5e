"""The Windows machine that the agent runs on: msi.dll and the registry to look, a child process to install."""

# ruff: noqa: E402 - the platform is asserted before what only Windows has is imported

from __future__ import annotations

import sys

assert sys.platform == "win32"

import subprocess
from collections.abc import Sequence
from pathlib import Path

import reconciler
from reconciler.agent.local_runs import LocalRuns
from reconciler.agent.local_runs import Process as LocalProcess
from reconciler.agent.machine import Look
from reconciler.agent.windows.apart import start_apart
from reconciler.agent.windows.boot import (
    booted_at,
    free_bytes,
    machine_id,
    pending_renames,
    reboot_signals,
    system,
)
from reconciler.agent.windows.jobs import end_job
from reconciler.agent.windows.patches import list_patches
from reconciler.agent.windows.probes import answer_probes
from reconciler.agent.windows.process_list import end_by_image, end_tree
from reconciler.agent.windows.processes import Process, find_process, open_process, run_job
from reconciler.agent.windows.products import list_products
from reconciler.agent.windows.self_upgrade import concerns_agent, upgrade_command
from reconciler.kernel.calls import Call, CallKind
from reconciler.kernel.probes import Probe

_ROOT = Path(reconciler.__file__).parent.parent
_CHILD = (
    f"import sys; sys.path.insert(0, {str(_ROOT)!r}); "
    "from reconciler.agent.windows.{} import main; main(sys.argv[1:])"
)
_OF_WINDOWS_INSTALLER = (CallKind.INSTALL, CallKind.REMOVE, CallKind.PATCH, CallKind.UNPATCH)
_INSTALLER_IMAGE = "msiexec.exe"


class WindowsMachine:
    """The machine that this runs on. Implements `reconciler.agent.machine.Machine`.

    Args:
        runs: the folder for runs.
    """

    def __init__(self, runs: Path) -> None:
        self._system = system()
        local = LocalRuns(runs, _start_child, _find_run)
        self.start, self.find, self.forget = local.start, local.find, local.forget

    def look(self, probes: Sequence[Probe] = ()) -> Look:
        """Look at the machine: some milliseconds for a hundred products, and what the probes take."""
        products = list_products()
        return Look(
            products,
            reboot_signals(),
            booted_at(),
            self._system,
            list_patches(products),
            answer_probes(probes),
            pending_renames(),
            free_bytes(),
            machine_id(),
        )


def _start_child(folder: Path, call: Call) -> LocalProcess:
    """Start a child process that is not in the agent's job, so that it outlives the agent."""
    if concerns_agent(call):
        return _Child(start_apart(upgrade_command(folder, call)))
    module = "installer_run" if call.kind in _OF_WINDOWS_INSTALLER else "call_run"
    # What is to be called stands in the run's folder: a command line can be read by others, and is logged.
    return _Child(start_apart([sys.executable, "-I", "-S", "-c", _CHILD.format(module), str(folder)]))


class _Child:
    """A child process of this agent's. The handle of `subprocess` keeps its id from being used anew."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child
        process = open_process(child.pid)
        self._run = _RunProcess(process) if process is not None else None

    def wait(self, seconds: float) -> bool:
        return self._run is None or self._run.wait(seconds)

    def kill(self) -> None:
        if self._run is not None:
            self._run.kill()


class _RunProcess:
    """The process of a run, whoever started it."""

    def __init__(self, process: Process) -> None:
        self._process = process

    def wait(self, seconds: float) -> bool:
        return self._process.wait(seconds)

    def kill(self) -> None:
        """End it with all that it has started, and what Windows Installer has started since it began.

        The installer's service and its custom actions are no descendants of the run's.
        """
        created = self._process.created
        end_job(run_job(self._process.pid, created))
        end_tree(self._process.pid, created)
        end_by_image(_INSTALLER_IMAGE, created)


def _find_run(claim: str) -> LocalProcess | None:
    process = find_process(claim)
    return _RunProcess(process) if process is not None else None
