"""Ansible in an environment of its own, thrown away afterwards: runs one command on many hosts over WinRM."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from reconciler.kernel.errors import ReconcilerError

_PACKAGES = ("ansible-core", "pywinrm")
_AS_IT_IS = "type nul & "
"""Begins a command that Ansible hands to cmd as it is; any other it wraps in PowerShell, which takes longer."""

_LONGEST = 1800.0


class AnsibleFailed(ReconcilerError):
    """Ansible could not be had, or did not get an answer of every host."""

    reference = "ansible-failed"


@dataclass(frozen=True, slots=True)
class Taken:
    """What one run took, in seconds: by the clock, and of processor time, of all its processes together."""

    wall: float
    cpu: float


class Ansible:
    """One installed Ansible and the hosts that it knows.

    Args:
        folder: an empty folder for all of it.
        hosts: addresses of WinRM services on port 5985, by the hosts' names.
        user: the account on each of them.
        password: the account's password.

    Raises:
        AnsibleFailed: it cannot be installed.
    """

    def __init__(self, folder: Path, hosts: Mapping[str, str], user: str, password: str) -> None:
        self._hosts = hosts
        self._folder = folder
        self._program = folder / "venv" / "bin" / "ansible"
        try:
            subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, capture_output=True)
            pip = [str(folder / "venv" / "bin" / "python"), "-m", "pip", "install", "--quiet", *_PACKAGES]
            subprocess.run(pip, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise AnsibleFailed(f"{' and '.join(_PACKAGES)} cannot be installed: {error}") from error
        shared = {
            "ansible_connection": "winrm",
            "ansible_winrm_transport": "ntlm",
            "ansible_winrm_scheme": "http",
            "ansible_port": 5985,
            "ansible_shell_type": "cmd",
            "ansible_user": user,
            "ansible_password": password,
        }
        named = {name: {"ansible_host": address} for name, address in hosts.items()}
        # YAML takes JSON as it is.
        (folder / "hosts.yaml").write_text(json.dumps({"all": {"vars": shared, "hosts": named}}), "utf-8")

    def run(self, command: str, at_once: int, expected: str) -> Taken:
        """Run a command on every host, and return what that took.

        Args:
            command: the command line, for cmd.
            at_once: on how many hosts at the same time.
            expected: a text that the output of each host must hold.

        Raises:
            AnsibleFailed: the output of a host does not hold it.
        """
        run = ["-m", "raw", "-a", _AS_IT_IS + command]
        line = [self._program, "all", "-i", "hosts.yaml", "-f", str(at_once), *run]
        before, started = _children_seconds(), time.perf_counter()
        finished = subprocess.run(
            [str(word) for word in line],
            cwd=self._folder,
            env={**os.environ, "HOME": str(self._folder), "ANSIBLE_HOME": str(self._folder / "home")},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_LONGEST,
            check=False,
        )
        taken = Taken(time.perf_counter() - started, _children_seconds() - before)
        answers = finished.stdout.count(f"\n{expected}")
        if answers != len(self._hosts):
            told = (finished.stdout + finished.stderr)[-600:]
            raise AnsibleFailed(f"{answers} of {len(self._hosts)} hosts answered it: {told}")
        return taken


def _children_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
