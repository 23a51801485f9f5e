"""Settings that a host should have: registry values, files, services. Says what they are; sets nothing itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.probes import ABSENT, Answers, Probe, ProbeKind


class RegistryType(StrEnum):
    """The types of registry values that can be set.

    Source: learn.microsoft.com/windows/win32/sysinfo/registry-value-types
    """

    SZ = "REG_SZ"
    EXPAND_SZ = "REG_EXPAND_SZ"
    MULTI_SZ = "REG_MULTI_SZ"
    DWORD = "REG_DWORD"
    QWORD = "REG_QWORD"


class StartMode(StrEnum):
    """When Windows starts a service.

    Source: learn.microsoft.com/windows/win32/api/winsvc/nf-winsvc-changeserviceconfigw (dwStartType)
    """

    AUTOMATIC = "automatic"
    MANUAL = "manual"
    DISABLED = "disabled"


class ServiceState(StrEnum):
    """What a service can be asked to do: to run, or not to."""

    RUNNING = "running"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class RegistryValue:
    r"""A value under a key of ``HKLM`` (``HKLM\SOFTWARE\…``), as 64-bit programs see it; the default value's name
    is empty. ``data`` is a number in decimal, or text; of ``REG_MULTI_SZ`` one line each.
    """

    wire_tag: ClassVar[str] = "registry"

    key: str
    name: str
    type: RegistryType
    data: str

    @property
    def identity(self) -> str:
        """What tells it from other settings."""
        return f"registry {self.key}\\{self.name}".lower()

    @property
    def probe(self) -> Probe:
        """How a host is asked for it."""
        return Probe(ProbeKind.REGISTRY, self.key, self.name)

    def is_so(self, answer: str) -> bool:
        """Return whether a host that answers so has it."""
        return answer == f"{self.type}:{self.data}"

    def __str__(self) -> str:
        return f"{self.key}\\{self.name or '(default)'}"


@dataclass(frozen=True, slots=True)
class PlacedFile:
    """A file at a full ``path``: its text, or an artifact where it is no short text. Text is written in UTF-8."""

    wire_tag: ClassVar[str] = "file"

    path: str
    sha256: str
    text: str | None = None
    artifact: Artifact | None = None

    @property
    def identity(self) -> str:
        """What tells it from other settings."""
        return f"file {self.path}".lower()

    @property
    def probe(self) -> Probe:
        """How a host is asked for it."""
        return Probe(ProbeKind.FILE_HASH, self.path)

    def is_so(self, answer: str) -> bool:
        """Return whether a host that answers so has it."""
        return answer == self.sha256

    def __str__(self) -> str:
        return self.path


@dataclass(frozen=True, slots=True)
class ServiceSetup:
    """How a service that is there should be; ``None`` leaves start mode or state as it is."""

    wire_tag: ClassVar[str] = "service"

    name: str
    start: StartMode | None = None
    state: ServiceState | None = None

    @property
    def identity(self) -> str:
        """What tells it from other settings."""
        return f"service {self.name}".lower()

    @property
    def probe(self) -> Probe:
        """How a host is asked for it."""
        return Probe(ProbeKind.SERVICE, self.name)

    def is_so(self, answer: str) -> bool:
        """Return whether a host that answers so has it."""
        state, _, start = answer.partition(" ")
        return (self.state is None or state == self.state) and (self.start is None or start == self.start)

    def __str__(self) -> str:
        return f"service {self.name}"


Setting = RegistryValue | PlacedFile | ServiceSetup


def differing(settings: tuple[Setting, ...], answers: Answers) -> tuple[Setting, ...]:
    """Return the settings that a host does not have, by its answers; no answer counts as differing."""
    return tuple(setting for setting in settings if not setting.is_so(answers.get(setting.probe.key, "")))


def leftovers(
    wanted: tuple[Setting, ...], others: tuple[tuple[Setting, ...], ...], answers: Answers
) -> tuple[Setting, ...]:
    """Return what other releases have set on a host and the wanted settings do not name.

    Only values and files that are exactly as another release sets them: what somebody has changed since is not
    ours to delete. A service that is no longer named stays as it is.

    Args:
        wanted: the settings that a host should have.
        others: the settings of the package's other releases.
        answers: what the host says.
    """
    named = {setting.identity for setting in wanted}
    found: dict[str, Setting] = {}
    for settings in others:
        for setting in settings:
            if isinstance(setting, ServiceSetup) or setting.identity in named:
                continue
            if setting.is_so(answers.get(setting.probe.key, ABSENT)):
                found.setdefault(setting.identity, setting)
    return tuple(found.values())
