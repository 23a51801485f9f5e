"""The lab: every host below one folder, found again by any process that knows the folder."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path

from reconciler.lab.errors import LabError
from reconciler.lab.host import LabHost, remove_folder
from reconciler.lab.layering import Layering
from reconciler.lab.naming import check_name
from reconciler.lab.template import template
from reconciler.packaging.cache import locked


@dataclass(frozen=True, slots=True)
class HostStatus:
    """How a lab host stands now."""

    name: str
    directory: Path
    layering: Layering
    booted: bool
    agent_running: bool


@dataclass(frozen=True, slots=True)
class Lab:
    """All lab hosts whose state lies below ``root``."""

    root: Path

    def up(self, names: Sequence[str]) -> tuple[LabHost, ...]:
        """Make sure that these hosts exist and run, and return them in this order.

        Args:
            names: Windows names; hosts that exist keep all they hold.

        Raises:
            LabUnavailable: this machine lacks what lab hosts need.
            LabError: a name is not valid, or a host did not come up.
        """
        with self._locked():
            hosts = tuple(self._find_or_create(name) for name in names)
            for host in hosts:
                host.boot()
        return hosts

    def down(self) -> None:
        """Remove every host, also what a process that died has left half-made.

        Raises:
            LabError: something of one is still in use.
        """
        with self._locked():
            for directory in self._directories():
                remove_folder(directory)

    def status(self) -> tuple[HostStatus, ...]:
        """Return how every host stands, by name."""
        hosts = [host for directory in self._directories() if (host := LabHost.find(directory))]
        return tuple(
            HostStatus(host.name, host.directory, host.layering, host.booted(), host.agent_running())
            for host in hosts
        )

    def host(self, name: str) -> LabHost:
        """Return the host of this name, in whatever case it is given.

        Raises:
            LabError: there is none.
        """
        found = LabHost.find(self._directory(name))
        if found is None:
            raise LabError(f"there is no lab host {name!r}", where=str(self.root), hint="reconciler lab up")
        return found

    def _find_or_create(self, name: str) -> LabHost:
        directory = self._directory(name)
        found = LabHost.find(directory)
        if found is not None:
            return found
        if directory.exists():
            remove_folder(directory)  # its maker died half-way
        return LabHost.create(name, directory, template())

    def _directory(self, name: str) -> Path:
        return self._hosts / check_name(name).lower()

    def _directories(self) -> list[Path]:
        return sorted(entry for entry in self._hosts.glob("*") if entry.is_dir())

    @property
    def _hosts(self) -> Path:
        # Absolute, with links followed: processes are told apart by the folder's one name.
        return self.root.resolve() / "hosts"

    def _locked(self) -> AbstractContextManager[None]:
        return locked(self.root / "lock")
