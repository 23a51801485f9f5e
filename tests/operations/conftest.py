"""An installation without a daemon: a real repository, the store, and hosts that have said what they have."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from reconciler.kernel.observation import InstalledProduct, Observation
from reconciler.operations.desired import mirror_of
from reconciler.operations.follow import follow
from reconciler.operations.reviews import reviews_of
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from reconciler.store.hosts import Enrolled, Enrolment, EnrolmentToken
from reconciler.testing.workspace import Workspace

APP, TOOL = "{00000000-0000-0000-0000-00000000000F}", "{00000000-0000-0000-0000-00000000001F}"


def product_code(number: int) -> str:
    return f"{{00000000-0000-0000-0000-0000000000A{number}}}"


def package_code(number: int) -> str:
    return f"{{00000000-0000-0000-0000-0000000000B{number}}}"


def catalog(upgrade_code: str, **releases: int) -> str:
    """Return a catalog file; releases are named ``v1_0_0`` and told apart by a number."""
    entries = "".join(
        f"""  - version: {name[1:].replace("_", ".")}
    productCode: "{product_code(number)}"
    packageCode: "{package_code(number)}"
    artifact: {{sha256: {format(number, "x") * 64}, size: 5, file: app.msi}}
"""
        for name, number in releases.items()
    )
    return f'upgradeCode: "{upgrade_code}"\nreleases:\n{entries}'


FILES = {
    "environments/reconciler.yaml": "version: 1\n",
    "environments/catalog/app.yaml": catalog(APP, v1_0_0=1, v2_0_0=2),
    "environments/catalog/tool.yaml": catalog(TOOL, v5_0_0=5),
    "environments/dev/environment.yaml": "# the first\npackages:\n  app: 1.0.0 # as in prod\n",
    "environments/dev/hosts/DEV-01.yaml": "# in the lab\nlabels: {site: lab}\n",
}


class Installation:
    """A site and the repository that it follows when told to."""

    def __init__(self, folder: Path, site: Site) -> None:
        self.site = site
        self.workspace = Workspace(folder / "fleet.git", folder / "fleet")

    def publish(self, files: Mapping[str, str], message: str = "change") -> str:
        """Push files, and put the commit in force."""
        commit = self.workspace.publish(files, message)
        self.follow()
        return commit

    def follow(self) -> None:
        """Do what the daemon does when it sees a new head."""
        follow(self.site, mirror_of(self.site), None, reviews_of(self.site, mirror_of(self.site)))

    def enrol(self, host: str, environment: str = "dev") -> None:
        now = self.site.clock()
        token = EnrolmentToken(host, environment, now + 60, None, None)
        self.site.hosts.add_token(token, now)
        assert self.site.hosts.enrol(Enrolment(host, "key", "10.0.0.7"), token, now) is Enrolled.DONE

    def report(self, host: str, *products: InstalledProduct) -> None:
        """Have a host say what is installed on it."""
        self.site.hosts.record_report(host, Observation(products), "digest", "", self.site.clock())


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    with open_site(Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))) as site:
        made = Installation(tmp_path, site)
        made.publish(FILES)
        yield made
