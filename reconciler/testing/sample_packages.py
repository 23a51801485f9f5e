"""Releases of a product family, as stand-ins for MSIs, and assignments that ask for them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace

from reconciler.kernel.artifact import Artifact
from reconciler.kernel.assignment import Assignment, Goal
from reconciler.kernel.observation import InstalledProduct
from reconciler.kernel.protocol import goal_fingerprint
from reconciler.kernel.releases import MsiRelease
from reconciler.testing.simulated_files import SimulatedPackage, write_simulated_msi

UPGRADE_CODE = "{AAAAAAAA-0000-4000-8000-00000000000A}"
OTHER_UPGRADE_CODE = "{BBBBBBBB-0000-4000-8000-00000000000B}"


def guid(number: int) -> str:
    """Return a GUID of its own for each number."""
    return f"{{{number:08X}-0000-4000-8000-0000000000AA}}"


@dataclass
class Catalog:
    """Makes releases and puts their files where the server finds them."""

    artifacts: dict[str, bytes] = field(default_factory=dict)
    releases: list[MsiRelease] = field(default_factory=list)

    def release(self, version: str, product: int, refuses: str = "") -> MsiRelease:
        """Add a release; ``product`` tells product codes apart."""
        number = len(self.releases) + 1
        package = SimulatedPackage(
            guid(product), guid(0xF000 + number), UPGRADE_CODE, version, f"Sample {version}", refuses
        )
        content = write_simulated_msi(package)
        sha256 = hashlib.sha256(content).hexdigest()
        self.artifacts[sha256] = content
        artifact = Artifact(sha256, len(content), f"sample-{version}.msi")
        made = MsiRelease(version, package.product_code, package.package_code, artifact)
        self.releases.append(made)
        return made

    def goal(self, target: MsiRelease | None, package: str = "sample") -> Goal:
        """Return the goal of having ``target``, the other releases of the catalog being known."""
        others = tuple(release for release in self.releases if release != target)
        goal = Goal(package, UPGRADE_CODE, target, others)
        return replace(goal, fingerprint=goal_fingerprint(goal))

    def assignment(self, target: MsiRelease | None, revision: str = "r1") -> Assignment:
        """Return the assignment of having ``target`` on the host HOST7."""
        return Assignment("HOST7", "dev", revision, (self.goal(target),))


def installed(release: MsiRelease) -> InstalledProduct:
    """The product that a machine has once ``release`` is installed."""
    name = f"Sample {release.version}"
    return InstalledProduct(release.product_code, release.version, name, release.package_code, UPGRADE_CODE)


STRANGER = InstalledProduct(guid(0x5555), "7.0.0", "Somebody else's", guid(0x5556), OTHER_UPGRADE_CODE)
