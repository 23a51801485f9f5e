"""Assignments: what one host should have now."""

from __future__ import annotations

from dataclasses import dataclass

from reconciler.kernel.practice import NO_PRACTICE, Practice
from reconciler.kernel.probes import Probe
from reconciler.kernel.releases import ConfigurationRelease, MsiRelease, PackageKind, ProgramRelease, Release


@dataclass(frozen=True, slots=True)
class Goal:
    """What a host should have of one package.

    ``target`` is ``None`` where the package should be absent. ``others`` are the package's other releases, in the
    catalog's order: they let the host recognise what it has, and put it back when a rollback fails.
    ``upgrade_code`` names the product family, of an MSI package only. ``fingerprint`` is opaque and changes
    whenever tries at this goal should be counted afresh. ``awaits`` says what it waits for (a person who confirms
    it, say) and is empty where it need not wait; ``halted`` says that it waits because other hosts failed at it.
    ``practice`` says how the package wants to be handled.
    """

    package: str
    upgrade_code: str
    target: Release | None
    others: tuple[Release, ...] = ()
    fingerprint: str = ""
    awaits: str = ""
    kind: PackageKind = PackageKind.MSI
    practice: Practice = NO_PRACTICE
    halted: bool = False

    @property
    def releases(self) -> tuple[Release, ...]:
        """Every known release of the package, the target first."""
        return (self.target, *self.others) if self.target else self.others

    @property
    def msi_releases(self) -> tuple[MsiRelease, ...]:
        """Those of `releases` that are MSIs."""
        return tuple(release for release in self.releases if isinstance(release, MsiRelease))

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What a host must be asked beside its products to know where it stands with this goal."""
        asked = [check.probe for check in self.practice.checks] if self.target is not None else []
        for release in self.releases:
            if isinstance(release, ProgramRelease):
                asked.append(release.detect)
            elif isinstance(release, ConfigurationRelease):
                asked += [setting.probe for setting in release.settings]
        return tuple({probe.key: probe for probe in asked}.values())

    def release_of(self, product_code: str, package_code: str | None, version: str) -> MsiRelease | None:
        """Return the known release that an installed product is, or ``None``.

        Args:
            product_code: the product's code.
            package_code: its package code; ``None`` where the host could not tell, then the version decides.
            version: its version.
        """
        for release in self.msi_releases:
            if release.product_code != product_code:
                continue
            if release.package_code == package_code or (package_code is None and release.version == version):
                return release
        return None


@dataclass(frozen=True, slots=True)
class Hold:
    """A wish that nothing be done: why, and until when in seconds since the epoch; ``None`` until it is lifted."""

    reason: str
    until: float | None = None

    def holds(self, now: float) -> bool:
        """Return whether it still holds at ``now``, in seconds since the epoch."""
        return self.until is None or now < self.until


@dataclass(frozen=True, slots=True)
class Assignment:
    """What one host should have now, at ``revision`` (a commit id); nothing is done while ``hold`` holds."""

    host: str
    environment: str
    revision: str
    goals: tuple[Goal, ...] = ()
    hold: Hold | None = None

    @property
    def probes(self) -> tuple[Probe, ...]:
        """What the host must be asked beside its products, each once."""
        return tuple({probe.key: probe for goal in self.goals for probe in goal.probes}.values())
