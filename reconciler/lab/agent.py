"""Puts the agent on a lab host, starts it and kills it; what the agent does is its own affair."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path

from reconciler.lab.commands import Background, start
from reconciler.lab.errors import LabError
from reconciler.lab.paths import unix_path
from reconciler.lab.prefix import WinePrefix
from reconciler.lab.processes import WineProcess, kill_all, processes_of
from reconciler.lab.template import LAB_PROGRAM, PYTHON

AGENT_DATA = r"C:\ProgramData\Reconciler Agent"
_AGENT_LIBRARY = LAB_PROGRAM + r"\lib\reconciler"
_AGENT_MODULE = "reconciler.agent"
_AGENT_PACKAGES = ("kernel", "agent")


def install_agent(prefix: WinePrefix, config: Mapping[str, object]) -> None:
    """Copy this installation's agent to the host, replacing one that is there, and write its ``agent.json``.

    Raises:
        LabError: this installation has no agent.
    """
    library = unix_path(prefix.drive_c, _AGENT_LIBRARY)
    source = Path(str(import_module("reconciler").__file__)).parent
    for package in _AGENT_PACKAGES:
        if not (source / package / "__init__.py").is_file():
            raise LabError(f"this installation has no reconciler.{package}", where=str(source))
    if library.exists():
        shutil.rmtree(library)
    library.mkdir(parents=True)
    shutil.copyfile(source / "__init__.py", library / "__init__.py")
    for package in _AGENT_PACKAGES:
        shutil.copytree(source / package, library / package, ignore=shutil.ignore_patterns("__pycache__"))
    data = unix_path(prefix.drive_c, AGENT_DATA)
    data.mkdir(parents=True, exist_ok=True)
    (data / "agent.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def start_agent(prefix: WinePrefix) -> Background:
    """Start the agent as a process of the host that outlives this one."""
    return start(prefix, [PYTHON, "-m", _AGENT_MODULE, "run", "--data", AGENT_DATA])


def agent_running(prefix: WinePrefix) -> bool:
    """Return whether an agent runs on the host, whoever started it."""
    return any(_is_agent(process) for process in processes_of(prefix.directory))


def kill_agent(prefix: WinePrefix) -> None:
    """End the agent at once, as ``taskkill /F`` would; an installer that it has started goes on."""
    kill_all(prefix.directory, _is_agent)


def _is_agent(process: WineProcess) -> bool:
    words = process.command
    return any(words[i : i + 3] == ("-m", _AGENT_MODULE, "run") for i in range(len(words)))
