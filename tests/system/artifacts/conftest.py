"""Real MSIs, and what stands in for transforms and patches, which no free tool builds."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.lab import LabUnavailable
from reconciler.lab.packages import build, plain_package
from reconciler.settings import Settings
from reconciler.site import Site, open_site
from tests.system.signing import SigningAuthority

_PACKAGE, _TRANSFORM, _PATCH = (
    bytes.fromhex(f"{first}100C0000000000C000000000000046") for first in ("84", "82", "86")
)
"""The class of the root storage, as it is stored."""


class InstallerFiles:
    """Makes files of the other kinds from an MSI: their summaries are real, and so is the class of their root."""

    def __init__(self, msi: Path) -> None:
        self._msi = msi

    def transform(self, file: Path, original: str, upgrade_code: str) -> Path:
        """Make a transform for a product, as its summary has it."""
        revision = f"{original}1.0.0;{original}1.0.0;{upgrade_code}"
        return self._make(file, _TRANSFORM, "x64;1033", revision)

    def patch(self, file: Path, patch_code: str, targets: str) -> Path:
        """Make a patch for products (a semicolon-delimited list)."""
        return self._make(file, _PATCH, targets, patch_code)

    def _make(self, file: Path, root: bytes, template: str, revision: str) -> Path:
        file.write_bytes(self._msi.read_bytes())
        subprocess.run(["msibuild", file, "-s", "made for a test", "Tests", template, revision], check=True)
        content = file.read_bytes()
        assert content.count(_PACKAGE) == 1
        file.write_bytes(content.replace(_PACKAGE, root))
        return file


@pytest.fixture
def installer_files(example_packages) -> InstallerFiles:  # type: ignore[no-untyped-def]
    return InstallerFiles(example_packages.get("northwind-sync", "5.0.0").path)


@pytest.fixture(scope="session")
def msi(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MSI that is not signed."""
    try:
        return build(plain_package("tool", "1.2.0"), tmp_path_factory.mktemp("msi")).path
    except LabUnavailable as error:
        if os.environ.get("CI"):
            pytest.fail(f"CI must have a lab. {error}", pytrace=False)
        pytest.skip(str(error))


@pytest.fixture
def signed(msi: Path, authority: SigningAuthority, tmp_path: Path) -> Path:
    """The same, signed by Contoso Ltd."""
    return authority.sign(msi, tmp_path / "signed.msi")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    settings = Settings(data=tmp_path / "data", repository=str(tmp_path / "fleet.git"))
    with open_site(settings) as opened:
        yield opened


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty desired state."""
    made = tmp_path / "environments"
    made.mkdir()
    (made / "reconciler.yaml").write_text("version: 1\n")
    return made
