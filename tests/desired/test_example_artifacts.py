"""The example catalog names the identity of each example package: its codes, version and file name.

The bytes are not compared: another version of wixl builds the same package into other bytes. The demo writes the
hashes of what it has just built into its copy of the catalog.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reconciler.artifacts.msi_file import read_msi
from reconciler.desired.loading import load_folder
from reconciler.lab.packages import build_examples

ROOT = Path(__file__).parents[2]


@pytest.mark.skipif(
    shutil.which("wixl") is None and not os.environ.get("CI"), reason="needs wixl: apt-get install wixl msitools"
)
def test_catalog_and_builder_agree_on_identities(tmp_path: Path) -> None:
    state = load_folder(ROOT / "environments").state
    assert state is not None
    listed = {
        (name, release.version): (
            release.version,
            release.product_code,
            release.package_code,
            release.artifact.file_name,
        )
        for name, package in state.packages.items()
        for release in package.msi_releases
    }
    built = {}
    for package in build_examples(tmp_path):
        read, source = read_msi(package.path), package.source
        assert state.packages[source.package].upgrade_code == read.upgrade_code
        built[source.package, source.version] = (
            read.version,
            read.product_code,
            read.package_code,
            package.path.name,
        )
    assert built == listed
